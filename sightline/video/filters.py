"""Pictures as people see them: upright, and whole where a camera sent every other line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import av.error
from av.filter import Graph

#: By the degrees, counterclockwise, that a file says its pictures must be turned by.
_TURNS: Final = {90: ("transpose=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=clock",)}


class Turn:
    """Turns pictures by quarters. Its filters are made once for each size and format."""

    def __init__(self) -> None:
        self._made_for: tuple[int, int, str, int] | None = None
        self._graph: Graph | None = None

    def apply(self, frame: av.VideoFrame, degrees: int) -> av.VideoFrame:
        """The picture turned counterclockwise by `degrees`, to the nearest quarter."""
        degrees = round(degrees / 90) * 90 % 360
        if degrees not in _TURNS:
            return frame
        wanted = (*_shape(frame), degrees)
        if self._graph is None or wanted != self._made_for:
            self._made_for, self._graph = wanted, _graph(frame, *_TURNS[degrees])
        self._graph.vpush(frame)
        return self._graph.vpull()


class Deinterlacer:
    """Puts the two half pictures of an interlaced one together with its neighbors; others pass as they are.

    A picture comes out when the next one is there. Each keeps the `tag` it came with.
    """

    def __init__(self) -> None:
        self._made_for: tuple[int, int, str] | None = None
        self._graph: Graph | None = None
        self._tags: deque[Any] = deque()

    def push(self, frame: av.VideoFrame, tag: Any) -> Iterator[tuple[av.VideoFrame, Any]]:
        """What is ready now."""
        if self._graph is None or _shape(frame) != self._made_for:
            yield from self.flush()
            self._made_for, self._graph = _shape(frame), _graph(frame, "bwdif=mode=send_frame:deint=interlaced")
        self._tags.append(tag)
        self._graph.vpush(frame)
        yield from self._pull(self._graph)

    def flush(self) -> Iterator[tuple[av.VideoFrame, Any]]:
        """What is left: no more pictures come."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.vpush(None)
            yield from self._pull(graph)
        self._tags.clear()

    def _pull(self, graph: Graph) -> Iterator[tuple[av.VideoFrame, Any]]:
        while self._tags:
            try:
                frame = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield frame, self._tags.popleft()


def _shape(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _graph(frame: av.VideoFrame, *filters: str) -> Graph:
    graph = Graph()
    graph.threads = 1  # hundreds of cameras must not start thousands of threads
    time_base = frame.time_base or Fraction(1, 25)
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)]
    nodes += [graph.add(*text.partition("=")[::2]) for text in filters]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph
