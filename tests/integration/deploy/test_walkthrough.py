"""Each command of the page on Kubernetes: run where that needs no cluster, else held to what is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sightline.capacity.costs import Price, RoleTimes, ServiceTimes, save_service_times
from sightline.cli import app
from tests.integration.deploy.test_rendered import TOOLS
from tests.manifests import ROOT

FETCHING = ROOT / "deploy/kubernetes/components/models/resources.yaml"
PAGE = (ROOT / "docs/how-to/kubernetes.md").read_text()
COMMANDS = [
    line.partition("   #")[0].strip().removesuffix("| less").strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
#: They ask a cluster for what is there, or do something in a pod.
AT_A_CLUSTER = {"get", "logs", "exec", "port-forward", "scale", "delete", "rollout"}

pytestmark = pytest.mark.skipif(not (TOOLS / "helm").is_file(), reason="make test-kubernetes brings helm and kubectl")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read and write, and what they are given by whoever follows the page."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    shutil.copytree(ROOT / "deploy/observe/dashboards", folder / "dashboards")
    shutil.copy(ROOT / ".env.example", folder)
    (folder / "s3.env").write_text("SIGHTLINE_PICTURES_URL=s3://bucket/pictures\n")
    (values,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (folder / "mine.yaml").write_text(values)
    return folder


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def names_in(text: str) -> set[str]:
    """`deploy/api` and the like, of all that is rendered."""
    short = {"Deployment": "deploy", "Service": "svc", "StatefulSet": "statefulset", "Job": "job"}
    found = [each for each in yaml.safe_load_all(text) if each and each["kind"] in short]
    return {f"{short[each['kind']]}/{each['metadata']['name']}" for each in found}


def test_every_command_in_its_order(checkout: Path) -> None:
    ran, seen, there = 0, 0, set[str]()
    for command in COMMANDS:
        words = shlex.split(command)
        if not words:
            continue
        if words[0] == "cp":
            run(checkout, *words)
        elif words[:2] == ["kubectl", "kustomize"] or words[:2] == ["kubectl", "apply"]:
            rendered = run(checkout, str(TOOLS / "kubectl"), "kustomize", words[-1])
            there = there or names_in(rendered) | names_in(FETCHING.read_text())
            assert "registry.example.org/sightline-api:0.1.0" in rendered
            assert re.search(r"name: sightline-settings-\w{10}$", rendered, re.MULTILINE)
        elif "create" in words:
            run(checkout, str(TOOLS / "kubectl"), *words[1:], "--dry-run=client", "--output=yaml")
        elif words[0] == "helm":
            given = [word for word in words[words.index("sightline") + 1 :] if word != "--create-namespace"]
            assert "deploy/api" in names_in(run(checkout, str(TOOLS / "helm"), "template", "sightline", *given))
        elif words[0] == "kubectl":
            assert AT_A_CLUSTER & set(words), command
            named = {word for word in words if re.match(r"(deploy|svc|statefulset|job)/", word)}
            assert named <= there, command
            seen += 1
            continue
        else:
            assert words[:2] == ["sightline", "capacity"], command
            continue
        ran += 1
    assert ran >= 8
    assert seen >= 6


def test_the_chart_takes_the_values_of_the_page(checkout: Path) -> None:
    output = run(checkout, str(TOOLS / "helm"), "template", "s", "deploy/helm/sightline", "--values", "mine.yaml")
    assert {"deploy/worker-gpu", "statefulset/postgres"} <= names_in(output)
    assert "registry.example.org/sightline-worker-gpu:0.1.0" in output
    assert "- cpu.ocr" in output
    assert 'SIGHTLINE_KEEP_PICTURES_DAYS":"7"' in output


def test_the_sizes_of_the_page_are_calculated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file as the first command leaves it, which measures for a minute."""
    monkeypatch.chdir(tmp_path)
    measures, calculates = [shlex.split(command)[1:] for command in COMMANDS if command.startswith("sightline")]
    cheap = RoleTimes(message_ms=1, frame_ms=0.5)
    times = ServiceTimes(
        cores=4,
        max_batch_size=16,
        concurrency=8,
        crops_per_frame=0.5,
        publish=Price(message_ms=1, frame_ms=0.2),
        redis=Price(message_ms=0.5, frame_ms=0),
        roles=dict.fromkeys(("detect", "ocr", "write"), cheap),
    )
    save_service_times(Path(measures[measures.index("--save") + 1]), times)
    done = CliRunner().invoke(app, calculates)
    assert done.exit_code == 0, done.output
    assert "cameras at 5 fps" in done.output
    assert "on 16 cores" in done.output
