"""The HTTP API, the page, and Flower."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from sightline.settings.group import Count, Group, Seconds

Network = IPv4Network | IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _check_origins(text: str) -> str:
    """Without blanks and slashes at the end, as browsers write origins."""
    origins = [origin.strip().rstrip("/") for origin in text.split(",") if origin.strip()]
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s*@]+", origin):
            raise ValueError(f"{origin!r} is no origin such as https://app.example.org; * is not taken: name them")
    return ",".join(origins)


class ApiSettings(Group):
    """Where the API listens, who may ask, and how much."""

    title = "API"

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
        "Requests from this machine are not limited.",
    )
    rate_limit_burst: Count = Field(500, description="So many may come at once before that.")
    chat_tokens_per_minute: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Tokens a minute of one key, in questions and answers of `chat` and `ask` together; 0: any number. "
        "A key may have a limit of its own: `python -m storage create-key NAME ROLE --tokens-per-minute N`.",
    )
    trusted_proxies: str = Field(
        "",
        description="Proxies in front of the API, as addresses or networks: `127.0.0.1, 10.0.0.0/8`. What they say in "
        "`X-Forwarded-For`, `X-Forwarded-Prefix` and `X-Ingress-Path` is believed, and whoever asks through them is "
        "never taken for this machine.",
    )
    url_fetch_timeout_s: Seconds = Field(5, description="For images submitted by URL.")
    allow_private_urls: bool = Field(False, description="Images by URL, and cameras that redirect, may be private.")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        _networks(text)
        return text

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """`trusted_proxies`, parsed."""
        return _networks(self.trusted_proxies)
