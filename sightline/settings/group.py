"""What the groups of settings have in common: the prefix of their variables, and kinds of values."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "SIGHTLINE_"

Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(ge=0, le=36_500)]


class Group(BaseSettings):
    """Settings that belong together. Whoever needs only these asks for the group, not for all `Settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

    title: ClassVar[str]  #: above their table in the documentation


def also(name: str, other: str) -> AliasChoices:
    """A setting that another variable may give too."""
    return AliasChoices(PREFIX + name, other, name.lower())
