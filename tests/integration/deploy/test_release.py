"""A release of a commit with a tag, but for the lists of packages, which `make release` makes."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from deploy.release import __main__ as releasing
from tests.manifests import ROOT

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
SECTION = "## 9.9.0\n\n- Something new.\n\n### To upgrade\n\nRead this.\n\n"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *WHO, *words], check=True, capture_output=True)


@pytest.fixture
def tagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with what lies here, and a tag on its only commit."""
    monkeypatch.setattr(releasing, "_installed", lambda *_: Path("python"))
    monkeypatch.setattr(releasing, "_list_packages", lambda _python, file, _source: file.write_text("{}"))
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
    )
    folder = tmp_path / "repository"
    for name in listed.stdout.decode().split("\0"):
        if name.startswith(("sightline/", "deploy/")) or ("/" not in name and name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((ROOT / name).read_bytes())
    git(tmp_path, "init", "-q", "repository")
    change(folder, "")
    git(folder, "tag", "v9.9.0")
    return folder


def change(folder: Path, section: str) -> None:
    path = folder / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## 0.1.0", f"{section}## 0.1.0", 1))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change")


def test_a_tag_without_a_word_in_the_changelog_is_refused_before_anything_is_built(
    tagged: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"no section '9\.9\.0'"):
        releasing.release(tmp_path / "dist", "HEAD", [], "", tagged)
    assert list((tmp_path / "dist").iterdir()) == []


def test_everything_has_the_version_of_the_tag_and_is_the_same_again(tagged: Path, tmp_path: Path) -> None:
    change(tagged, SECTION)
    git(tagged, "tag", "--force", "v9.9.0")
    (tagged / "sightline/not_committed.py").write_text("nobody = 1\n")
    assert releasing.release(tmp_path / "dist", "HEAD", [], "", tagged) == "9.9.0"
    dist = tmp_path / "dist"
    wheel = dist / "sightline-9.9.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as files:
        assert b'__version__ = "9.9.0"' in files.read("sightline/__init__.py")
        assert not [name for name in files.namelist() if "not_committed" in name]
    with tarfile.open(dist / "sightline-helm-9.9.0.tar.gz") as files:
        about = files.extractfile("sightline/Chart.yaml")
        assert about is not None
        assert yaml.safe_load(about)["appVersion"] == "9.9.0"
    assert "## To upgrade\n\nRead this." in (dist / "NOTES.md").read_text()
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}
    assert sums[wheel.name] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    releasing.release(tmp_path / "again", "HEAD", [], "", tagged)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_checkout_says_a_version_that_the_changelog_has() -> None:
    (version,) = re.findall(r'^version = "([^"]+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
