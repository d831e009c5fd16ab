"""The chat page in a real browser, under a proxy's path too: streamed, stopped, and with what is wrong in words."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.acceptance.parts.doors import WORDS, Doors, opened_doors
from tests.integration.api.uploading import jpeg

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="needs chromium")


@pytest.fixture(params=["", "/sightline"])
def prefix(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def doors(tmp_path: Path, redis_url: str, prefix: str) -> Iterator[Doors]:
    with opened_doors(tmp_path, redis_url, url_prefix=prefix) as doors:
        doors.system.start("chat", "write")
        yield doors


@pytest.fixture
def page(doors: Doors, prefix: str) -> Iterator[Page]:
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{doors.url}{prefix}/chat")
        yield page
        browser.close()
    assert complaints == []


def test_a_conversation(page: Page, doors: Doors, tmp_path: Path) -> None:
    said = page.locator("#messages .said")
    page.get_by_label("API key").fill("sl_wrong")
    page.get_by_label("Question").fill("one two")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".error")).to_contain_text("API key: unknown or revoked")

    page.get_by_role("button", name="New conversation").click()
    page.get_by_label("API key").fill(doors.key)
    page.get_by_label("Question").press("Enter")
    expect(said).to_have_text(["one two", "one two"])
    expect(page.get_by_label("Question")).to_have_value("")

    page.get_by_label("Question").fill(WORDS * 5)
    page.get_by_role("button", name="Ask").click()
    expect(said.nth(3)).to_have_text(re.compile("^word0 word1"))  # it comes bit by bit
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".error")).to_have_text("stopped")
    doors.wait_until(lambda: doors.outcomes() == {"stored": 1, "dropped:cancelled": 1})

    (tmp_path / "car.jpg").write_bytes(jpeg())
    page.get_by_label("Picture").set_input_files(tmp_path / "car.jpg")
    page.get_by_label("Question").fill("What is it?")
    page.get_by_label("Question").press("Enter")
    expect(page.locator(".error").nth(1)).to_contain_text("sees no pictures")
    expect(said.nth(4)).to_have_text("What is it?\n[car.jpg]")
    found = Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
