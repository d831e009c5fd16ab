"""A path under which a proxy shows the API, such as `/sightline`: links, redirects and cookies lead there too.

A trusted proxy may say which it is; the setting holds for all others. The proxy may take the prefix off or leave it on.
All middleware in between sees paths without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

#: As in the setting. It ends up in links, cookies and redirects: nothing else is believed, not even of a proxy.
_PREFIX: Final = re.compile(r"(/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
#: Home Assistant says where it shows an add-on, in a frame of its own page.
_INGRESS: Final = "x-ingress-path"

_prefix: ContextVar[str] = ContextVar("prefix", default="")
_is_framed: ContextVar[bool] = ContextVar("is_framed", default=False)


def here(path: str) -> str:
    """A path of ours as the client of this request reaches it."""
    return _prefix.get() + path


def is_framed() -> bool:
    """Whether this request's page is shown in a frame of another one on the same origin."""
    return _is_framed.get()


class TakePrefix:
    """ASGI middleware, the outermost one: takes the prefix off the path, if it is there, and remembers it."""

    def __init__(self, app: ASGIApp, prefix: str, is_trusted: Callable[[Scope], bool]) -> None:
        self._app = app
        self._prefix = prefix
        self._is_trusted = is_trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix = self._prefix_of(scope)
            _prefix.set(prefix)
            path: str = scope["path"]
            if path == prefix or path.startswith(f"{prefix}/"):
                scope = {**scope, "path": path.removeprefix(prefix) or "/"}
        await self._app(scope, receive, send)

    def _prefix_of(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        _is_framed.set(False)
        for name in (_INGRESS, "x-forwarded-prefix"):
            said = headers.get(name, "").rstrip("/")
            if said and self._is_trusted(scope) and _PREFIX.fullmatch(said):
                _is_framed.set(name == _INGRESS)
                return said
        return self._prefix


class GivePrefix:
    """ASGI middleware, the innermost one: routes and their URLs have it, as ASGI's `root_path` wants it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = _prefix.get()
        if scope["type"] == "http" and prefix:
            scope = {**scope, "path": prefix + scope["path"], "root_path": prefix}
        await self._app(scope, receive, send)
