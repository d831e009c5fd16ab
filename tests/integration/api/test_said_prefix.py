"""A prefix that a proxy says, as nginx with one line more, and as Home Assistant shows add-ons (ingress)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sightline.settings import Settings
from tests.integration.api.test_prefix import locations, nginx

INGRESS = "/api/hassio_ingress/dG9rZW4_x-1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"trusted_proxies": "127.0.0.1", "url_prefix": "/otherwise"})


@pytest.fixture
def behind_nginx(api_url: str, tmp_path: Path) -> Iterator[str]:
    """Under two paths, the one of the documentation and a longer one."""
    (_, location) = locations()
    location = location.replace("http://127.0.0.1:8080", api_url)
    with nginx(location + location.replace("/cars", "/cars/at/home"), tmp_path / "nginx") as url:
        yield url


def links_of(text: str) -> set[str]:
    return set(re.findall(r'(?:href|src|action|data-[a-z]+)="(/[^"#]*)"', text))


@pytest.mark.parametrize("prefix", ["/cars", "/cars/at/home"])
def test_all_leads_where_nginx_says(behind_nginx: str, operator_key: str, prefix: str) -> None:
    with httpx.Client(base_url=behind_nginx, trust_env=False) as client:
        assert client.get(f"{prefix}/").headers["location"] == f"{prefix}/login"
        entered = client.post(f"{prefix}/login", data={"key": operator_key})
        assert entered.headers["location"] == f"{prefix}/"
        assert f"Path={prefix};" in entered.headers["set-cookie"]
        for page in ("/", "/plates", "/docs"):
            found = client.get(prefix + page)
            links = links_of(found.text)
            assert links
            for link in links:
                assert f"{link}/".startswith(f"{prefix}/")
                assert client.get(link).status_code in (200, 405)
            assert found.headers["x-frame-options"] == "DENY"
        assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": prefix}]


def test_as_ingress_of_home_assistant(api_url: str, operator_key: str) -> None:
    """The supervisor takes its path off, says it, and shows the page in a frame."""
    headers = {"X-Ingress-Path": INGRESS, "X-Forwarded-For": "192.168.1.7", "X-Remote-User-Name": "ada"}
    with httpx.Client(base_url=api_url, headers=headers, trust_env=False) as client:
        asked = client.get("/")
        assert asked.headers["location"] == f"{INGRESS}/login"
        assert asked.headers["x-frame-options"] == "SAMEORIGIN"
        entered = client.post("/login", data={"key": operator_key})
        assert f"Path={INGRESS};" in entered.headers["set-cookie"]
        cookie = entered.headers["set-cookie"].partition(";")[0]
        page = client.get("/", headers={"Cookie": cookie})
        assert page.status_code == 200
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
        assert links_of(page.text)
        assert all(f"{link}/".startswith(f"{INGRESS}/") for link in links_of(page.text))
        # No prefix of this request is left for the next one.
        assert client.get("/", headers={"X-Ingress-Path": ""}).headers["location"] == "/otherwise/login"
        assert client.get("/healthz", headers={"X-Ingress-Path": ""}).headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "said", ["//evil.example", "https://evil.example", "/a/../..", "/a;Domain=b", "/a b", "/a, /b", "javascript:x", "/"]
)
@pytest.mark.parametrize("name", ["X-Forwarded-Prefix", "X-Ingress-Path"])
def test_what_is_no_path_is_not_believed(api_url: str, name: str, said: str) -> None:
    found = httpx.get(api_url, headers={name: said}, trust_env=False)
    assert (found.headers["location"], found.headers["x-frame-options"]) == ("/otherwise/login", "DENY")


class TestOfOthers:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"trusted_proxies": "10.0.0.1", "loopback_viewer": False})

    @pytest.mark.parametrize("name", ["X-Forwarded-Prefix", "X-Ingress-Path"])
    def test_nothing_is_believed(self, api_url: str, name: str) -> None:
        found = httpx.get(api_url, headers={name: "/evil"}, trust_env=False)
        assert (found.headers["location"], found.headers["x-frame-options"]) == ("/otherwise/login", "DENY")
