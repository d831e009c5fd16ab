"""Documentation that a machine can check: generated pages, links, names, examples."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from celery import Celery

from docs import generate
from sightline.blobs.opening import open_frame_store
from sightline.celery.app import create_app
from sightline.cli import app
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK, LANE_PRIORITY
from sightline.settings import PREFIX, Settings
from sightline.types import FrameRef
from sightline.wire.messages import MAX_FRAMES_PER_JOB, parse_message

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
by_name = pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])


def code_blocks(page: Path, language: str) -> list[str]:
    """Those that stand in the page alone; `copied_blocks` has those that are files too."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def copied_blocks(page: Path) -> list[tuple[str, str]]:
    """Path and text of each block that says which file it shows."""
    return re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """Each command of the page's shell blocks in words, without the variables in front of it."""
    for block in code_blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:&&|\|\|?)\s", line):
                words = shlex.split(part, comments=True)
                while words and re.match(r"[A-Z_]+=|sudo$|exec$|nice$", words[0]):
                    words.pop(0)
                if words:
                    yield words


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_pages_are_current(name: str) -> None:
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == generate.PAGES[name](), "run `make docs`"


def test_every_setting_is_documented_once_with_a_meaning() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert len(re.findall(rf"^\| `{PREFIX}{name.upper()}`", page, re.MULTILINE)) == 1
        assert field.description


def test_a_stale_page_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"settings.md": generate.settings_page})
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 1
    monkeypatch.setattr("sys.argv", ["generate"])
    assert generate.main() == 0
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 0


@by_name
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file) if file else page
        assert linked.exists(), f"{page.name}: {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"{page.name}: {target}"


@by_name
def test_pages_name_only_settings_that_exist_and_no_path_of_this_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]", text)) <= known
    for path in (ROOT, Path.home()):
        assert not re.search(rf"{re.escape(str(path))}(/|\b)", text)


@by_name
def test_python_examples_compile(page: Path) -> None:
    for code in code_blocks(page, "python"):
        compile(code, str(page), "exec")


@by_name
def test_a_block_that_names_a_file_shows_that_file(page: Path) -> None:
    for path, text in copied_blocks(page):
        assert text == (ROOT / path).read_text("utf-8"), f"{path} changed: copy it into the page again"


@by_name
def test_commands_of_ours_take_what_the_page_gives_them(page: Path) -> None:
    for words in commands(page):
        if Path(words[0]).name == "sightline":
            parse_command(words[1:])


@by_name
def test_targets_and_modules_that_commands_name_exist(page: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in commands(page):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= set(phony.split()), words
        if Path(words[0]).name in ("python", "python3") and words[1:2] == ["-m"]:
            top = words[2].partition(".")[0]
            if (ROOT / top).is_dir():
                assert importlib.util.find_spec(words[2]) is not None, words


def test_messages_that_the_troubleshooting_page_explains_are_ours() -> None:
    """Each is cut where something is filled in; the parts stand in the source, or nobody would find them."""
    folders = ("sightline", "storage", "workers", "producers", "deploy")
    paths = [path for name in folders for kind in ("*.py", "*.sh") for path in (ROOT / name).rglob(kind)]
    joined = (re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8")) for path in paths)
    source = "\n".join(joined).replace("`", "")
    page = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    parts = {
        part
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for message in re.findall(r"`([^`]{12,})`", row)
        for part in re.split(r"…|\bN\b|\b\d+\b|'", message)
        if len(part.strip(" :;,")) > 5
    }
    assert len(parts) > 40
    assert [part for part in sorted(parts) if part.strip(" :;,") not in source] == []


def test_a_wrong_option_in_a_page_is_noticed() -> None:
    parse_command(["cameras", "add", "gate", "rtsp://host/path", "--fps", "5"])
    with pytest.raises(Exception, match="No such option: --fsp"):
        parse_command(["cameras", "add", "gate", "rtsp://host/path", "--fsp", "5"])
    with pytest.raises(Exception, match="No such command"):
        parse_command(["camera", "list"])


def parse_command(words: list[str]) -> None:
    """Raises what a user would be told who typed this."""
    command: Any = typer.main.get_command(app)
    context: Any = command.make_context("sightline", list(words))
    while rest := [*getattr(context, "_protected_args", ()), *context.args]:
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_the_wire_example_is_a_message() -> None:
    (example,) = code_blocks(ROOT / "docs/reference/wire.md", "json")
    message = parse_message(json.loads(example))
    assert message.job.deadline_at is not None
    assert message.dump().keys() == json.loads(example).keys()
    # `entered` is the word of a publisher with a ledger; others leave it out.
    assert message.dump()["job"].keys() - {"entered"} == json.loads(example)["job"].keys()
    # A frame is one picture, and says nothing of parts or options.
    assert message.dump()["job"]["frames"][0].keys() == FrameRef.model_fields.keys() - {"parts", "options"}


def test_the_wire_page_names_what_the_code_names() -> None:
    text = (ROOT / "docs/reference/wire.md").read_text("utf-8")
    assert f"`{DETECT_TASK}`" in text
    assert f"`{DETECT_QUEUE}`" in text
    assert f"1 to {MAX_FRAMES_PER_JOB}" in text
    for lane, priority in LANE_PRIORITY.items():
        assert f"| `{lane}` | {priority} |" in text


def test_the_wire_snippet_sends_what_a_worker_accepts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python examples run as they stand, against a real folder and stand-ins for Redis and the broker."""
    sent: dict[str, Any] = {}
    stored: dict[str, bytes] = {}

    class FakeRedis:
        @staticmethod
        def from_url(_: str) -> FakeRedis:
            return FakeRedis()

        def set(self, key: str, value: bytes, ex: int) -> None:
            stored[key] = value

    class FakeCelery:
        def __init__(self, broker: str) -> None:
            sent["broker"] = broker

        def send_task(self, name: str, **options: Any) -> None:
            sent.update(options, name=name)

    monkeypatch.setattr("redis.Redis", FakeRedis)
    monkeypatch.setattr("celery.Celery", FakeCelery)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "car.jpg").write_bytes(b"pixels")
    frames_url = (tmp_path / "data" / "frames").as_uri()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.env").write_text(f"SIGHTLINE_REDIS_URL=redis://h/0\nSIGHTLINE_FRAMES_URL={frames_url}\n")
    program, redis_variant = code_blocks(ROOT / "docs/reference/wire.md", "python")
    exec(compile(program, "wire.md", "exec"), {})
    message = parse_message(json.loads(json.dumps(sent["kwargs"]["message"])))
    frame_id = message.job.frames[0].frame_id
    assert open_frame_store(frames_url, ttl_s=None).get_many([frame_id]) == [b"pixels"]
    exec(redis_variant, {"redis": redis, "frames_url": "", "frame_id": frame_id, "pixels": b"pixels"})
    assert stored == {f"sightline:frame:{frame_id}": b"pixels"}
    assert sent["broker"] == "redis://h/0"
    assert (sent["name"], sent["queue"]) == (DETECT_TASK, DETECT_QUEUE)
    assert sent["priority"] == LANE_PRIORITY[message.job.lane]
    assert sent["task_id"] == f"{message.job.job_id}:detect"


def test_the_delivery_page_explains_every_celery_setting_of_ours() -> None:
    text = (ROOT / "docs/why/delivery.md").read_text("utf-8")
    options, defaults = create_app(Settings()).conf, Celery(set_as_current=False).conf
    ours = {name for name in options if options[name] != defaults[name]} - {"broker_url", "broker_transport_options"}
    assert ours
    for name in ours | options.broker_transport_options.keys():
        assert f"`{name}`" in text, name


def test_the_architecture_page_names_every_queue_and_task() -> None:
    text = (ROOT / "docs/why/architecture.md").read_text("utf-8")
    for name in (*registry().queues, *registry().routes):
        assert f"`{name}`" in text
