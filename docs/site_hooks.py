"""What `mkdocs.yml` needs beyond mkdocs: pages from the root, links that leave `docs`, patterns in the nav."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: Files of the root that are pages of the site too, and their names there.
ROOT_PAGES = {ROOT / "CONTRIBUTING.md": "contributing.md", ROOT / "CHANGELOG.md": "changelog.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the root's pages, and put what a pattern of the nav stands for in its place."""
    for path, name in ROOT_PAGES.items():
        files.append(File.generated(config, name, content=path.read_text("utf-8")))
    named = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    pages = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri not in named)
    config.nav = _expanded(config.nav, pages)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """A link to a file that is no page becomes its path: a site has no source beside it."""
    source = next((path for path, name in ROOT_PAGES.items() if name == page.file.src_uri), DOCS / page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        label, target, anchor = link.groups(default="")
        linked = Path(os.path.normpath(source.parent / target))
        if name := ROOT_PAGES.get(linked):
            linked = DOCS / name
        if linked.is_relative_to(DOCS):
            return f"[{label}]({os.path.relpath(linked, (DOCS / page.file.src_uri).parent)}{anchor})"
        return f"`{linked.relative_to(ROOT)}`" if label.startswith("`") else label

    return re.sub(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)", rewritten, markdown)


def _expanded(node: Any, pages: list[str]) -> Any:
    if isinstance(node, dict):
        return {title: _expanded(child, pages) for title, child in node.items()}
    if not isinstance(node, list):
        return node
    found = [[page for page in pages if fnmatch(page, child)] if _is_pattern(child) else [child] for child in node]
    return [_expanded(child, pages) for children in found for child in children]


def _is_pattern(node: Any) -> bool:
    return isinstance(node, str) and "*" in node
