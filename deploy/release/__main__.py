"""`python -m deploy.release`: everything of a release into `dist/`, from what is committed.

The wheel, the sources, the manifests of Kubernetes, lists of all packages (CycloneDX), the notes and the sums of all of
it. With `--images` also the images: built by Docker, or their steps run without it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

from deploy.dockerfile import read_stages
from deploy.release.images import build
from deploy.release.notes import notes
from deploy.release.version import committed_at, copy_of, described, is_release, stamp, version_of
from deploy.run_steps import started_targets

ROOT: Final = Path(__file__).parents[2]


def release(into: Path, commit: str, targets: list[str], registry: str, root: Path = ROOT) -> str:
    """Returns the version.

    Raises:
        ValueError: the tag or the changelog is not as a release wants it.
        CalledProcessError: a step failed; its output was printed.
    """
    version = version_of(described(root, commit))
    with tempfile.TemporaryDirectory(prefix="sightline-release-") as temporary:
        work = Path(temporary)
        source = work / "source"
        copy_of(root, commit, source)
        changelog = (source / "CHANGELOG.md").read_text()
        stamp(source, version)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        if is_release(version):  # before minutes of building
            (into / "NOTES.md").write_text(notes(changelog, version))
        _run([sys.executable, "-m", "deploy.manifests"], source)
        shutil.make_archive(str(into / f"sightline-kubernetes-{version}"), "gztar", source / "deploy", "kubernetes")
        shutil.make_archive(str(into / f"sightline-helm-{version}"), "gztar", source / "deploy/helm", "sightline")
        times = {"SOURCE_DATE_EPOCH": str(committed_at(root, commit))}
        _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into.resolve())], source, **times)
        (wheel,) = into.glob("*.whl")
        _list_packages(_installed(wheel, source, work / "wheel"), into / f"sightline-{version}.cdx.json", source)
        pythons = build(source, targets, version, commit, registry, work / "images") if targets else {}
        for target, python in pythons.items():
            _list_packages(python, into / f"sightline-{target}-{version}.cdx.json", source)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(into.iterdir())]
    (into / "SHA256SUMS").write_text("".join(sums))
    return version


def _installed(wheel: Path, source: Path, folder: Path) -> Path:
    """A Python that has the wheel and what it needs, in the versions that are tested."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--constraint", "constraints.txt", str(wheel.resolve())], source)
    return python


def _list_packages(python: Path, file: Path, source: Path) -> None:
    """What is installed for a Python, with versions and licences."""
    tool = [os.environ.get("CYCLONEDX", str(ROOT / ".venv-release/bin/cyclonedx-py")), "environment", str(python)]
    options = ["--pyproject", "pyproject.toml", "--mc-type", "application", "--output-reproducible", "--of", "JSON"]
    _run([*tool, *options, "--output-file", str(file.resolve())], source)


def _run(command: list[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()


def main() -> int:
    targets = started_targets(read_stages())
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("dist"), help="a folder, made anew (%(default)s)")
    parser.add_argument("--commit", default="HEAD", help="what is built (%(default)s); its tag says the version")
    parser.add_argument("--images", nargs="*", metavar="TARGET", help=f"build images too: {', '.join(targets)}")
    parser.add_argument("--registry", default="", help="before the names of images: registry.example.org/")
    options = parser.parse_args()
    if unknown := set(options.images or ()) - set(targets):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
    chosen = [] if options.images is None else options.images or targets
    try:
        version = release(options.into, options.commit, chosen, options.registry)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    print(f"sightline {version} in {options.into}: {', '.join(sorted(path.name for path in options.into.iterdir()))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
