"""The tree shows the architecture: small folders of small files. Which may import which is said in `pyproject.toml`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PRODUCT = ("sightline", "storage", "workers", "producers")
OTHERS = ("benchmarks", "training", "demo", "deploy")
_MAX_MODULES = 15
_MAX_LINES = 400


def modules(*packages: str) -> list[Path]:
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(found) > 50
    return found


def test_no_folder_is_a_heap_of_modules() -> None:
    sizes = Counter(path.parent for path in modules(*PRODUCT, *OTHERS) if "versions" not in path.parts)
    assert {str(folder.relative_to(ROOT)): size for folder, size in sizes.items() if size > _MAX_MODULES} == {}


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in modules(*PRODUCT, *OTHERS, "tests")}
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > _MAX_LINES} == {}
    assert median(count for path, count in lines.items() if path.relative_to(ROOT).parts[0] in PRODUCT) <= 100


def test_every_room_says_what_it_is_for() -> None:
    rooms = {path.parent for path in modules(*PRODUCT)}
    silent = [
        str(room.relative_to(ROOT))
        for room in rooms
        if len(list(room.glob("*.py"))) > 1
        and "migrations" not in room.parts
        and not (room / "__init__.py").read_text().strip()
    ]
    assert sorted(silent) == []


def test_files_that_a_text_names_are_there() -> None:
    """What moved is still found by whoever follows a docstring, a comment or a page."""
    texts = [*modules(*PRODUCT, *OTHERS), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    others = {"export_onnx.py"}  #: YOLOX's own
    known = {path.name for path in ROOT.rglob("*.py") if ".venv" not in str(path)} | others
    gone = [
        (str(path.relative_to(ROOT)), name)
        for path in texts
        if path.name != "CHANGELOG.md"
        for name in re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", path.read_text("utf-8"))
        if name not in known
    ]
    assert gone == []
