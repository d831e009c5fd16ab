"""Sinks: where results are pushed. What waits for them is in `deliveries.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

import sqlalchemy as sa
from pydantic import AwareDatetime, Field, SecretStr, ValidationError, field_validator, model_validator

from sightline.errors import BadMessageError, SightlineError
from sightline.redaction import HIDDEN, redact_text, redact_url
from sightline.types import SourceId, Value
from sightline.webhooks import new_secret, secret_bytes
from sightline.wire.events import DOCTOR_SOURCE, PASSAGE_EVENTS, Event, SinkKind
from sightline.wire.messages import bad_message
from storage.database.engine import Database, insert_into
from storage.items.changes import NewEvent, Wanted
from storage.sinks.options import SinkOptions
from storage.tables import Deliveries, Sinks

_KINDS = {
    "http": SinkKind.WEBHOOK,
    "https": SinkKind.WEBHOOK,
    "mqtt": SinkKind.MQTT,
    "mqtts": SinkKind.MQTT,
    "file": SinkKind.JSONL,
    "kafka": SinkKind.KAFKA,
    "kafkas": SinkKind.KAFKA,
}
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_WITH_TLS = frozenset({"https", "mqtts", "kafkas"})


class SinkNotFoundError(SightlineError):
    reason = "sink_not_found"

    def __init__(self, sink_id: str) -> None:
        super().__init__(f"there is no sink {sink_id!r}")
        self.sink_id = sink_id


class SinkExistsError(SightlineError):
    reason = "sink_exists"

    def __init__(self, sink_id: str) -> None:
        super().__init__(f"there is a sink {sink_id!r} already")
        self.sink_id = sink_id


class Sink(Value):
    """Settings of one sink. `url` and `secret` may be passwords and are never shown."""

    sink_id: SourceId
    url: Annotated[SecretStr, Field(min_length=1, max_length=2048)]
    secret: SecretStr | None = None  #: what webhooks are signed with
    events: Annotated[tuple[Event, ...], Field(min_length=1)] = PASSAGE_EVENTS
    sources: tuple[SourceId, ...] = ()  #: none: all
    options: SinkOptions = SinkOptions()
    enabled: bool = True
    disabled_reason: str | None = None  #: why the system disabled it; None if it is enabled or a person paused it
    created_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        parse_target(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        scheme = urlsplit(self.url.get_secret_value()).scheme
        self.options.check(self.kind, uses_tls=scheme in _WITH_TLS)
        return self

    @property
    def kind(self) -> SinkKind:
        return _KINDS[urlsplit(self.url.get_secret_value()).scheme]

    @property
    def shown_url(self) -> str:
        """For people. The path of a webhook often is its secret, so only its host is shown."""
        url = self.url.get_secret_value()
        if self.kind is not SinkKind.WEBHOOK:
            return redact_url(url)
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" + (f"/{HIDDEN}" if parts.path.strip("/") or parts.query else "")

    @property
    def collects(self) -> bool:
        """Whether events are noted for it. A paused sink gets them when it is resumed; one that is gone does not."""
        return self.enabled or self.disabled_reason is None

    def wants(self, event: NewEvent) -> bool:
        is_of_all = not self.sources and event.source_id != DOCTOR_SOURCE
        is_chosen = event.type in self.events and (is_of_all or event.source_id in self.sources)
        return is_chosen and self.options.wants(event.data, event.over)

    def redact(self, text: str) -> str:
        """The text without what must not be shown of this sink."""
        url = self.url.get_secret_value()
        return redact_text(text.replace(url, self.shown_url), url)


def parse_target(url: str) -> SplitResult:
    """The parts of a sink's URL. Its text never repeats the URL, which may hold a password.

    Raises:
        ValueError: none of the URLs a sink may have.
    """
    try:
        parts = urlsplit(url)
        kind = _KINDS.get(parts.scheme)
        if kind is None or parts.fragment or any(char.isspace() for char in url):
            raise ValueError
        if kind is SinkKind.JSONL:
            path = unquote(parts.path)
            if parts.netloc or not path.startswith("/") or ".." in PurePosixPath(path).parts:
                raise ValueError
        elif (
            not parts.hostname
            or parts.port == 0
            or (kind is SinkKind.KAFKA and not _TOPIC.fullmatch(unquote(parts.path).strip("/")))
        ):
            raise ValueError
        elif kind is SinkKind.MQTT and set("+#\0") & set(unquote(f"{parts.path}{parts.query}")):
            raise ValueError  # no topic to publish on
    except ValueError as error:
        raise ValueError(
            "must be http(s)://host/path, mqtt(s)://user:password@host:port/prefix, kafka(s)://host:port/topic or "
            "file:///folder"
        ) from error
    return parts


def new_sink(**fields: Any) -> Sink:
    """A valid sink; a webhook without a secret gets one. Raises BadMessageError naming the field."""
    if "events" not in fields and dict(fields.get("options") or {}).get("format") == "plate-recognizer":
        fields |= {"events": (Event.PASSAGE_NEW,)}  # its receivers act on each post
    try:
        sink = Sink.model_validate(fields)
    except ValidationError as error:
        raise _bad_sink(error) from error
    sink.options.check_events(sink.events)
    if sink.secret is not None:
        secret_bytes(sink.secret.get_secret_value())
    elif sink.kind is SinkKind.WEBHOOK:
        return sink.model_copy(update={"secret": SecretStr(new_secret())})
    return sink


def add_sink(database: Database, sink: Sink) -> Sink:
    """Raises SinkExistsError if the sink_id is taken."""
    new = {"sink_id": sink.sink_id, "created_at": sink.created_at, "sent_count": 0} | _row(sink)
    with database.write() as connection:
        insert = insert_into(connection, Sinks).values(**new).on_conflict_do_nothing().returning(Sinks.sink_id)
        if connection.execute(insert).first() is None:
            raise SinkExistsError(sink.sink_id)
    return sink


def list_sinks(database: Database) -> list[Sink]:
    """All sinks, by sink_id."""
    with database.read() as connection:
        return load_sinks(connection)


def get_sink(database: Database, sink_id: str) -> Sink:
    """Raises SinkNotFoundError."""
    with database.read() as connection:
        return _get(connection, sink_id)


def update_sink(database: Database, sink_id: str, /, **changes: Any) -> Sink:
    """Change the named settings and return all of them; `enabled` also forgets why the sink was disabled.

    Raises:
        SinkNotFoundError
        BadMessageError: a setting is unknown, cannot be changed (sink_id) or has a value it cannot have.
    """
    with database.write() as connection:
        sink = _get(connection, sink_id, lock=True)
        if changes.get("sink_id", sink_id) != sink_id:
            raise BadMessageError("sink_id: cannot be changed; add a new sink instead", field="sink_id")
        if "enabled" in changes:
            changes = {"disabled_reason": None} | changes
        if "options" in changes:
            options = dict(sink.options) | changes["options"]
            changes |= {"options": {name: value for name, value in options.items() if value is not None}}
        changed = new_sink(**(dict(sink) | changes))
        if changed.kind is not sink.kind:
            raise BadMessageError(
                f"url: a sink cannot change from {sink.kind} to {changed.kind}; add a new one", field="url"
            )
        # Resumed, or sent elsewhere: what went wrong before says nothing any more.
        forgotten = {"last_error": None} if changed.enabled and changes.keys() & {"enabled", "url"} else {}
        connection.execute(sa.update(Sinks).where(Sinks.sink_id == sink_id).values(_row(changed) | forgotten))
    return changed


def change_secret(database: Database, sink_id: str) -> str:
    """A new secret, which is returned. What is sent is signed with the one before too, until that is forgotten.

    Raises:
        SinkNotFoundError
        BadMessageError: it is no webhook.
    """
    sink, secret = get_sink(database, sink_id), new_secret()
    if sink.secret is None:
        raise BadMessageError(f"sink_id: {sink_id!r} is no webhook and has no secret", field="sink_id")
    update_sink(database, sink_id, secret=SecretStr(secret), options={"previous_secret": sink.secret})
    return secret


def forget_previous_secret(database: Database, sink_id: str) -> Sink:
    """Sign with the new secret alone. Raises SinkNotFoundError."""
    return update_sink(database, sink_id, options={"previous_secret": None})


def disable_sink(database: Database, sink_id: str, reason: str) -> None:
    """What the receiver said leads nowhere any more. Nothing happens if the sink was removed meanwhile."""
    with database.write() as connection:
        connection.execute(
            sa.update(Sinks).where(Sinks.sink_id == sink_id).values(enabled=False, disabled_reason=reason)
        )


def remove_sink(database: Database, sink_id: str) -> None:
    """Forget the sink and everything that waits for it. Raises SinkNotFoundError."""
    with database.write() as connection:
        _get(connection, sink_id, lock=True)
        connection.execute(sa.delete(Deliveries).where(Deliveries.sink == sink_id))
        connection.execute(sa.delete(Sinks).where(Sinks.sink_id == sink_id))


def load_sinks(connection: sa.Connection) -> list[Sink]:
    rows = connection.execute(sa.select(Sinks.__table__).order_by(Sinks.sink_id))
    return [to_sink(row) for row in rows.mappings()]


def to_sink(row: sa.RowMapping) -> Sink:
    return Sink.model_validate({name: row[name] for name in Sink.model_fields} | {"options": row["options"] or {}})


def wanted_by(sinks: Iterable[Sink]) -> Wanted:
    """What these sinks want to hear of, all together."""
    sinks = list(sinks)
    return Wanted(
        frozenset(event for sink in sinks for event in sink.events),
        tuple({sink.options.min_confidence for sink in sinks if sink.options.min_confidence}),
    )


def _bad_sink(error: ValidationError) -> BadMessageError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "options"
    # Pydantic would repeat the value, which may be a password.
    if field.split(".")[0] in ("url", "secret", "options"):
        return BadMessageError(f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field)
    return bad_message(error)


def _get(connection: sa.Connection, sink_id: str, *, lock: bool = False) -> Sink:
    rows = sa.select(Sinks.__table__).where(Sinks.sink_id == sink_id)
    row = connection.execute(rows.with_for_update() if lock else rows).mappings().first()
    if row is None:
        raise SinkNotFoundError(sink_id)
    return to_sink(row)


def _row(sink: Sink) -> dict[str, Any]:
    return {
        "kind": sink.kind.value,
        "url": sink.url.get_secret_value(),
        "secret": sink.secret and sink.secret.get_secret_value(),
        "events": [event.value for event in sink.events],
        "sources": list(sink.sources),
        "options": sink.options.stored() or None,
        "enabled": sink.enabled,
        "disabled_reason": sink.disabled_reason,
    }
