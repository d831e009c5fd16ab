"""The page in a real browser: what an operator does on it goes on while it is refreshed, on a phone too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sightline.blobs.opening import open_frame_store
from sightline.settings import Settings
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from tests.integration.api.uploading import jpeg
from tests.stores import open_store

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="needs chromium")

SIZES = {"desktop": (1280, 800), "phone": (375, 740)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Browser, api_url: str, operator_key: str) -> Iterator[Page]:
    page = browser.new_page(base_url=api_url, timezone_id="Asia/Tokyo", locale="en-GB")
    page.goto("/login")
    page.get_by_label("API key").fill(operator_key)
    page.get_by_role("button").click()
    yield page
    page.close()


@pytest.fixture
def see(settings: Settings, database: Database) -> Any:
    """Stores cars that were seen, a minute apart each."""
    seen = 0

    def store(*plates: str) -> None:
        nonlocal seen
        frames = open_frame_store(settings.picture_store_url, ttl_s=None)
        for plate in plates:
            seen += 1
            at = datetime.now(UTC) - timedelta(days=1) + timedelta(minutes=seen)
            ref = FrameRef(frame_id=f"frame-{seen:04}", source_id="gate", captured_at=at)
            result = FrameResult(
                frame=ref,
                width=320,
                height=200,
                detections=(Detection(xyxy=(100, 80, 220, 110), label="text", class_id=0, confidence=0.9),),
                readings=(Reading(text=plate, confidence=0.98, detection_index=0),),
            )
            job = Job(job_id=f"job-{seen:06}", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(ref,))
            open_store(database, passage_gap_s=10).store([Message(job=job, results=(result,))], {ref.frame_id})
            frames.put_many({ref.frame_id: jpeg()})

    return store


def test_focus_and_selection_stay_while_new_things_come(browser_page: Page, see: Any) -> None:
    see("KAB4721")
    browser_page.goto("/")
    card = browser_page.get_by_role("link", name="KAB4721").first
    card.focus()
    browser_page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('.passage .plate'));"
        "window.kept = document.activeElement"
    )
    see("BDR9053")
    expect(browser_page.locator(".passage", has_text="BDR9053")).to_be_visible(timeout=20_000)
    assert browser_page.evaluate("getSelection().toString().trim()") == "KAB4721"
    assert browser_page.evaluate("document.activeElement === window.kept && window.kept.isConnected")


def test_a_passage_has_a_page_with_all_that_was_read(browser_page: Page, see: Any) -> None:
    see("KAB4721")
    browser_page.goto("/")
    browser_page.locator(".passage", has_text="KAB4721").click()
    expect(browser_page).to_have_title("KAB4721 · Sightline")
    expect(browser_page.get_by_role("row", name="KAB4721")).to_contain_text("98 %")
    browser_page.get_by_role("link", name="Plates like this").click()
    expect(browser_page.locator(".passage")).to_have_count(1)


def test_times_are_absolute_and_in_the_zone_of_who_looks(browser_page: Page, see: Any, database: Database) -> None:
    see("KAB4721")
    browser_page.goto("/plates")
    time = browser_page.locator(".passage time")
    at = datetime.fromisoformat(str(time.get_attribute("datetime"))) + timedelta(hours=9)  # Tokyo
    expect(time).to_contain_text(f"{at:%H:%M:%S}")
    expect(time).to_contain_text("ago")


def test_plates_are_paged_back_to_the_first(browser_page: Page, see: Any) -> None:
    see(*(f"KAB{number}" for number in range(1000, 1130)))
    browser_page.goto("/plates?text=KAB*")
    counts = [browser_page.locator(".passage").count()]
    while (older := browser_page.get_by_role("link", name="Older passages")).count():
        older.click()
        browser_page.wait_for_load_state()
        counts.append(browser_page.locator(".passage").count())
    assert counts == [60, 60, 10]
    expect(browser_page.locator(".passage", has_text="KAB1000")).to_be_visible()
    plates = []
    while (newer := browser_page.get_by_role("link", name="Newer passages")).count():
        newer.click()
        browser_page.wait_for_load_state()
        plates.append(browser_page.locator(".passage .plate").first.inner_text())
    assert plates == ["KAB1069", "KAB1129"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    ["/", "/plates?text=*", "passage", "/jobs", "/jobs/job-000001", "/frames/frame-0001", "/nope", "/docs", "/login"],
)
def test_everybody_can_use_it(browser_page: Page, see: Any, path: str, size: str, colors: Any) -> None:
    """No rule of axe is broken, and nothing is wider than the screen."""
    see("KAB4721", "WWWWWWWWWW")
    width, height = SIZES[size]
    browser_page.set_viewport_size({"width": width, "height": height})
    browser_page.emulate_media(color_scheme=colors)
    if path == "passage":
        browser_page.goto("/plates?text=*")
        path = str(browser_page.locator(".passage").first.get_attribute("href"))
    browser_page.goto(path)
    found = Axe().run(browser_page)
    assert found.violations_count == 0, found.generate_report()
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
    broken = browser_page.evaluate(
        """[...document.querySelectorAll(".plate, th, .tag, .state, .clock, td a")]
            .filter((each) => !each.textContent.trim().includes(" ") && each.getClientRects().length > 1)
            .map((each) => each.textContent)"""
    )
    assert broken == [], "words that break within"
