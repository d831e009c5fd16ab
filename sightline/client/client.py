"""Sightline for any Python service: submit images, wait for results, ask. Over Redis, or over the HTTP API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from sightline.client.answers import Audit, Camera, Finding, Passage
from sightline.client.asking import Moment, form_of, passages_path, range_of, write_export
from sightline.client.http import ApiClient, check_address
from sightline.client.images import Image, kind_of, read_image
from sightline.client.many import Done, submit_many
from sightline.images.header import ImageLimits
from sightline.pipelines import DEFAULT, Medium, registry
from sightline.settings import Settings, load_settings
from sightline.submission.jobs import NewFrame, NewItem, make_job, notes_on, sequence_of
from sightline.submission.sounds import NewSound
from sightline.submission.texts import TEXT_SUFFIXES, NewText, decode_text
from sightline.types import JobResult, Lane, Pipeline, TimeFrom
from sightline.wire.messages import Job

if TYPE_CHECKING:
    from sightline.delivery.delta_stream import StreamEvent
    from sightline.delivery.publisher import Publisher

Opened = TypeVar("Opened")


@dataclass(frozen=True)
class SubmittedJob:
    """A job that was accepted. It ends in the database whether or not somebody waits."""

    job: Job
    _client: Sightline
    notes: tuple[str, ...] = ()  #: what of the files is not in the job, as all but the first picture of a GIF

    @property
    def job_id(self) -> str:
        return self.job.job_id

    def wait(self, timeout_s: float = 30.0) -> JobResult:
        """The result, as soon as it is stored.

        Raises:
            WaitTimeoutError: it is not there yet; the job goes on.
        """
        return self._client.wait(self.job_id, timeout_s)

    def stream(self, last_id: str = "0", *, silent_s: float = 60.0) -> Iterator[StreamEvent]:
        """See `Sightline.stream`."""
        return self._client.stream(self.job_id, last_id, silent_s=silent_s)

    def pieces(self, *, silent_s: float = 60.0) -> Iterator[str]:
        """The text of an answer as it comes, of a job of one question to `chat`: each piece once, also where a worker
        starts the answer over.

        Raises:
            WaitTimeoutError: after `silent_s` of silence; the job goes on.
            BadMessageError: the question is at fault.
            JobCancelledError: somebody cancelled it.
            AnswerError: there is no answer, or a worker that starts it over answers otherwise.
        """
        from sightline.chat.pieces import AnswerPieces

        pieces = AnswerPieces()
        yield from filter(None, map(pieces.take, self.stream(silent_s=silent_s)))

    def cancel(self) -> bool:
        """Have it dropped as `cancelled`; see `Sightline.cancel`."""
        return self._client.cancel(self.job_id)


class Sightline:
    """The client. Settings come from the environment (`SIGHTLINE_REDIS_URL`, ...) unless given.

    With `url` it goes through the HTTP API at that address, and needs no Redis: `api_key` is an operator's to submit,
    a viewer's to ask; without one, `SIGHTLINE_API_KEY` is. Without `url` jobs go straight to Redis, and only questions
    (`passages`, `findings`, `cameras`, `audit`) to the API, at `SIGHTLINE_API_URL`.

    Safe to use from several threads and after a fork, and may be pickled, with its key: each process opens connections
    of its own. Use it as a context manager, or call `close`.

    Raises:
        TypeError: `settings` are none, or given beside `url`.
        BadMessageError: `url` is none.
    """

    def __init__(self, settings: Settings | None = None, *, url: str | None = None, api_key: str | None = None) -> None:
        _check_arguments(settings, url, api_key)
        self.is_over_http = url is not None
        if url is not None:
            check_address(url)
        self.settings = settings or load_settings(**_named(api_url=url, api_key=api_key))
        self._opened: dict[tuple[int, str], Any] = {}

    def submit(
        self,
        *images: Image,
        text: str | Sequence[str] = (),
        sound: Image | Sequence[Image] = (),
        pipeline: Pipeline | str = DEFAULT,
        lane: Lane | str = Lane.INTERACTIVE,
        source_id: str = "python",
        captured_at: datetime | None = None,
        sequence: bool = False,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> SubmittedJob:
        """Submit encoded images (JPEG, PNG, WebP; with the extra `pictures` also HEIC, AVIF, TIFF, BMP, GIF and JPEG
        2000), as paths, bytes or open binary files, as one job; or a `text` or several, or a `sound`, for a pipeline
        that takes such. Where its items have several parts, all is one item: a question, a picture and a recording.

        A file is read as what the pipeline takes: text or sound where it takes no pictures, and text where it is
        called so (`letter.txt`).

        An image was taken when `captured_at` says; else when its camera says, in its EXIF; else now.
        `sequence`: the images follow each other, and all others of this source that were submitted so, in the order of
        their times, as pictures of one camera do. Without it each image stands alone, unless its EXIF shows a burst.

        The ids come from the content: submitting the same images again gives the same job and adds nothing. Of a
        pipeline that answers, each is a new job, unless both have one `idempotency_key`. `options` say how a pipeline
        is to work on them, where it has such.

        Raises:
            TypeError: an image is none of these, such as an array or a list of images.
            OSError: there is no file at that path, or it cannot be read.
            BadImageError: an image is empty, damaged, too large or of another format.
            BadMessageError: a name is wrong (pipeline, lane, source), an image is a URL, or the API refuses the key.
            BacklogFullError, BrokerUnavailableError, StoreUnavailableError: try again later, with the same images.
        """
        settings = None if self.is_over_http else self.settings  # the API looks at pictures itself
        limits = settings and ImageLimits.of(settings)
        spec = registry().find(pipeline)  # None: the API knows it
        files = [_new_item(image, spec.accepts if spec else ("image",), limits, captured_at) for image in images]
        items: list[NewItem] = [*files, *_new_texts(text, captured_at), *_new_sounds(sound, captured_at)]
        job, pixels = make_job(
            items,
            settings,
            pipeline=pipeline,
            lane=lane,
            source_id=source_id,
            sequence=sequence_of(items, is_said=sequence),
            options=options,
            idempotency_key=idempotency_key,
        )
        notes = notes_on(items, job)
        job, said = self._jobs.accept(job, pixels, idempotency_key)
        return SubmittedJob(job, self, (*notes, *said))

    def submit_many(
        self, inputs: Iterable[Any], *, at_once: int = 32, timeout_s: float = 600.0, **how: Any
    ) -> Iterator[Done]:
        """Submit much and wait for it, `at_once` of it at a time, each in a thread; how each ended, in their order.

        One that fails has an `error` and is no end of the others. Where the backlog is full it waits for room. Who
        stops to listen submits no more; jobs that were begun go on.

        Args:
            inputs: an image each, or the arguments of `submit` by name, as `{"text": "…"}`.
            timeout_s: to wait for each.
            how: what all have in common, as `pipeline="chat"`.

        Raises TypeError: `submit` has no argument of a name in `how`; nothing is submitted.
        """
        return submit_many(self, inputs, at_once=at_once, timeout_s=timeout_s, how=how)

    def wait(self, job_id: str, timeout_s: float = 30.0) -> JobResult:
        """The result of a job by its id; see `SubmittedJob.wait`.

        Raises BadMessageError over HTTP, if there is no such job. (Redis alone does not know.)
        """
        result = self._jobs.wait(job_id, timeout_s)
        if result is None:
            raise self._jobs.timed_out(job_id, timeout_s)
        return result

    def stream(self, job_id: str, last_id: str = "0", *, silent_s: float = 60.0) -> Iterator[StreamEvent]:
        """Listen to a job: events until the one with its result. To go on after a break, give the last `event.id`.

        Raises WaitTimeoutError after `silent_s` of silence; the job goes on.
        """
        event = None
        for event in self._jobs.stream(job_id, last_id, silent_s):
            yield event
        if not (event and event.result):
            raise self._jobs.timed_out(job_id, silent_s)

    def cancel(self, job_id: str) -> bool:
        """Have a job dropped as `cancelled`: what waits is not begun, what is worked on ends at its next step.

        Its result says how it ended: what was being written is `stored` all the same. Cancelling twice does no harm.

        Returns False if there is nothing to cancel: the job ended before, or there never was one with this id.

        Raises BrokerUnavailableError: it is not known to be cancelled; try again.
        """
        return self._jobs.cancel(job_id)

    def passages(
        self,
        text: str | None = None,
        *,
        like: float | None = None,
        likely: bool = False,
        on_list: str | None = None,
        country: str | None = None,
        zone: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> Iterator[Passage]:
        """Vehicles that passed, the newest first: at most `limit`, fetched page by page as they are needed.

        Args:
            text: a plate in any spelling; `*` stands for any characters, `?` for one.
            like: plates that differ from `text` by so much, at most 2, the likeliest first, at most 1,000.
            likely: plates that may be `text`, in which `?` stands for one character, by what was read and what else
                was thought of: the likeliest first, at most 1,000.
            on_list: only those on this list of known plates.
            country: only those likely of it, as `sk` or `us-tx`. Neither is for `like` and `likely`.
            zone: only those that were read in this zone of their camera.
            since, until: from then on, before then: a time with its zone, or as text (`15m`, `1h`, `2d`, RFC 3339).

        Raises:
            BadMessageError: an argument is wrong, or the key may not ask.
            BrokerUnavailableError, StoreUnavailableError: the API does not answer, or has no database.
        """
        path = passages_path(text, like, likely=likely)
        query = {"text": text, "list": on_list, "country": country, "zone": zone, "max_distance": like}
        rows = self._api.items(path, query | {"source": source} | range_of(since, until), limit=limit)
        return map(Passage.model_validate, rows)

    def export_passages(
        self,
        to: str | Path | IO[bytes],
        text: str | None = None,
        *,
        form: str | None = None,
        on_list: str | None = None,
        country: str | None = None,
        zone: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = None,
    ) -> None:
        """Write the passages that `passages` would give, all of them unless there is a `limit`, for a spreadsheet.

        `to` is a path, whose file is replaced when the new one is complete, or a file that is open for bytes. `form` is
        `csv` or `xlsx`; without it the name of the file says so. Raises as `passages` does.
        """
        query = {"text": text, "list": on_list, "country": country, "zone": zone, "source": source, "limit": limit}
        query |= {"format": form_of(to, form), **range_of(since, until)}
        write_export(self.settings, to, query)

    def correct_passage(self, passage_id: str, text: str | None) -> Passage:
        """Say what plate a passage has, in any spelling; None takes that back. Needs an operator's key.

        What was read stays in its `correction`, and later readings do not change what was said. Raises as `passages`
        does; BadMessageError too if there is no such passage.
        """
        path = f"/passages/{quote(passage_id, safe='')}"
        return Passage.model_validate(self._api.call("PATCH", path, json={"text": text}))

    def findings(
        self,
        pipeline: str | None = None,
        *,
        kind: str | None = None,
        job_id: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> Iterator[Finding]:
        """What pipelines found that is no passage, detection or reading, the newest first, as `passages` gives it.

        Of one `pipeline`, one `kind` (field of its results), one job or one source, or of all. Raises as `passages`
        does.
        """
        query = {"pipeline": pipeline, "kind": kind, "job": job_id, "source": source, **range_of(since, until)}
        return map(Finding.model_validate, self._api.items("/findings", query, limit=limit))

    def cameras(self) -> list[Camera]:
        """Cameras and how they do. Raises as `passages` does."""
        return [Camera.model_validate(camera) for camera in self._api.call("GET", "/cameras")["items"]]

    def audit(self, since: Moment | None = None, until: Moment | None = None) -> Audit:
        """Whether every published frame is stored, dropped, dead or open: of all time, or of those published between
        two times, in whole hours. Raises as `passages` does."""
        return Audit.model_validate(self._api.call("GET", "/audit", query=range_of(since, until)))

    def close(self) -> None:
        """What another process opened, from which this one was forked, is left to it."""
        for process, name in list(self._opened):
            opened = self._opened.pop((process, name))
            if process == os.getpid():
                opened.close()

    @property
    def publisher(self) -> Publisher:
        """Of a client that is not over HTTP."""
        return self._jobs.publisher

    @property
    def _jobs(self) -> Any:
        if self.is_over_http:
            from sightline.client.over_http import OverHttp as Over
        else:
            from sightline.client.over_redis import OverRedis as Over
        return self._own("jobs", Over)

    @property
    def _api(self) -> ApiClient:
        return self._own("api", ApiClient)

    def _own(self, name: str, open_: Callable[[Settings], Opened]) -> Opened:
        """What is this process's own. What a parent opened is not touched, not even to be closed."""
        key = (os.getpid(), name)
        return self._opened.get(key) or self._opened.setdefault(key, open_(self.settings))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": {}}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_arguments(settings: object, url: object, api_key: object) -> None:
    if settings is not None and not isinstance(settings, Settings):
        cure = f"; of an API write Sightline(url={settings!r})" if isinstance(settings, str) else ""
        raise TypeError(f"settings: {kind_of(settings)}; they come from sightline.load_settings(){cure}")
    for name, value in (("url", url), ("api_key", api_key)):
        if not isinstance(value, str | None):
            raise TypeError(f"{name}: {kind_of(value)}; it is a text")
    if settings is not None and (url is not None or api_key is not None):
        raise TypeError("url, api_key: not beside settings, which have them as api_url and api_key")
    if api_key is not None and url is None:
        raise TypeError("api_key: of which API? give its url too, or set SIGHTLINE_API_KEY")


def _named(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _new_item(
    given: Image, accepts: Sequence[Medium], limits: ImageLimits | None, captured_at: datetime | None
) -> NewItem:
    """What was given as an image, as the medium that the pipeline takes."""
    data, name = read_image(given)
    if "text" in accepts and (Path(name).suffix.lower() in TEXT_SUFFIXES or not {"image", "audio"} & set(accepts)):
        at, source = _time_of(captured_at)
        return NewText(decode_text(data, name or "text"), at, name, time_from=source)
    if "audio" in accepts and "image" not in accepts:
        return _new_sounds([given if isinstance(given, str | Path) else data], captured_at)[0]
    return NewFrame.photo(data, name, limits=limits, captured_at=captured_at)


def _new_texts(text: str | Sequence[str], captured_at: datetime | None) -> list[NewText]:
    texts = [text] if isinstance(text, str) else list(text)
    wrong = next((one for one in texts if not isinstance(one, str)), None)
    if wrong is not None:
        raise TypeError(f"text: {type(wrong).__name__}; each is a str")
    at, source = _time_of(captured_at)
    return [NewText(one, at, time_from=source) for one in texts]


def _new_sounds(sound: Image | Sequence[Image], captured_at: datetime | None) -> list[NewSound]:
    sounds = sound if isinstance(sound, list | tuple) else [sound]
    at, source = _time_of(captured_at)
    return [NewSound(data, at, name, time_from=source) for data, name in map(read_image, sounds)]


def _time_of(captured_at: datetime | None) -> tuple[datetime, TimeFrom]:
    return (datetime.now(UTC), "received") if captured_at is None else (captured_at, "caller")
