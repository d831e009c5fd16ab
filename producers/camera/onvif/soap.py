"""Questions to an ONVIF service, with a password as ONVIF wants it: hashed, with the time by the camera's own clock."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import httpx

from producers.camera.onvif.xml import MOST_BYTES, NotXmlError, read_xml, text, texts
from producers.camera.sources.http import any_certificate
from sightline.errors import SourceError

_SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_DIGEST: Final = f"{_SECURITY}-username-token-profile-1.0#PasswordDigest"


class Soap:
    """Asks the services of one camera."""

    def __init__(self, user: str, password: str, *, timeout_s: float) -> None:
        self._user = user
        self._password = password
        self._timeout_s = timeout_s
        self.clock_off: timedelta | None = None  #: how far the camera's clock is ahead of ours; None: it does not say
        self._client = httpx.Client(verify=any_certificate(), trust_env=False, timeout=timeout_s)

    def ask(self, url: str, question: str) -> Element:
        """The body of the answer.

        Raises:
            SourceError: it cannot be had; the text says why, without naming the camera.
        """
        login = httpx.DigestAuth(self._user, self._password) if self._user else None
        envelope = (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
            f"<s:Header>{self._token()}</s:Header><s:Body>{question}</s:Body></s:Envelope>"
        )
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        ends_s = time.monotonic() + 2 * self._timeout_s  # one that sends byte by byte would hold us for ever
        try:
            with self._client.stream("POST", url, content=envelope.encode(), headers=headers, auth=login) as response:
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > MOST_BYTES:
                        raise SourceError("its answer is too long for ONVIF")
                    if time.monotonic() > ends_s:
                        raise httpx.ReadTimeout("its answer does not end")
                return self._answer(response.status_code, bytes(data))
        except httpx.TimeoutException as error:
            raise SourceError("it does not answer questions; is ONVIF on in its settings?") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(
                f"nothing there speaks ONVIF ({error}); is it on in its settings, and the port right?"
            ) from error

    def close(self) -> None:
        self._client.close()

    def _answer(self, status: int, data: bytes) -> Element:
        try:
            answer = read_xml(data)
        except NotXmlError as error:
            if status == 401:
                raise SourceError(self._refused()) from error
            raise SourceError(f"nothing there speaks ONVIF (status {status}); is it on in its settings?") from error
        fault = answer.find(".//{*}Fault")
        if status == 401 or (fault is not None and "NotAuthorized" in " ".join(texts(fault, "Value"))):
            raise SourceError(self._refused())
        if fault is not None:
            raise SourceError(f"it answers: {(text(fault, 'Text') or text(fault, 'faultstring') or 'a fault')[:200]}")
        return answer

    def _refused(self) -> str:
        if not self._user:
            return "it wants a user name and a password to tell its streams"
        clock = "" if self.clock_off is not None else ", or its clock, which it does not tell, is wrong"
        return f"user name or password is wrong{clock}; many cameras have users for ONVIF of their own, in its settings"

    def _token(self) -> str:
        if not self._user:
            return ""
        nonce = secrets.token_bytes(16)
        created = (datetime.now(UTC) + (self.clock_off or timedelta())).strftime("%Y-%m-%dT%H:%M:%SZ")
        hashed = hashlib.sha1(nonce + created.encode() + self._password.encode()).digest()  # noqa: S324 - ONVIF's
        return (
            f'<Security xmlns="{_SECURITY}-wssecurity-secext-1.0.xsd" s:mustUnderstand="1"><UsernameToken>'
            f"<Username>{escape(self._user)}</Username>"
            f'<Password Type="{_DIGEST}">{base64.b64encode(hashed).decode()}</Password>'
            f"<Nonce>{base64.b64encode(nonce).decode()}</Nonce>"
            f'<Created xmlns="{_SECURITY}-wssecurity-utility-1.0.xsd">{created}</Created></UsernameToken></Security>'
        )
