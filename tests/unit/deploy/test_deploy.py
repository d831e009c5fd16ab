"""Deployment files agree with the compose specification, with each other and with the code. No Docker needed."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.dockerfile import Stage, environment, lineage, read_stages
from deploy.run_steps import commands_of, loading_only, started_targets, with_defaults
from producers.camera.health import unreported
from sightline.camera_status import CameraStatus
from sightline.pipelines import registry
from sightline.pipelines.queues import WRITE_TASK
from sightline.settings import PREFIX, Settings
from storage.cameras import Camera
from workers import health
from workers.housekeeping.liveness import health_file

ROOT = Path(__file__).parents[3]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = read_stages()
TARGETS = started_targets(STAGES)
PACKAGES_OF_ROLES = ("sightline", "storage", "workers", "producers")
SECRET = re.compile(r"PASSWORD|AUTH|SECRET|_KEY|requirepass", re.IGNORECASE)


def queues_of(command: list[str]) -> list[str]:
    return with_defaults(command[command.index("-Q") + 1]).split(",") if "-Q" in command else []


def names_of(requirements: list[str]) -> set[str]:
    """Normalized names, without extras of our own."""
    names = {re.split(r"[\[<>=~!; ]", line, maxsplit=1)[0].lower().replace("_", "-") for line in requirements}
    return names - {"sightline"}


def all_texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for key, value in node.items() for text in all_texts(value)]
    return [text for value in node for text in all_texts(value)] if isinstance(node, list) else [str(node)]


def last_in_lineage(target: str, instruction: str) -> Any:
    return next((s for stage in reversed(lineage(STAGES, target)) if (s := stage.last(instruction))), None)


def test_the_compose_file_is_valid() -> None:
    schema_file = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(schema_file.read_text("utf-8"))
    errors = [
        f"{'.'.join(map(str, error.path))}: {error.message[:200]}"
        for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(COMPOSE)
    ]
    assert errors == []


def test_no_secret_has_a_value_and_none_may_be_missing() -> None:
    for text in all_texts(COMPOSE):
        for variable in re.findall(r"\$\{[^}]*\}", text):
            if SECRET.search(variable):
                assert ":?" in variable, variable
    urls = [text for text in all_texts(COMPOSE) if "://" in text]
    assert urls
    assert all("@" not in url or re.search(r":\$\{\w+:\?[^}]*\}@", url) for url in urls)
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            assert not SECRET.search(key) or "${" in str(value), f"{name}: {key} has a value of its own"


def test_the_example_environment_names_every_variable() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_FILE.read_text()))
    assert named - {"COMPOSE_PROFILES"} == used
    required = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE_FILE.read_text()))
    given = set(re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert given == required


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_hardened_and_given_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    target = service.get("build", {}).get("target")
    one_shot = service.get("restart") == "no"
    watched = "test" in service.get("healthcheck", {}) or (target and last_in_lineage(target, "HEALTHCHECK"))
    assert one_shot or watched
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "60s"
    assert target or not service["image"].endswith((":latest", "redis", "postgres")), "pin the image"
    assert target or service["user"] != "root"
    for port in service.get("ports", []):
        assert with_defaults(port).startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_services_wait_for_what_they_need(name: str) -> None:
    for other, condition in (SERVICES[name].get("depends_on") or {}).items():
        one_shot = SERVICES[other].get("restart") == "no"
        assert condition["condition"] == ("service_completed_successfully" if one_shot else "service_healthy")


def test_every_service_of_ours_has_a_target_and_every_target_a_service() -> None:
    built = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert built == set(TARGETS)


def test_every_queue_is_consumed_and_none_is_misspelt() -> None:
    consumed: list[str] = []
    for service in SERVICES.values():
        if "build" not in service:
            continue
        command = service.get("command") or last_in_lineage(service["build"]["target"], "CMD").exec_form
        assert set(queues_of(command)) <= set(registry().queues)
        if "worker" in command:
            assert queues_of(command), "a worker without -Q takes from all queues"
        if "profiles" not in service:
            consumed += queues_of(command)
    assert sorted(consumed) == sorted(registry().usual_queues)


def test_only_what_serves_the_database_knows_its_password() -> None:
    knows = {name for name, s in SERVICES.items() if f"{PREFIX}DATABASE_URL" in (s.get("environment") or {})}
    assert knows == {"migrate", "api", "camera", "deliver", "worker-write"}


def test_only_what_asks_for_a_key_is_published() -> None:
    """The image of the API listens on all addresses, which alone makes it want a key; Flower and Grafana have their
    password. Prometheus and what it reads ask for none."""
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"api", "flower", "grafana"}
    assert "FLOWER_BASIC_AUTH" in SERVICES["flower"]["environment"]
    assert "GF_SECURITY_ADMIN_PASSWORD" in SERVICES["grafana"]["environment"]
    (listens,) = [step.arguments for step in STAGES["api"].steps if "SIGHTLINE_API_HOST" in step.arguments]
    assert "SIGHTLINE_API_HOST=0.0.0.0" in listens
    assert all(service.get("network_mode") is None for service in SERVICES.values())


def test_prometheus_asks_every_role_that_runs_on_the_port_where_it_answers() -> None:
    config = yaml.safe_load((ROOT / "deploy/observe/prometheus.yml").read_text())
    (asked,) = config["scrape_configs"][0]["dns_sd_configs"]
    answers = {
        name: service["environment"][f"{PREFIX}METRICS_PORT"]
        for name, service in SERVICES.items()
        if f"{PREFIX}METRICS_PORT" in (service.get("environment") or {})
    }
    silent = {"migrate", "flower"}
    assert set(asked["names"]) == set(answers) == {n for n, s in SERVICES.items() if "build" in s} - silent
    assert set(answers.values()) == {str(asked["port"])}
    for service in answers:
        assert SERVICES[service]["environment"][f"{PREFIX}METRICS_HOST"] == "0.0.0.0"


def test_each_role_is_a_user_of_its_own_in_redis() -> None:
    users = (ROOT / "deploy/redis/users.acl").read_text()
    known = {name.upper(): name for name in re.findall(r"^user (\w+) on \{[A-Z]+\}", users, re.MULTILINE)}
    assert re.search(r"^user default off$", users, re.MULTILINE)
    assert "nopass" not in users
    start = SERVICES["redis"]["environment"]
    assert {f"REDIS_{name}_PASSWORD" for name in known} == set(start) - {"REDISCLI_AUTH"}
    wanted = {"api": "producer", "camera": "producer", "worker-write": "writer", "flower": "flower"}
    for name, service in SERVICES.items():
        for text in all_texts(list((service.get("environment") or {}).values())):
            for user, variable in re.findall(r"redis://(\w+):\$\{(\w+):", text):
                assert user == wanted.get(name, "worker"), name
                assert variable == f"REDIS_{user.upper()}_PASSWORD"


@pytest.mark.parametrize(
    ("user", "takes", "gives"),
    [
        ("producer", set[str](), {registry().first_task(name) for name in registry().names}),
        ("worker", set(registry().stages) - {WRITE_TASK}, set(registry().stages)),
        ("writer", {WRITE_TASK}, set(registry().stages)),
        ("flower", set[str](), set[str]()),
    ],
)
def test_each_user_of_redis_may_do_with_each_queue_what_its_role_does(
    user: str, takes: set[str], gives: set[str]
) -> None:
    rules = (ROOT / "deploy/redis/users.acl").read_text().split(f"user {user} on ")[1].split("\n\n")[0]
    assert queues_with("+brpop", rules) == {registry().routes[task] for task in takes}
    assert queues_with("+lpush", rules) == {registry().routes[task] for task in gives}
    assert queues_with("+llen", rules) == set(registry().queues)
    assert queues_with("+lindex", rules) == (set(registry().queues) if user in ("producer", "writer") else set())


def queues_with(command: str, rules: str) -> set[str]:
    """Our queues, in all their lanes, that a user may use a command on."""
    granted = [rule.split() for rule in re.findall(r"\(([^)]*)\)", rules)]
    keys = {re.sub(r"^(%R)?~", "", key) for words in granted if command in words for key in words if "~" in key}
    return {queue for queue in registry().queues if {queue, f"{queue}??[1-9]"} <= keys or f"{queue}*" in keys}


def test_every_key_in_redis_is_somebodys() -> None:
    """A key that no user may touch works where tests run, as the default user, and nowhere else."""
    users = (ROOT / "deploy/redis/users.acl").read_text()
    patterns = set(re.findall(r"~(sightline:\S+?)\)?(?=\s)", users))
    sources = [path.read_text() for name in PACKAGES_OF_ROLES for path in (ROOT / name).rglob("*.py")]
    keys = {key for text in sources for key in re.findall(r'"(sightline:[a-z_]+:?)', text)}
    assert {"sightline:camera_files_ended", "sightline:frame:"} <= keys
    assert [key for key in sorted(keys) if not any(fnmatch(key, pattern) for pattern in patterns)] == []


def test_settings_in_deployment_files_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for path in (COMPOSE_FILE, ROOT / "deploy/Dockerfile"):
        assert set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text())) <= known


@pytest.mark.parametrize("target", TARGETS)
def test_images_run_as_a_user_and_start_without_a_shell(target: str) -> None:
    assert last_in_lineage(target, "USER").arguments == "10001"
    assert last_in_lineage(target, "STOPSIGNAL").arguments == "SIGTERM"
    assert isinstance(last_in_lineage(target, "CMD").exec_form, list)
    assert last_in_lineage(target, "HEALTHCHECK").exec_form[0] == "python"
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", lineage(STAGES, target)[0].base)


@pytest.mark.parametrize("target", TARGETS)
def test_images_install_with_constraints_and_known_extras(target: str) -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    installs = [step.arguments for step in STAGES[target].steps if "pip install" in step.arguments]
    assert len(installs) == 1
    assert "-c /src/constraints" in installs[0]
    extras = re.search(r"/src\[([\w,]+)\]", installs[0])
    assert extras is not None
    assert all(re.search(rf"^{extra} = \[", pyproject, re.MULTILINE) for extra in extras[1].split(","))
    assert ("ultralytics" in installs[0] or "gpu" in extras[1].split(",")) == (target == "worker-gpu")


def test_everything_that_is_copied_exists_and_reaches_the_build() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    for stage in STAGES.values():
        for step in stage.steps:
            if step.instruction == "COPY" and "from" not in step.flags:
                for source in step.arguments.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert source in sent, f"{source} is kept out by .dockerignore"


@pytest.mark.parametrize("name", ["constraints.txt", "deploy/constraints-gpu.txt", "deploy/constraints-paddle.txt"])
def test_constraints_are_plain_pins(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^\s@/]+", line) for line in lines)
    assert sorted(lines, key=str.casefold) == lines
    assert not any(line.startswith("sightline") for line in lines)


def test_everything_that_is_named_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    apart = {name for extra in ("gpu", "paddle", "s3") for name in names_of(extras[extra])}
    wanted = names_of(project["dependencies"]) | {name for extra in extras for name in names_of(extras[extra])}
    pinned = names_of((ROOT / "constraints.txt").read_text().splitlines())
    assert (wanted - apart) - pinned == set()
    for name in ("gpu", "paddle"):
        lines = (ROOT / f"deploy/constraints-{name}.txt").read_text().splitlines()
        assert names_of(extras[name]) - pinned - names_of(lines) == set()


def test_the_dockerfile_reader_joins_lines_and_keeps_flags(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text('FROM a AS one\n# no\nENV A=1 \\\n    B="2 3"\nFROM one AS two\nCOPY --from=one /x /y\nCMD ["z"]\n')
    stages = read_stages(path)
    assert [stage.name for stage in lineage(stages, "two")] == ["one", "two"]
    assert stages["two"].steps[0].flags == {"from": "one"}
    assert stages["two"].steps[1].exec_form == ["z"]
    assert environment(stages["one"].steps[0]) == {"A": "1", "B": "2 3"}
    path.write_text("FROM a AS one\nADD x y\n")
    with pytest.raises(ValueError, match=":2: cannot read 'ADD x y'"):
        read_stages(path)


def test_commands_are_loaded_without_being_started() -> None:
    stages = {"api": Stage("api", "base", STAGES["api"].steps)}
    commands = commands_of(stages, "api", COMPOSE)
    assert ["python", "-m", "producers.camera"] in commands
    assert loading_only(["celery", "flower"]) == [["celery", "flower", "--help"]]
    (run,) = loading_only(["python", "-m", "workers.health"])
    done = subprocess.run([sys.executable, *run[1:]], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    (broken,) = loading_only(["python", "-m", "workers.nothing"])
    assert subprocess.run([sys.executable, *broken[1:]], cwd=ROOT, capture_output=True).returncode != 0


def test_a_worker_is_healthy_while_it_makes_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--folder", str(tmp_path), "--max-age-s", "60"]
    assert health.main(arguments) == 1
    assert "no worker" in capsys.readouterr().out
    file = tmp_path / health_file(7).name
    file.touch()
    assert file.match(health.PATTERN)
    assert health.main(arguments) == 0
    old = time.time() - 90
    os.utime(file, (old, old))
    assert health.main(arguments) == 1
    assert "90 s ago" in capsys.readouterr().out


def test_the_camera_process_is_unhealthy_if_an_enabled_camera_has_no_status() -> None:
    cameras = [Camera(camera_id=name, url="rtsp://x/y", enabled=name != "off") for name in ("dead", "off", "on")]  # pyright: ignore
    statuses = {"dead": CameraStatus(), "off": CameraStatus(), "on": CameraStatus(state="reconnecting")}
    assert unreported(cameras, statuses) == ["dead"]
