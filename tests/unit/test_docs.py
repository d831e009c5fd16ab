"""Documentation that a machine can check: generated pages, links, names, examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from docs import generate
from sightline.blobs.opening import open_frame_store
from sightline.celery.app import create_app
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
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_pages_are_current(name: str) -> None:
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == generate.PAGES[name](), "run `make docs`"


def test_every_setting_is_documented_once_with_a_meaning() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
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


def test_the_wire_example_is_a_message() -> None:
    (example,) = code_blocks(ROOT / "docs/wire.md", "json")
    message = parse_message(json.loads(example))
    assert message.job.deadline_at is not None
    assert message.dump().keys() == json.loads(example).keys()
    # `entered` is the word of a publisher with a ledger; others leave it out.
    assert message.dump()["job"].keys() - {"entered"} == json.loads(example)["job"].keys()
    # A frame is one picture, and says nothing of parts.
    assert message.dump()["job"]["frames"][0].keys() == FrameRef.model_fields.keys() - {"parts"}


def test_the_wire_page_names_what_the_code_names() -> None:
    text = (ROOT / "docs/wire.md").read_text("utf-8")
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
    program, redis_variant = code_blocks(ROOT / "docs/wire.md", "python")
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
    text = (ROOT / "docs/delivery.md").read_text("utf-8")
    options, defaults = create_app(Settings()).conf, Celery(set_as_current=False).conf
    ours = {name for name in options if options[name] != defaults[name]} - {"broker_url", "broker_transport_options"}
    assert ours
    for name in ours | options.broker_transport_options.keys():
        assert f"`{name}`" in text, name


def test_the_architecture_page_names_every_queue_and_task() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    for name in (*registry().queues, *registry().routes):
        assert f"`{name}`" in text
