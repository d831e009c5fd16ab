"""XML of strangers: small, and without what makes parsers read files or eat memory."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

MOST_BYTES: Final = 1_000_000


class NotXmlError(ValueError):
    """It is none, or none that is read."""


def read_xml(data: bytes) -> Element:
    """Raises `NotXmlError`."""
    if len(data) > MOST_BYTES:
        raise NotXmlError(f"more than {MOST_BYTES} bytes")
    try:
        return defusedxml.ElementTree.fromstring(data)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise NotXmlError(str(error)) from error


def texts(element: Element, name: str) -> list[str]:
    """Of all elements of this name below, whatever their namespace."""
    return [(found.text or "").strip() for found in element.iterfind(f".//{{*}}{name}")]


def text(element: Element, name: str) -> str | None:
    """Of the first one; None: there is none, or it is empty."""
    return next(iter(texts(element, name)), None) or None
