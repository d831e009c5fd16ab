"""What a release tells comes from the changelog, what is to be done for it first."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.release.notes import notes, section
from tests.manifests import ROOT

CHANGELOG = """# Changelog

## 0.2.0

- Faster.

### To upgrade

Start Redis again with the new users.

### Known limits

None.

## 0.1.0 (2026-01-01)

- The first.
"""


def test_a_section_is_what_stands_below_its_version() -> None:
    assert section(CHANGELOG, "0.1.0") == "- The first."
    assert section(CHANGELOG, "0.2.0").startswith("- Faster.")
    assert "The first" not in section(CHANGELOG, "0.2.0")


def test_what_is_to_be_done_stands_first() -> None:
    text = notes(CHANGELOG, "0.2.0")
    assert text.startswith("# Sightline 0.2.0\n\n## To upgrade\n\nStart Redis again with the new users.\n\n## Changed")
    assert text.index("- Faster.") < text.index("### Known limits") < text.index("None.")
    assert "operations.md#update" in notes(CHANGELOG, "0.1.0")


@pytest.mark.parametrize("version", ["0.3.0", "0.2"])
def test_a_release_that_nobody_described_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"no section '0\.\d.*there are: 0\.2\.0, 0\.1\.0"):
        section(CHANGELOG, version)


def test_our_changelog_can_be_read() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert section(text, "0.1.0")
    assert Path(ROOT / "docs/how-to/operations.md").read_text().count("\n## Update\n") == 1
