"""Behind nginx, under a path: with the configuration of the documentation, and with the prefix left on."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sightline.settings import Settings
from tests.conftest import free_port
from tests.integration.api.uploading import jpeg

ROOT = Path(__file__).parents[3]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
CONFIG = """
daemon off; worker_processes 1; user {user}; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"url_prefix": "/sightline"})


@pytest.fixture(params=["taken off", "left on"])
def outside(request: pytest.FixtureRequest, api_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of nginx, whose `location` is that of the documentation."""
    (location, *_) = locations()
    location = location.replace("http://127.0.0.1:8080/", f"{api_url}/" if request.param == "taken off" else api_url)
    with nginx(location, tmp_path / "nginx") as url:
        yield url


def locations() -> list[str]:
    return re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/reference/api.md").read_text("utf-8"), re.DOTALL)


@contextmanager
def nginx(location: str, folder: Path) -> Iterator[str]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    folder.mkdir()
    (folder / "nginx.conf").write_text(
        CONFIG.format(user=getpass.getuser(), folder=folder, port=port, location=location)
    )
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{url}/sightline/healthz", trust_env=False)
            break
        except httpx.ConnectError:
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(10)


def test_everything_leads_there(outside: str, operator_key: str) -> None:
    with httpx.Client(base_url=outside, trust_env=False) as client:
        asked = client.get("/sightline/")
        assert (asked.status_code, asked.headers["location"]) == (303, "/sightline/login")
        entered = client.post("/sightline/login", data={"key": operator_key})
        assert (entered.status_code, entered.headers["location"]) == (303, "/sightline/")
        assert "Path=/sightline;" in entered.headers["set-cookie"]
        for page in ("/sightline/", "/sightline/plates", "/sightline/docs", "/sightline/login"):
            text = client.get(page).text
            links = set(re.findall(r'(?:href|src|action)="([^"#]+)"', text))
            assert links
            for link in links:
                found = client.get(link)
                assert found.status_code in (200, 405), (page, link)  # 405: what a form is sent to
        document = client.get("/sightline/openapi.json").json()
        assert document["servers"] == [{"url": "/sightline"}]
        assert f"{outside}/sightline/v1/jobs" in client.get("/sightline/docs").text
        headers = {"X-API-Key": operator_key}
        sent = client.post("/sightline/v1/jobs", files={"files": ("car.jpg", jpeg())}, headers=headers)
        assert sent.status_code == 202
        for link in (sent.headers["location"], *sent.json()["links"].values()):
            assert client.get(link.replace("wait=30", "wait=0")).json()["job_id"] == sent.json()["job_id"]
        camera = {"camera_id": "gate", "url": "rtsp://127.0.0.1/none", "enabled": False}
        made = client.post("/sightline/v1/cameras", json=camera, headers=headers)
        assert client.get(made.headers["location"]).json()["camera_id"] == "gate"
        assert client.get("/sightline/v1/jobs/").headers["location"] == f"{outside}/sightline/v1/jobs"
        left = client.post("/sightline/logout")
        assert left.headers["location"] == "/sightline/login"
        assert client.get("/sightline/").headers["location"] == "/sightline/login"


def test_without_the_proxy_it_is_found_as_before(api_url: str, operator_key: str) -> None:
    assert httpx.get(f"{api_url}/healthz", trust_env=False).status_code == 200
    large = httpx.post(
        f"{api_url}/sightline/v1/jobs",
        headers={"X-API-Key": operator_key},
        files={"files": ("car.jpg", jpeg(1, 2000, 1500))},  # more than the small limit of other paths
        trust_env=False,
    )
    assert large.status_code == 202
