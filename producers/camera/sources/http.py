"""HTTP as cameras speak it: basic or digest, no true certificates, redirects that are checked before they are followed.

FFmpeg could do HTTP itself, but goes wherever it is sent, from each playlist and redirect, this machine included.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Mapping
from typing import Final

import httpx

from producers.camera.sources.reach import Reach
from producers.camera.sources.source import SourceOptions
from sightline.errors import SourceError
from sightline.redaction import redact_text, redact_url
from sightline.video.words import explain_status

_MAX_REDIRECTS: Final = 5
_HEADERS: Final = {"User-Agent": "Sightline", "Accept": "*/*", "Accept-Encoding": "identity"}


class CameraHttp:
    """What is fetched for one camera. Names are resolved once, and connected to are the addresses that were checked."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        """Raises `SourceError`: the host is not known, or must not be a camera."""
        try:
            written = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise SourceError(f"{redact_url(url)}: {redact_text(str(error))}") from error
        self._reach = Reach(written, allow_private=options.allow_private)
        self._written = written
        self._login = _Login(written.username, written.password) if written.userinfo else None
        timeout = httpx.Timeout(options.read_timeout_s, connect=options.open_timeout_s)
        self._client = httpx.Client(verify=any_certificate(), trust_env=False, timeout=timeout)

    def get(self, url: str | None = None, headers: Mapping[str, str] | None = None) -> tuple[httpx.Response, str]:
        """The answer, its body not read yet, and where redirects led. `url` of None: the camera's.

        Raises:
            SourceError: it has another status, leads where it must not, or cannot be had; the text says why.
            TimeoutError: nothing came for too long.
            OSError: no connection.
        """
        target = self._written if url is None else httpx.URL(url)
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                response = self._get_once(target, headers or {})
                if not response.has_redirect_location:
                    return self._accepted(response, target), str(target.copy_with(username="", password=""))
                response.close()
                target = target.join(response.headers["location"])
        except httpx.InvalidURL as error:
            raise SourceError(f"{self._shown}: it leads to no URL: {redact_text(str(error))}") from error
        raise SourceError(f"{self._shown}: more than {_MAX_REDIRECTS} redirects")

    def close(self) -> None:
        self._client.close()

    @property
    def _shown(self) -> str:
        return redact_url(str(self._written))

    def _get_once(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        addresses = self._reach.addresses_of(url)
        login = self._login if self._reach.is_written(url) else None
        host = {"Host": url.netloc.decode("ascii").rpartition("@")[2]}
        extensions = {"sni_hostname": url.raw_host.decode("ascii")} if url.scheme == "https" else {}
        for address in addresses:
            target = url.copy_with(host=str(address), username="", password="", fragment=None)
            request = self._client.build_request(
                "GET", target, headers={**_HEADERS, **host, **headers}, extensions=extensions
            )
            try:
                return self._client.send(request, stream=True, auth=login)
            except httpx.TimeoutException as error:
                raise TimeoutError from error
            except httpx.ConnectError as error:
                if address == addresses[-1]:
                    raise _as_os_error(error) from error
            except httpx.HTTPError as error:
                raise SourceError(f"{self._shown}: what comes from there is no HTTP: {error}") from error
        raise AssertionError("a host without an address")

    def _accepted(self, response: httpx.Response, url: httpx.URL) -> httpx.Response:
        if response.status_code in (200, 206, 304, 416):
            return response
        response.close()
        where = "" if url == self._written else f" (at {redact_url(str(url))})"
        words = explain_status(response.status_code, has_password=self._login is not None)
        raise SourceError(f"{self._shown}: {words}{where}")


class HttpFile:
    """The body of an answer, as FFmpeg reads a file. Where the server gives parts of files, it may be sought in.

    Its methods raise what `CameraHttp.get` raises.
    """

    name: str  #: the URL that redirects led to, without credentials
    headers: httpx.Headers  #: of the newest answer
    status: int

    def __init__(self, http: CameraHttp, url: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Raises as `CameraHttp.get` does."""
        self._http = http
        self._url = url
        self._asks = dict(headers or {})
        self._wanted_at = 0
        self._begin()
        length = self.headers.get("content-length", "")
        self._length = int(length) if length.isdecimal() and self.headers.get("accept-ranges") == "bytes" else None

    def peek(self) -> bytes:
        """What comes next, a byte at least; empty at the end."""
        if self._wanted_at != self._at:
            self.close()
            self._begin()
        while not self._rest:
            part = self._next()
            if part is None:
                return b""
            self._rest = part
        return self._rest

    def read(self, size: int) -> bytes:
        data = self.peek()[:size]
        self._rest = self._rest[len(data) :]
        self._at += len(data)
        self._wanted_at = self._at
        return data

    def seekable(self) -> bool:
        return self._length is not None

    def seek(self, offset: int, whence: int = 0) -> int:
        """As files do. Nothing is asked for before something is read."""
        self._wanted_at = offset + (0, self._wanted_at, self._length or 0)[whence]
        return self._wanted_at

    def tell(self) -> int:
        return self._wanted_at

    def close(self) -> None:
        self._response.close()

    def _begin(self) -> None:
        """Ask for the rest from the wanted place on."""
        at = self._at = self._wanted_at
        part = {"Range": f"bytes={at}-"} if at else {}
        self._response, self.name = self._http.get(self._url, self._asks | part)
        self.status, self.headers = self._response.status_code, self._response.headers
        self._parts = iter(()) if self.status == 416 else self._response.iter_raw()  # 416: behind the end
        self._rest = b""
        if at and self.status == 200:
            self.close()
            raise SourceError(f"{redact_url(self.name)}: it says that it gives parts of files, and does not")

    def _next(self) -> bytes | None:
        """What comes next; None: nothing more."""
        try:
            return next(self._parts, None)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError:  # as FFmpeg takes it: who closes the connection has ended
            return None


class _Login(httpx.DigestAuth):
    """Digest where the camera asks for it, else basic."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(user, password)
        self._basic = httpx.BasicAuth(user, password)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        digest = super().auth_flow(request)
        response = yield next(digest)
        try:
            again = digest.send(response)
        except StopIteration:
            challenges = response.headers.get_list("www-authenticate")
            if response.status_code == 401 and any(one.lower().startswith("basic") for one in challenges):
                yield from self._basic.auth_flow(request)
        else:
            yield again


def _as_os_error(error: Exception) -> OSError:
    """What the system said of a connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause
        cause = cause.__cause__ or cause.__context__
    return OSError(str(error))


def any_certificate() -> ssl.SSLContext:
    """Cameras sign their certificates themselves; FFmpeg does not look at those of rtsps either."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
