"""What one receiver wants otherwise than others: another format, a picture, headers, fewer events."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from sightline.errors import BadMessageError
from sightline.types import Confidence, SourceId, Value
from sightline.wire.events import PASSAGE_EVENTS, Event, SinkKind

#: `plate-recognizer`: webhooks as Plate Recognizer's Stream sends them; `frigate`: MQTT topics as Frigate has them.
Format = Literal["sightline", "plate-recognizer", "frigate"]
_FORMAT_OF: Final[Mapping[Format, SinkKind]] = {
    "plate-recognizer": SinkKind.WEBHOOK,
    "frigate": SinkKind.MQTT,
}
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
#: They say what the body is and who signed it.
_OURS: Final = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})
_SIGNED: Final = "webhook-"


class SinkOptions(Value):
    """What is not said is as it is for every sink."""

    format: Format = "sightline"
    picture: Literal["none", "crop", "frame"] = "none"  #: sent with each event of a passage
    #: Sent with each request of a webhook, as `Authorization`. Values are never shown.
    headers: Annotated[dict[str, SecretStr], Field(max_length=32)] = Field(default_factory=dict[str, SecretStr])
    previous_secret: SecretStr | None = None  #: webhooks are signed with it too, while a secret is changed
    #: Only passages whose plate is on one of these lists; none: whether it is on a list or not.
    lists: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=32)] = ()
    min_confidence: Confidence = 0.0  #: only passages that are at least so sure; told once they are
    #: Only passages that were read in one of these zones, and frames with something in one; none: wherever it is.
    zones: Annotated[tuple[SourceId, ...], Field(max_length=32)] = ()
    #: Files on the machine of the deliver process, in PEM: whom to trust, and who we are.
    ca_file: Annotated[str, Field(max_length=1024)] | None = None
    cert_file: Annotated[str, Field(max_length=1024)] | None = None
    key_file: Annotated[str, Field(max_length=1024)] | None = None

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is no name of a header; give one such as Authorization")
            if name.lower() in _OURS or name.lower().startswith(_SIGNED):
                raise ValueError(f"{name}: said by Sightline itself; leave it out")
            text = value.get_secret_value()
            if len(text) > 4096 or not all(" " <= char <= "~" for char in text):
                raise ValueError(f"{name}: its value must be at most 4096 printable characters of ASCII")
        return headers

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file: of which certificate? give cert_file too")
        return self

    def check(self, kind: SinkKind, *, uses_tls: bool) -> None:
        """Raises ValueError where a sink of this kind cannot do that."""
        wanted = _FORMAT_OF.get(self.format, kind)
        if wanted is not kind:
            raise ValueError(f"format: {self.format} is one of {wanted} sinks; this is {kind}")
        if self.headers and kind is not SinkKind.WEBHOOK:
            raise ValueError(f"headers: webhooks have such; this is {kind}")
        if (self.ca_file or self.cert_file) and not uses_tls:
            raise ValueError("ca_file, cert_file: for https, mqtts and kafkas; the URL says otherwise")

    def check_events(self, events: Collection[Event]) -> None:
        """Raises BadMessageError: it chooses, or sends, what none of these events has, and would change nothing."""
        of_passages, of_zones = set(PASSAGE_EVENTS), {*PASSAGE_EVENTS, Event.FRAME_STORED}
        meant = {
            "lists": (bool(self.lists), of_passages),
            "min_confidence": (bool(self.min_confidence), of_passages),
            "picture": (self.picture != "none", of_passages),
            "format": (self.format == "frigate", of_passages),
            "zones": (bool(self.zones), of_zones),
        }
        for name, (is_given, of) in meant.items():
            if is_given and not of & set(events):
                raise BadMessageError(
                    f"options.{name}: this sink gets {', '.join(events)}, which has no such; leave it out, or let it "
                    f"get {' or '.join(event for event in Event if event in of)} too",
                    field=f"options.{name}",
                )

    def wants(self, data: Mapping[str, Any], over: float | None) -> bool:
        """Whether it wants an event with this data. `over`: how sure its passage was when it was told before."""
        if self.zones and not _is_in(data, self.zones):
            return False
        if "passage_id" not in data:
            return True
        if self.lists and (data["match"] or {}).get("list") not in self.lists:
            return False
        if data["confidence"] < self.min_confidence:
            return False
        return over is None or over < self.min_confidence

    def stored(self) -> dict[str, Any]:
        """As JSON, with what is secret."""
        secret = {"headers": {name: value.get_secret_value() for name, value in self.headers.items()}}
        if self.previous_secret:
            secret |= {"previous_secret": self.previous_secret.get_secret_value()}
        return {name: value for name, value in (self.model_dump(mode="json") | secret).items() if value}


def _is_in(data: Mapping[str, Any], zones: Collection[str]) -> bool:
    """Whether something that the event tells is in one of these zones; what tells of nothing found is for everybody."""
    if "zones" in data:
        return any(zone in zones for zone in data["zones"])
    if "detections" not in data:
        return True
    return any(found.get("zone") in zones for name in ("detections", "readings") for found in data[name])
