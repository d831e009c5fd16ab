"""The documentation as a site: it builds without a warning, and shows without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """What a page loads by itself, and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.loaded += [values[name] for name in ("src", "srcset", "poster", "data") if name in values]
        if tag == "a":
            self.linked.append(values.get("href", ""))
        elif "href" in values and values.get("rel") != "canonical":
            self.loaded.append(values["href"])


def pages(site: Path) -> Iterator[Path]:
    return site.rglob("*.html")


def is_foreign(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def test_every_page_of_the_docs_is_in_it(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in pages(site)}
    assert built - written == {Path("404.html"), Path("changelog.html"), Path("contributing.html")}
    assert written <= built
    assert not list(site.rglob("*.py"))


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    loaded = {url for page in pages(site) for url in Links(page).loaded}
    assert loaded
    assert [url for url in loaded if is_foreign(url)] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^)\"']+)", styles) == []


def test_nothing_is_drawn_by_a_script_that_would_be_fetched(site: Path) -> None:
    """The theme fetches mermaid and MathJax from a CDN where a page has something for them."""
    for page in pages(site):
        assert not re.search(r'class="(mermaid|arithmatex)"', page.read_text("utf-8")), page


def test_links_and_pictures_are_there(site: Path) -> None:
    missing: list[str] = []
    for page in pages(site):
        if page.name == "404.html":  # its links begin at the root of a server
            continue
        links = Links(page)
        for url in (*links.loaded, *links.linked):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).exists():
                missing.append(f"{page.relative_to(site)}: {url}")
    assert missing == []


def test_what_looks_like_a_list_or_a_table_is_one(site: Path) -> None:
    """Forges take a list without a blank line before it; here it would run into the paragraph."""
    for page in pages(site):
        for paragraph in re.findall(r"<p>(.*?)</p>", page.read_text("utf-8"), re.DOTALL):
            assert not re.search(r"^(- |\d+\. |\| )", paragraph, re.MULTILINE), (page.name, paragraph)


@pytest.mark.skipif(not shutil.which("chromium") and not os.environ.get("CI"), reason="needs chromium")
def test_a_page_opened_as_a_file_finds_what_is_searched_for(site: Path, tmp_path: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}"]
    done = subprocess.run(
        ["chromium", *flags, "--virtual-time-budget=15000", "--dump-dom", f"{site.as_uri()}/index.html?q=dead+letter"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    results = re.findall(r'href="([^"]+)" class="md-search-result__link"', done.stdout)
    assert any("how-to/dead-letters.html" in url for url in results), done.stderr[-2000:]
