"""The address of the API."""

from __future__ import annotations

from urllib.parse import urlsplit


def check_api_url(url: str) -> str:
    """Raises ValueError: with what is right."""
    form = "expected http://host:8080"
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        raise ValueError(f"the host or the port cannot be read; {form}") from None
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(f"no address of an API; {form}")
    return url
