"""The git tag says the version, and only what is committed is built."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from deploy.release.version import copy_of, described, is_release, stamp, version_of


@pytest.mark.parametrize(
    ("said", "version"),
    [("v0.2.0", "0.2.0"), ("v0.2.0-0-gabc1234", "0.2.0"), ("v1.12.3-14-gabc1234-dirty", "1.12.4.dev14+gabc1234")],
)
def test_a_tag_is_a_version_and_what_follows_it_is_on_the_way_to_the_next(said: str, version: str) -> None:
    assert version_of(said) == str(Version(version)) == version
    assert is_release(version) == ("g" not in version)


def test_versions_are_in_the_order_of_commits() -> None:
    ordered = ["v0.1.9-0-ga", "v0.1.9-2-gb", "v0.1.9-10-gc", "v0.1.10-0-gd"]
    versions = [Version(version_of(each)) for each in ordered]
    assert versions == sorted(versions)


@pytest.mark.parametrize("said", ["0.2.0", "release-7-0-gabc", "v0.2"])
def test_another_tag_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r"names no tag such as v1\.2\.3"):
        version_of(said)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "sightline").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "sightline"\nversion = "0.1.0"\n')
    (folder / "sightline/__init__.py").write_text('import sys\n\n__version__ = "0.1.0"\n')
    git(folder, "init", "-q")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", folder, *who, *words], check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change", "--allow-empty")


def test_without_a_tag_and_with_one_and_after_it(repository: Path) -> None:
    assert version_of(described(repository)).startswith("0.0.1.dev1+g")
    git(repository, "tag", "something-else")
    git(repository, "tag", "v0.3.0")
    assert version_of(described(repository)) == "0.3.0"
    commit(repository)
    assert version_of(described(repository)).startswith("0.3.1.dev1+g")
    assert version_of(described(repository, "v0.3.0")) == "0.3.0"


def test_what_is_not_committed_is_in_no_release(repository: Path, tmp_path: Path) -> None:
    (repository / "secret.txt").write_text("not committed")
    copy_of(repository, "HEAD", tmp_path / "copy")
    stamp(tmp_path / "copy", "0.3.0")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["pyproject.toml", "sightline"]
    assert 'version = "0.3.0"' in (tmp_path / "copy/pyproject.toml").read_text()
    assert (tmp_path / "copy/sightline/__init__.py").read_text() == 'import sys\n\n__version__ = "0.3.0"\n'
    (tmp_path / "copy/pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match=r"pyproject\.toml: names the version 0 times"):
        stamp(tmp_path / "copy", "0.3.0")
