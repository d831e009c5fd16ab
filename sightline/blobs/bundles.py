"""Bundles as one object: what one job put, with an index in front."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from sightline.blobs.names import FRAMES, PARTS, checked
from sightline.blobs.store import FrameStore


def with_others(store: FrameStore, found: Mapping[str, bytes], keys: Sequence[str]) -> list[bytes | None]:
    missing = [key for key in keys if key not in found]
    others = dict(zip(missing, store.get_many(missing), strict=True)) if missing else {}
    return [found[key] if key in found else others[key] for key in keys]


def by_themselves(name: str, keys: Sequence[str]) -> Sequence[str]:
    """What may lie outside its bundle: frames, as other producers put them, and what branches and shards put down.

    What a stage leaves for the next never does.
    """
    return keys if name.endswith((FRAMES, PARTS)) else ()


def packed(pixels: Mapping[str, bytes]) -> list[bytes]:
    """A bundle in one object: a line of JSON with the sizes by key, then the bytes in that order."""
    sizes = {checked(key): len(data) for key, data in pixels.items()}
    return [json.dumps(sizes).encode() + b"\n", *pixels.values()]


def unpacked(file: BinaryIO, keys: Sequence[str] | None) -> dict[str, bytes]:
    """What is there of these keys; None: all."""
    sizes: dict[str, int] = json.loads(file.readline())
    found: dict[str, bytes] = {}
    for key, size in sizes.items():
        if keys is None or key in keys:
            found[key] = file.read(size)
        else:
            file.seek(size, os.SEEK_CUR)
    return found
