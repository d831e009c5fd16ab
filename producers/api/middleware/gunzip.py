"""A gzip body on its way in, opened as it comes and never further than it may be large."""

from __future__ import annotations

import zlib
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS


class NotGzipError(Exception):
    """The bytes are no gzip, or end too early."""


class Gunzip:
    """`most`: no more bytes than this, and one that shows that there would be, are made of all that comes."""

    def __init__(self, most: int) -> None:
        self._left = most + 1
        self._stream = zlib.decompressobj(_GZIP)

    def open(self, data: bytes, *, is_last: bool) -> bytes:
        """What these bytes hold.

        Raises:
            NotGzipError: they are no gzip; the last ones are not the end of it, or go on behind it.
        """
        opened = b""
        try:
            if self._left:  # zlib takes 0 for no limit
                opened = self._stream.decompress(data, self._left)
        except zlib.error as error:
            raise NotGzipError(str(error)) from error
        self._left -= len(opened)
        if self._stream.unused_data or (is_last and self._left and not self._stream.eof):
            raise NotGzipError("cut off, or something follows its end")
        return opened
