"""Where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from sightline.settings.group import Group, also
from sightline.settings.urls.api import check_api_url
from sightline.settings.urls.database import check_optional_database_url
from sightline.settings.urls.redis import check_broker_url, check_optional_redis_url, check_redis_url


class PlaceSettings(Group):
    """Addresses of what Sightline talks to; what is not given follows from the others."""

    title = "Where things are"

    data_dir: Path = Field(Path("data"), description="Folder of `sightline up`: Redis, database, pictures, `run.env`.")
    redis_url: Annotated[str, AfterValidator(check_redis_url)] = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias=also("REDIS_URL", "REDIS_URL"),
        description="Broker and ledger. Must not evict (`maxmemory-policy noeviction`) and should persist (AOF). "
        "`sentinel://user:password@host,host/0?master=NAME` follows Redis Sentinel, `?prefix=acme:` puts a "
        "prefix before all keys: see `docs/how-to/redis.md`.",
    )
    broker_url: Annotated[str, AfterValidator(check_broker_url)] = Field(
        "",
        description="What carries messages: `amqp://…` for RabbitMQ, or a Redis of its own. Empty: `redis_url`.",
    )
    frames_url: Annotated[str, AfterValidator(check_optional_redis_url)] = Field(
        "", description="Frame store: `redis://…`, `file:///folder`, `s3://bucket/prefix`. Empty: `redis_url`."
    )
    pictures_url: str = Field(
        "", description="Kept pictures: `file:///folder` or `s3://…`. Empty: `<data_dir>/pictures`."
    )
    database_url: Annotated[str, AfterValidator(check_optional_database_url)] = Field(
        "",
        validation_alias=also("DATABASE_URL", "DATABASE_URL"),
        description="`sqlite:///file`, or `postgresql://user:password@host,host/name`: see `docs/how-to/database.md`. "
        "Empty: SQLite in `<data_dir>/sightline.sqlite3`.",
    )
    installation_id: str = Field(
        "",
        pattern=r"^([0-9A-Za-z_-]{1,64})?$",
        description="Whose Redis `redis_url` has to be, as `python -m storage installation` says it: to one that works "
        "with another database, `sightline submit`, `ask` and the Python client send nothing. `sightline up` writes it "
        "into `run.env`. Empty: those commands ask the database of `database_url`, where `storage` is installed.",
    )
    api_url: Annotated[str, AfterValidator(check_api_url)] = Field(
        "http://127.0.0.1:8080", description="Where the CLI and the Python client find the API."
    )
    api_key: SecretStr = Field(SecretStr(""), description="Key they send to it.")

    @property
    def celery_broker_url(self) -> str:
        return self.broker_url or self.redis_url

    @property
    def frame_store_url(self) -> str:
        return self.frames_url or self.redis_url

    @property
    def frames_are_in_redis(self) -> bool:
        return self.frame_store_url.startswith(("redis", "unix", "sentinel"))

    @property
    def picture_store_url(self) -> str:
        return self.pictures_url or (self.data_dir.resolve() / "pictures").as_uri()

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'sightline.sqlite3'}"
