"""A camera that speaks WS-Discovery and ONVIF, on this machine alone: real UDP multicast and HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD = "onvif", 's3cret & "more"'
_STREAMS = (("sub", "H264", 640, 360, 10), ("main", "H265", 2560, 1440, 25))


@dataclass
class OnvifCamera:
    """`said_host` is where it says that it is. `asked` are the names of the questions that came."""

    clock_off: timedelta = timedelta()
    said_host: str = "192.168.1.108"
    tells_clock: bool = True
    udp_port: int = 0
    http_port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def answer(self, body: str) -> tuple[int, str]:
        question = re.findall(r"<s:Body><(\w+)", body)[0]
        self.asked.append(question)
        if question == "GetSystemDateAndTime":
            return 200, self._clock()
        if not self._may(body):
            fault = "<Fault><Code><Value>s:Sender</Value><Subcode><Value>ter:NotAuthorized</Value></Subcode></Code>"
            return 400, f"{fault}<Reason><Text>Sender not Authorized</Text></Reason></Fault>"
        if question == "GetCapabilities":
            where = f"http://{self.said_host}:{self.http_port}/onvif/media"
            return 200, f"<Capabilities><Media><XAddr>{where}</XAddr></Media></Capabilities>"
        if question == "GetProfiles":
            return 200, "".join(
                f'<Profiles token="{name}"><Name>{name} stream</Name><VideoEncoderConfiguration><Encoding>{codec}'
                f"</Encoding><Resolution><Width>{width}</Width><Height>{height}</Height></Resolution><RateControl>"
                f"<FrameRateLimit>{fps}</FrameRateLimit></RateControl></VideoEncoderConfiguration></Profiles>"
                for name, codec, width, height, fps in _STREAMS
            )
        if question == "GetStreamUri":
            token = re.findall(r"<ProfileToken>(\w+)", body)[0]
            return 200, f"<MediaUri><Uri>rtsp://10.0.0.7:554/{token}</Uri></MediaUri>"
        return 200, "<Manufacturer>Drawn</Manufacturer><Model>C-1</Model>"

    def _clock(self) -> str:
        if not self.tells_clock:
            return "<Nothing/>"
        now = datetime.now(UTC) + self.clock_off
        date = f"<Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day>"
        time = f"<Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second>"
        return f"<UTCDateTime><Time>{time}</Time><Date>{date}</Date></UTCDateTime>"

    def _may(self, body: str) -> bool:
        given = dict(re.findall(r"<(Username|Password|Nonce|Created)\b[^>]*>([^<]*)<", body))
        if given.get("Username") != USER:
            return False
        created = datetime.strptime(given["Created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(created - datetime.now(UTC) - self.clock_off) > timedelta(seconds=5):
            return False
        data = base64.b64decode(given["Nonce"]) + given["Created"].encode() + PASSWORD.encode()
        return given["Password"] == base64.b64encode(hashlib.sha1(data).digest()).decode()


@contextmanager
def onvif_camera(
    camera: OnvifCamera | None = None, *, says: str | None = None, drips: bool = False
) -> Iterator[OnvifCamera]:
    """`says`: what it answers to who searches, instead of what a camera would. `drips`: its answers never end."""
    it = camera = camera or OnvifCamera()
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = it.answer(body)
            envelope = f'<s:Envelope xmlns:s="urn:s" xmlns="urn:x"><s:Body>{answer}</s:Body></s:Envelope>'
            self.send_response(status)
            if drips:
                self.end_headers()
                while not stop.wait(0.05):
                    self.wfile.write(b" ")
            self.send_header("Content-Length", str(len(envelope.encode())))
            self.end_headers()
            self.wfile.write(envelope.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        camera.http_port = server.server_port
        udp.bind(("", 0))
        camera.udp_port = udp.getsockname()[1]
        loopback = socket.inet_aton("127.0.0.1")
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.255.250") + loopback)
        udp.settimeout(0.1)
        threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)),
            threading.Thread(target=_answer_searches, args=(udp, camera, says, stop)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield camera
        finally:
            stop.set()
            server.shutdown()
            for thread in threads:
                thread.join(5)


def _answer_searches(udp: socket.socket, camera: OnvifCamera, says: str | None, stop: threading.Event) -> None:
    where = f"http://{camera.said_host}:{camera.http_port}/onvif/device_service"
    match = (
        '<Envelope xmlns="urn:x"><Body><ProbeMatches><ProbeMatch><Types>dn:NetworkVideoTransmitter</Types><Scopes>'
        "onvif://www.onvif.org/Profile/T onvif://www.onvif.org/name/Drawn%20C-1</Scopes>"
        f"<XAddrs>http://[fe80::1]/onvif/device_service {where}</XAddrs></ProbeMatch></ProbeMatches></Body></Envelope>"
    )
    while not stop.is_set():
        try:
            probe, sender = udp.recvfrom(1 << 16)
        except TimeoutError:
            continue
        if b"NetworkVideoTransmitter" in probe:
            udp.sendto((match if says is None else says).encode(), sender)
