"""`python -m deploy.manifests`: write `deploy/kubernetes` and `deploy/helm/sightline` again."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from deploy.manifests.base import kustomizations
from deploy.manifests.chart import chart
from deploy.manifests.roles import ROOT


def files() -> dict[Path, str]:
    """All that is written, by its path."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    kubernetes, helm = ROOT / "deploy/kubernetes", ROOT / "deploy/helm/sightline"
    tag = version.replace("+", "-")  # as images have it
    return {kubernetes / name: text for name, text in kustomizations(tag).items()} | {
        helm / name: text for name, text in chart(version).items()
    }


def main() -> None:
    for folder in ("kubernetes/base", "kubernetes/components", "helm/sightline"):
        shutil.rmtree(ROOT / "deploy" / folder, ignore_errors=True)
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
