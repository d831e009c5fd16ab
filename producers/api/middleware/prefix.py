"""A path under which a proxy shows the API, such as `/sightline`: links, redirects and cookies lead there too.

The proxy may take the prefix off or leave it on. All middleware in between sees paths without it.
"""

from __future__ import annotations

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

_prefix: ContextVar[str] = ContextVar("prefix", default="")


def here(path: str) -> str:
    """A path of ours as the client of this request reaches it."""
    return _prefix.get() + path


class TakePrefix:
    """ASGI middleware, the outermost one: takes the prefix off the path, if it is there, and remembers it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _prefix.set(self._prefix)
            path: str = scope["path"]
            if path == self._prefix or path.startswith(f"{self._prefix}/"):
                scope = {**scope, "path": path.removeprefix(self._prefix) or "/"}
        await self._app(scope, receive, send)


class GivePrefix:
    """ASGI middleware, the innermost one: routes and their URLs have it, as ASGI's `root_path` wants it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = _prefix.get()
        if scope["type"] == "http" and prefix:
            scope = {**scope, "path": prefix + scope["path"], "root_path": prefix}
        await self._app(scope, receive, send)
