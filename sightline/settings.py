"""One typed Settings object, read once at each entry point.

Every field is an environment variable with the prefix `SIGHTLINE_` (`SIGHTLINE_REDIS_URL`, ...). `REDIS_URL` and
`DATABASE_URL` are honored too. Order: arguments, environment, `<data_dir>/run.env` (written by `sightline up`, so
that the CLI and Python clients on the same machine find it), defaults. Unknown names are refused.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sightline.entry_points import RECOGNIZERS, OneOf
from sightline.errors import SettingsError
from sightline.pipelines import registry

PREFIX = "SIGHTLINE_"

Network = IPv4Network | IPv6Network
Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(ge=0, le=36_500)]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _also(name: str, other: str) -> AliasChoices:
    return AliasChoices(PREFIX + name, other, name.lower())


def _check_origins(text: str) -> str:
    """Without blanks and slashes at the end, as browsers write origins."""
    origins = [origin.strip().rstrip("/") for origin in text.split(",") if origin.strip()]
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s*@]+", origin):
            raise ValueError(f"{origin!r} is no origin such as https://app.example.org; * is not taken: name them")
    return ",".join(origins)


class Settings(BaseSettings):
    """All knobs. `docs/settings.md` is generated from the descriptions here."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

    data_dir: Path = Field(Path("data"), description="Folder of `sightline up`: Redis, database, pictures, `run.env`.")
    worker_name: str = Field("", description="Name written into rows; empty: the Celery node name.")

    # Where things are
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias=_also("REDIS_URL", "REDIS_URL"),
        description="Broker and ledger. Must not evict (`maxmemory-policy noeviction`) and should persist (AOF).",
    )
    broker_url: str = Field(
        "",
        pattern=r"^($|rediss?://|unix://|amqps?://)",
        description="What carries messages: `amqp://…` for RabbitMQ, or a Redis of its own. Empty: `redis_url`.",
    )
    frames_url: str = Field(
        "", description="Frame store: `redis://…`, `file:///folder`, `s3://bucket/prefix`. Empty: `redis_url`."
    )
    pictures_url: str = Field(
        "", description="Kept pictures: `file:///folder` or `s3://…`. Empty: `<data_dir>/pictures`."
    )
    database_url: str = Field(
        "",
        validation_alias=_also("DATABASE_URL", "DATABASE_URL"),
        description="SQLAlchemy URL. Empty: SQLite in `<data_dir>/sightline.sqlite3`.",
    )
    api_url: str = Field("http://127.0.0.1:8080", description="Where the CLI and the Python client find the API.")
    api_key: SecretStr = Field(SecretStr(""), description="Key they send to it.")

    # Delivery
    visibility_timeout_s: Seconds = Field(30, description="A message of a dead worker returns after this long.")
    job_timeout_s: Seconds = Field(
        120, description="A job without progress for this long, and not waiting in a queue, is sent again."
    )
    sweep_interval_s: Seconds = Field(5, description="How often overdue jobs are looked for.")
    max_attempts: Count = Field(5, description="A job sent this often without an end becomes a dead letter.")
    max_open_frames: Count = Field(20_000, description="Frames accepted and not finished, over all sources.")
    max_open_frames_per_source: Count = Field(2_000, description="The same for one source.")
    live_max_open_frames: Count = Field(
        8, description="The same for one live camera: above it new pictures are dropped."
    )
    live_deadline_s: Seconds = Field(5, description="A live frame older than this is dropped instead of processed.")
    frame_ttl_s: Seconds = Field(
        24 * 3600, description="Pixels of an unfinished frame are kept this long in the frame store."
    )
    result_ttl_s: Annotated[float, Field(ge=1)] = Field(
        3600, description="A finished result can be waited for this long; rows stay."
    )

    # What is accepted
    max_image_mb: Seconds = Field(20, description="Largest image file.")
    max_image_mpx: Seconds = Field(50, description="Largest image in megapixels, read from the header before decoding.")
    max_upload_mb: Seconds = Field(64, description="Largest request body; a larger one is refused before it is read.")
    max_files_per_job: Annotated[int, Field(ge=1, le=64)] = Field(64, description="Files in one API request.")

    # Workers
    detect_concurrency: Count = Field(
        16,
        description="Bulk jobs a detect worker holds at once; more fill larger batches. "
        "A quarter more may be held in all, so that other lanes need not wait for bulk. "
        "Of a worker with several roles the largest of these numbers counts.",
    )
    ocr_concurrency: Count = Field(8, description="The same for an OCR worker.")
    write_concurrency: Count = Field(8, description="The same for a database writer.")
    max_batch_size: Count = Field(
        16, description="Images in one model call, at most; four times as many as are in calls are decoded at once."
    )
    max_wait_ms: Milliseconds = Field(0, description="How long a free model waits to fill its batch.")
    model_timeout_s: Seconds = Field(60, description="A model call longer than this ends the worker process.")
    stall_timeout_s: Seconds = Field(
        120, description="A worker that finishes nothing for so long while messages wait ends itself."
    )
    runtime: Literal["auto", "torch", "onnxruntime", "openvino"] = Field("auto", description="What executes models.")
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`.")
    half: bool = Field(True, description="Half precision where the device has it.")
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Threads of a model call; 0: as many as there are cores."
    )
    plates_model: str = Field(
        "plates-detector",
        description="Detector of `plates`, a name of the model registry; `ppocr-text` finds any text.",
    )
    objects_model: str = Field(
        "yolox-s", description="Detector of `objects`; `yolox-nano` is the fastest, `yolox-x` the most accurate."
    )
    text_model: str = Field("ppocr-text", description="Detector of `text`.")
    models_file: Path | None = Field(None, description="A TOML file with models of your own; see `docs/models.md`.")
    models_dir: Path = Field(
        Path.home() / ".cache" / "sightline" / "models",
        description="Downloaded weights; where there is no network, put the files there by hand.",
    )
    offline: bool = Field(False, description="Never download weights.")
    recognizer: Annotated[str, OneOf(("rapidocr", "paddleocr", "stub"), (RECOGNIZERS,))] = Field(
        "rapidocr", description="What reads text; `stub` reads only the synthetic pictures of `sightline.testing`."
    )
    plates_recognizer: Annotated[str, OneOf(("auto", "", "plates", "voted"), (RECOGNIZERS,))] = Field(
        "auto",
        description="What reads the crops of `plates`: `plates`, our own recognizer, which reads whole plates only; "
        "`voted`, it and PP-OCR where it is in doubt. Empty: `recognizer`. `auto`: `voted` with `plates-detector`, "
        "`recognizer` with any other detector.",
    )
    plate_countries: str = Field(
        "",
        description="Countries whose formats decide between characters that look alike (O and 0), such as `sk,cz`. "
        "Empty: a plate must fit no format of any country before a character is changed.",
    )
    paddleocr_dir: Path | None = Field(
        None, description="Folder with `inference.onnx` and `inference.yml` for PaddleOCR."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(0.25, description="Detections below are not kept.")
    min_reading_confidence: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="Readings below are not kept.")

    # Storage
    keep_pictures: Literal["results", "all", "none"] = Field(
        "results",
        description="Which pictures outlive their job. Those of dead letters do unless `none`, for a replay.",
    )
    passage_gap_s: Seconds = Field(10, description="Readings of one plate further apart than this are two passages.")
    parked_gap_s: Annotated[float, Field(ge=0)] = Field(
        600, description="The same for a vehicle that stands still at one place of the picture; 0: no difference."
    )
    keep_results_days: Days = Field(
        365,
        description="Jobs, frames, what was found on them and passages are deleted so long after they were stored; "
        "0: never. See `docs/retention.md`, also for the next three.",
    )
    keep_pictures_days: Days = Field(
        30, description="The same for kept pictures; at the latest they go with their frames. 0: not before."
    )
    keep_dead_letters_days: Days = Field(
        365, description="The same for dead letters nobody took care of, and events given up; 0: never."
    )
    keep_audit_log_days: Days = Field(365, description="The same for entries of the audit log; 0: never.")

    # Sinks
    public_url: str = Field(
        "", description="Where receivers reach the API; put before the links in events. Empty: links are paths."
    )
    delivery_timeout_s: Seconds = Field(10, description="A receiver must have answered within this time.")
    delivery_concurrency: Count = Field(4, description="Sources whose events go to one sink at the same time.")
    delivery_max_attempts: Count = Field(30, description="An event refused this often is given up; it can be replayed.")
    delivery_retry_s: Seconds = Field(1, description="Pause after the first failed attempt; it doubles with each.")
    delivery_max_retry_s: Seconds = Field(3600, description="The longest such pause.")
    delivery_keep_s: Seconds = Field(7 * 24 * 3600, description="Sent events can be replayed for so long.")

    # API
    api_durable: bool = Field(
        True,
        description="Jobs the API accepted outlive the loss of Redis: noted in the database, and, where the frame "
        "store is a Redis, their pixels in the picture store.",
    )
    api_host: str = Field("127.0.0.1", description="Address the API listens on.")
    api_port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="Port of the API.")
    flower_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        5555, description="Port of Flower in `sightline up`; 0: none."
    )
    loopback_viewer: bool = Field(
        True, description="On a loopback address the page and read-only queries need no key. Writing always does."
    )
    url_prefix: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path under which a proxy shows the API and the page, such as `/sightline`; the proxy may take it "
        "off or leave it on. A trusted proxy may say it instead, in `X-Forwarded-Prefix`.",
    )
    cors_origins: Annotated[str, AfterValidator(_check_origins)] = Field(
        "",
        description="Pages on other origins that may call the API from a browser, with a key: "
        "`https://app.example.org,http://localhost:5173`. Empty: none.",
    )
    rate_limit_per_s: Annotated[float, Field(ge=0)] = Field(
        50,
        description="Requests a second of one key, or of one address without a key; 0: any number. "
        "Whoever asks from this machine is not limited.",
    )
    rate_limit_burst: Count = Field(500, description="So many may come at once before that.")
    trusted_proxies: str = Field(
        "",
        description="Proxies in front of the API, as addresses or networks: `127.0.0.1, 10.0.0.0/8`. What they say in "
        "`X-Forwarded-For`, `X-Forwarded-Prefix` and `X-Ingress-Path` is believed, and whoever asks through them is "
        "never taken for this machine.",
    )
    url_fetch_timeout_s: Seconds = Field(5, description="For images submitted by URL.")
    allow_private_urls: bool = Field(False, description="Images by URL, and cameras that redirect, may be private.")

    # Camera process
    camera_tick_ms: Milliseconds = Field(100, description="The newest frames of all cameras of a tick travel together.")
    camera_jpeg_quality: Annotated[int, Field(ge=10, le=100)] = Field(90, description="Quality of published frames.")
    camera_open_timeout_s: Seconds = Field(10, description="Opening a stream may take this long.")
    camera_read_timeout_s: Seconds = Field(10, description="A stream silent for this long is reconnected.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Log level of every process.")

    def concurrency(self, roles: Iterable[str]) -> int:
        """Bulk jobs that a worker process of these roles holds at once; it brings each as far as it can."""
        held = {stage.name: stage.concurrency for stage in registry().stages.values()}
        return max(getattr(self, f"{role}_concurrency", held[role]) for role in roles)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        _networks(text)
        return text

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """`trusted_proxies`, parsed."""
        return _networks(self.trusted_proxies)

    @property
    def celery_broker_url(self) -> str:
        return self.broker_url or self.redis_url

    @property
    def whole_plates_recognizer(self) -> str:
        """What `plates_recognizer` comes to."""
        if self.plates_recognizer != "auto":
            return self.plates_recognizer
        return "voted" if self.plates_model == "plates-detector" else ""

    @property
    def frame_store_url(self) -> str:
        return self.frames_url or self.redis_url

    @property
    def frames_are_in_redis(self) -> bool:
        return self.frame_store_url.startswith(("redis", "unix"))

    @property
    def picture_store_url(self) -> str:
        return self.pictures_url or (self.data_dir.resolve() / "pictures").as_uri()

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'sightline.sqlite3'}"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: naming the variable, its value and what is expected of it.
    """
    _refuse_unknown(os.environ)
    data_dir = Path(overrides.get("data_dir") or os.environ.get(PREFIX + "DATA_DIR") or "data")
    try:
        return Settings(_env_file=data_dir / "run.env", **overrides)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).removeprefix(PREFIX).upper()
        raise SettingsError(f"{name}: {first['msg']} (got {first.get('input')!r}); see docs/settings.md") from error


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for key in environment:
        if key.startswith(PREFIX) and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{key}: unknown setting{hint} (all are listed in docs/settings.md)")
