"""What comes off a queue, before it is a task: it is worked on or becomes a dead letter, and never ends the worker.

Whoever may write to a queue can put anything there, so nothing is believed that the worker knows better: an entry's own
word on its queue, its priority and its tag is replaced, and of Celery's headers only task, id and `traceparent` are
kept. Celery alone would end with its worker, or drop a message with a line in the log.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import UTC, datetime
from queue import Empty
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

from celery import bootsteps
from pydantic import BaseModel, Field, ValidationError
from redis.exceptions import ResponseError

from sightline.celery.fairness import lane_of
from sightline.celery.take import Popped, Taker
from sightline.errors import BadMessageError
from sightline.pipelines import registry
from sightline.pipelines.queues import LANE_PRIORITY
from sightline.redis.clients import is_of_other_kind
from sightline.retry import StoppedError
from sightline.tracing import read_traceparent
from sightline.wire.messages import bad_message

log = logging.getLogger(__name__)

#: Takes the queue, what lay there, and what is wrong with it. Returns when that is safe; raises StoppedError.
Bury = Callable[[str, Any, BadMessageError], None]

#: So much of what is no message is kept, in characters.
_MAX_KEPT: Final = 65_536
#: What Celery would send or run after a task. Ours have nothing after them that a sender could name.
_FOLLOWERS: Final = ("callbacks", "errbacks", "chain", "chord")


class _DeliveryInfo(BaseModel):
    redelivered: bool = False


class _Properties(BaseModel):
    body_encoding: Literal["base64", "utf-8"] | None = None
    delivery_info: _DeliveryInfo = _DeliveryInfo()


class _Envelope(BaseModel):
    """What kombu puts into a list of Redis."""

    body: str
    headers: dict[str, Any]
    properties: _Properties
    content_type: Annotated[str, Field(alias="content-type")]
    content_encoding: Annotated[str, Field(alias="content-encoding")]


def parse_entry(entry: bytes, queue: str, priority: int, tag: str = "") -> dict[str, Any]:
    """An entry of a list, as kombu takes it. `queue` and `priority` are those of the list; `tag`: as it is noted.

    Raises:
        BadMessageError: it is nothing that kombu could have written.
    """
    try:
        envelope = _Envelope.model_validate_json(entry)
    except ValidationError as error:
        raise bad_message(error) from error
    _refuse_compression(envelope.headers)
    encoding = envelope.properties.body_encoding
    try:
        if encoding == "base64":
            b64decode(envelope.body, validate=True)
    except (Base64Error, ValueError) as error:
        raise BadMessageError(f"body: is no base64, as properties.body_encoding says: {error}", field="body") from error
    delivery_info = {"exchange": "", "routing_key": queue, "redelivered": envelope.properties.delivery_info.redelivered}
    properties = {
        "body_encoding": encoding,
        "delivery_info": delivery_info,
        # A copy that another worker took over has another tag: neither acknowledges the other's.
        "delivery_tag": tag or str(uuid4()),
        "priority": LANE_PRIORITY[lane_of(priority)],
    }
    return {
        "body": envelope.body,
        "headers": envelope.headers,
        "content-type": envelope.content_type,
        "content-encoding": envelope.content_encoding,
        "properties": properties,
    }


def check_message(message: Any, queue: str) -> None:
    """Whether a message of kombu's is one of ours, for this queue. Leaves it with the headers that Celery needs.

    Raises:
        BadMessageError: naming what is wrong, and what would be right.
    """
    headers = message.headers
    task, identity = headers.get("task"), headers.get("id")
    if not isinstance(task, str) or not isinstance(identity, str):
        raise BadMessageError("headers: no task and id, so no message of Celery's protocol 2", field="headers")
    if task not in registry().routes:
        raise BadMessageError(
            f"headers.task: {task!r:.80} is no task; docs/reference/wire.md has their names", field="task"
        )
    if registry().routes[task] != queue:
        raise BadMessageError(
            f"headers.task: {task!r} is a task of {registry().routes[task]}, not of {queue}", field="task"
        )
    _refuse_compression(headers)
    if headers.get("eta") is not None:
        raise BadMessageError("headers.eta: what is sent is begun; send it when it is due", field="eta")
    _refuse_expired(headers.get("expires"))
    if message.content_type != "application/json":
        raise BadMessageError(
            f"content type: {message.content_type!r:.80} is not read; send JSON", field="content_type"
        )
    try:
        body = message.payload
    except Exception as error:  # whatever a decoder raises
        raise BadMessageError(f"body: is no JSON: {error!s:.200}", field="body") from error
    _check_body(body)
    kept = {"traceparent": found} if (found := read_traceparent(headers.get("traceparent"))) else {}
    message.headers = {"lang": "py", "task": task, "id": identity[:255], "argsrepr": "-", "kwargsrepr": "-"} | kept


def _check_body(body: Any) -> None:
    if not isinstance(body, list) or len(body) != 3:
        raise BadMessageError("body: is not Celery's [args, kwargs, embed]", field="body")
    args, kwargs, embed = body
    if args:
        raise BadMessageError("args: a task takes none; send kwargs={'message': ...}", field="args")
    if not isinstance(kwargs, dict) or set(kwargs) != {"message"}:
        names = sorted(map(str, kwargs)) if isinstance(kwargs, dict) else kwargs
        raise BadMessageError(f"kwargs: one is taken, 'message' (got {names!r:.80})", field="kwargs")
    if isinstance(embed, dict) and (named := [name for name in _FOLLOWERS if embed.get(name)]):
        raise BadMessageError(f"{named[0]}: nothing can follow a task; wait for its result instead", field=named[0])


def _refuse_compression(headers: dict[str, Any]) -> None:
    if headers.get("compression"):
        raise BadMessageError("headers.compression: bodies are not unpacked; send plain JSON", field="compression")


def _refuse_expired(expires: Any) -> None:
    if expires is None:
        return
    try:
        at = datetime.fromisoformat(expires)
    except (TypeError, ValueError) as error:
        raise BadMessageError(f"headers.expires: {expires!r:.80} is no time", field="expires") from error
    if (at if at.tzinfo else at.replace(tzinfo=UTC)) <= datetime.now(UTC):
        raise BadMessageError(
            f"headers.expires: over since {expires:.40}; job.deadline_at drops what nobody wants any more",
            field="expires",
        )


class Intake(bootsteps.StartStopStep):
    """Stands between the broker and Celery."""

    requires: Final = {"celery.worker.consumer.tasks:Tasks"}

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        make_handler = consumer.create_task_handler
        consumer.create_task_handler = lambda: self._checked(consumer, make_handler())
        super().__init__(consumer, **kwargs)

    def start(self, parent: Any) -> None:
        consumer = parent.task_consumer
        consumer.on_decode_error = lambda message, error: self._refuse(
            parent, message, BadMessageError(f"body: cannot be unpacked: {error!s:.200}", field="body")
        )
        if hasattr(consumer.channel, "_brpop_read"):
            reader = consumer.channel.sightline_reader = ListReader(consumer.channel, parent.app.sightline_bury)
            consumer.channel._brpop_read = consumer.channel.handlers["BRPOP"] = reader.read

    def _checked(self, parent: Any, handle: Callable[[Any], Any]) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            try:
                check_message(message, _queue_of(message, parent.task_consumer))
            except BadMessageError as error:
                self._refuse(parent, message, error)
            else:
                handle(message)

        return receive

    def _refuse(self, parent: Any, message: Any, error: BadMessageError) -> None:
        letter = {"headers": message.headers, "content_type": message.content_type, "body": _text(message.body)}
        try:
            parent.app.sightline_bury(_queue_of(message, parent.task_consumer), letter, error)
        except StoppedError:
            message.requeue()
        else:
            message.ack()


def _queue_of(message: Any, consumer: Any) -> str:
    """Where a message really came from, without RabbitMQ's name of the lane."""
    tag = message.delivery_info.get("consumer_tag")
    names = {tag: name for name, tag in consumer._active_tags.items()}
    name = str(names.get(tag) or message.delivery_info.get("routing_key"))
    return name if name in registry().routes.values() else name.rpartition(".")[0]


class ListReader:
    """Reads what a pop gave, in place of kombu's, which ends the worker by what it cannot read."""

    def __init__(self, channel: Any, bury: Bury) -> None:
        self._channel = channel
        self._bury = bury
        self.taker: Taker | None = None  #: who takes several together, once there is one
        self.leave_out: Callable[[], bool] = lambda: False  #: what is no list; whether there was any

    def read(self, **options: Any) -> bool:
        """Raises Empty where there is nothing to work on."""
        channel = self._channel
        connection = channel.client.connection
        try:
            popped = self._popped(connection, **options)
        except channel.connection_errors:
            connection.disconnect()
            raise
        except ResponseError as error:
            if not is_of_other_kind(error) or not self.leave_out():
                raise
            popped = []
        finally:
            channel._in_poll = None
        if not sum([self._deliver(one) for one in popped]):
            raise Empty
        return True

    def _popped(self, connection: Any, **options: Any) -> list[Popped]:
        if self.taker is not None and self.taker.is_asked:
            return self.taker.read(**options)
        found = self._channel.client.parse_response(connection, "BRPOP", **options)
        if found and self.taker is not None:
            self.taker.noticed(1)
        return [Popped(*found)] if found else []

    def _deliver(self, popped: Popped) -> bool:
        """Whether there is something to work on."""
        channel = self._channel
        queue, _, priority = popped.key.decode().partition(channel.sep)
        try:
            envelope = parse_entry(popped.entry, queue, int(priority or 0), popped.tag)
        except BadMessageError as error:
            try:
                self._bury(queue, _text(popped.entry), error)
            except StoppedError:
                channel.client.rpush(popped.key.decode(), popped.entry)
            if popped.tag and self.taker is not None:
                self.taker.forget(popped.tag)
            return False
        channel.connection._deliver(envelope, queue)
        return True


def _text(data: Any) -> str:
    """As much as is kept of what may be anything."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
    return text if len(text) <= _MAX_KEPT else f"{text[:_MAX_KEPT]}… ({len(text)} characters)"


def add_intake(app: Any, bury: Bury) -> None:
    """Have the app's workers refuse what is no message of ours. Celery makes the step: the app carries `bury`."""
    app.sightline_bury = bury
    app.steps["consumer"].add(Intake)
