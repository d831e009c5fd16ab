"""`sightline up`: everything on one machine with one command and one Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.panel import Panel

from sightline.cli.output import err, out
from sightline.errors import SettingsError
from sightline.local.autoscaler import Autoscaler
from sightline.local.checkout import FRUGAL_MALLOC, require_checkout, run_once, worker_command, worker_environment
from sightline.local.embedded_redis import EmbeddedRedis, is_free, prepare_redis
from sightline.local.kinds import TOLD, Elastic, Kind, kinds_of
from sightline.local.log_streams import JsonObjects, LogFormat
from sightline.local.scraped import ports_of, with_metrics_ports, write_targets
from sightline.local.supervisor import RoleProcess, supervise
from sightline.pipelines import registry
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.settings import PREFIX, ApiSettings, Settings, WorkerSettings, load_settings

_READY_TIMEOUT_S = 120


def up(
    data: Annotated[Path | None, typer.Option(help="Folder for Redis, database and pictures.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the page and the API.")] = None,
    flower_port: Annotated[int | None, typer.Option(help="Port of Flower; 0: no Flower.")] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(help="What one worker process does, such as detect or ocr,write; again for one more process."),
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option("--with", help="A pipeline whose heavy stages are to start too, in a process of their own."),
    ] = None,
    chat: Annotated[bool, typer.Option("--chat", help="The same as --with chat: answers questions.")] = False,
    worker_max: Annotated[
        int | None, typer.Option(min=1, help="Start more workers of a kind while work waits, up to so many.")
    ] = None,
    worker_min: Annotated[
        int, typer.Option(min=1, help="With --worker-max: so many of a kind stay when there is nothing to do.")
    ] = 1,
    worker_cores: Annotated[
        float,
        typer.Option(min=0, help="With --worker-max: cores to be free for one more; 0: also where none is."),
    ] = 0.5,
    worker_idle_s: Annotated[
        float, typer.Option(min=1, help="With --worker-max: so long there is too little to do before one ends.")
    ] = 60,
    log_format: Annotated[
        str | None, typer.Option(help="How each line is written, those of all processes: text or json.")
    ] = None,
) -> None:
    """Start Redis, the database, the workers, the camera process, the API with its page, and Flower.

    One worker process does everything, unless --worker says otherwise: what it detects it reads and stores itself,
    without queues in between. Two that do everything: --worker detect,ocr,write --worker detect,ocr,write

    Everything is each stage of every pipeline that is installed, those of other packages too. Stages that their
    pipeline calls heavy (on_demand) start only --with that pipeline, or where --worker names them.

    With --worker-max there are as many workers as the work wants: one more while messages wait and cores and memory
    are free, one less after a minute with too little to do. Who goes finishes what it holds.
    """
    workers = _parse_workers(worker or [], [*(extra or []), *(["chat"] if chat else [])])
    require_checkout("workers", "producers", "storage", "circus")
    given = {"data_dir": data, "api_port": port, "flower_port": flower_port, "log_format": log_format}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    elastic = Elastic(worker_min, worker_max, worker_cores, worker_idle_s) if worker_max else None
    if not elastic and worker_min > 1:
        raise SettingsError("--worker-min: it says something only beside --worker-max; give that too")
    kinds = kinds_of(workers, settings, elastic)
    os.umask(0o077)  # cameras' passwords and pictures of people: what is made here is its owner's alone
    is_new = _make_folder(settings.data_dir)
    with _locked(settings.data_dir), ExitStack() as if_refused:
        if is_new:  # only once it is locked: until then it may be another's
            if_refused.callback(shutil.rmtree, settings.data_dir, ignore_errors=True)
        _require_free_ports(settings)
        redis = prepare_redis(settings.data_dir / "redis")
        environment = _environment(settings, redis)
        run_once("workers.tools.check", environment=environment)
        if any("chat" in roles for roles in workers.values()):  # its worker would be started again for ever
            run_once("workers.tools.check", "-Q", CHAT_QUEUE, environment=environment)
        run_once("storage", "upgrade", environment=environment)
        environment[PREFIX + "INSTALLATION_ID"] = run_once("storage", "installation", environment=environment).strip()
        key = _api_key(settings.data_dir, environment)
        environment[PREFIX + "API_KEY"] = key
        _write_run_env(settings.data_dir / "run.env", environment)
        roles = with_metrics_ports(_roles(settings, redis, key, kinds), settings.metrics_port)
        for name, port in ports_of(roles).items():
            _require_free(port, settings.metrics_host, f"{PREFIX}METRICS_PORT, the first of several ({name} gets this)")

        def note_running(names: Collection[str]) -> None:
            of_workers = {name for kind in kinds for name in kind.names}
            running = [role for role in roles if role.name in names or role.name not in of_workers]
            write_targets(settings.data_dir / "prometheus.json", running, settings.metrics_host)

        (settings.data_dir / TOLD).unlink(missing_ok=True)
        note_running([role.name for role in roles if role.starts])
        threading.Thread(target=_announce, args=(settings, environment), daemon=True).start()
        scaled = settings.model_copy(update={"redis_url": redis.url})
        autoscaler = Autoscaler(kinds, scaled, settings.data_dir / TOLD, note_running) if elastic else None
        if_refused.pop_all()
        supervise(roles, environment, autoscaler.run if autoscaler else None, settings.log_format)
    _say("stopped; nothing accepted was lost, the next start goes on with it", settings.log_format)


def _parse_workers(texts: list[str], extra: list[str]) -> dict[str, list[str]]:
    """The roles of each worker process, by its name."""
    workers: dict[str, list[str]] = {}
    known = registry().roles
    usual = registry().usual_roles
    for text in [*(texts or [",".join(usual)]), *(",".join(_heavy_roles(name)) for name in extra)]:
        given = [part.strip() for part in text.split(",")]
        if wrong := [part for part in given if part not in known]:
            raise SettingsError(f"--worker: {wrong[0]!r} is not one of {', '.join(known)}, such as detect or ocr,write")
        roles = [role for role in known if role in given]
        kind = "worker" if set(usual) <= set(roles) else "-".join(roles)
        workers[f"{kind}{sum(name.rstrip('0123456789') == kind for name in workers)}"] = roles
    if missing := set(usual).difference(*workers.values()):
        raise SettingsError(f"--worker: nothing does {' and '.join(sorted(missing))}; frames would wait for ever")
    return workers


def _heavy_roles(pipeline: str) -> list[str]:
    """What `--with` a pipeline starts."""
    of_all = {str(spec.name): [stage.name for stage in spec.stages if stage.on_demand] for spec in registry().all()}
    if roles := of_all.get(pipeline):
        return roles
    known = [name for name, heavy in of_all.items() if heavy]
    if pipeline in of_all or not known:
        raise SettingsError(f"--with {pipeline}: there is nothing heavy to start for it; leave it out")
    raise SettingsError(f"--with {pipeline}: not one of {', '.join(known)}; these have stages that start when asked")


def _roles(settings: Settings, redis: EmbeddedRedis, key: str, kinds: Sequence[Kind]) -> Iterator[RoleProcess]:
    python = sys.executable
    yield RoleProcess("redis", redis.command, stop_last=2, grace_s=4)
    yield from (_worker(kind, number, settings) for kind in kinds for number in range(len(kind.names)))
    yield RoleProcess("api", (python, "-m", "producers.api"), grace_s=3)
    yield RoleProcess("camera", (python, "-m", "producers.camera"), grace_s=5)
    yield RoleProcess("deliver", (python, "-m", "workers.deliver"), grace_s=5)
    if settings.flower_port:
        flower = ("flower", "--address=127.0.0.1", f"--port={settings.flower_port}", "--read_only=True")
        # Its warnings say, four at a time, that workers which are just starting do not answer yet.
        quiet = ("--enable_events=False", "--max_tasks=5000", "--logging=error")
        yield RoleProcess(
            "flower",
            (python, "-m", "celery", "-q", "-A", "workers.app", *flower, *quiet),
            grace_s=2,
            environment={"FLOWER_BASIC_AUTH": f"sightline:{key}"},
        )


def _worker(kind: Kind, number: int, settings: WorkerSettings) -> RoleProcess:
    name, queues = kind.names[number], kind.queues
    command = worker_command(name, *queues, concurrency=settings.concurrency(kind.roles))
    # Celery warns root because of pickle; our workers take nothing but JSON.
    warnings = f"{os.environ.get('PYTHONWARNINGS', '')},ignore:You're running the worker with superuser"
    environment = {"PYTHONWARNINGS": warnings.strip(",")}
    environment |= worker_environment(*queues)
    return RoleProcess(name, command, stop_last=1, grace_s=6, environment=environment, starts=number < kind.starts)


def _environment(settings: Settings, redis: EmbeddedRedis) -> dict[str, str]:
    """The environment of every role: this process's own, with the embedded services filled in."""
    folder = settings.data_dir.resolve()
    ours = {
        "DATA_DIR": str(folder),
        "REDIS_URL": redis.url,
        "FRAMES_URL": settings.frames_url or (folder / "frames").as_uri(),
        "DATABASE_URL": settings.sqlalchemy_url,
        "API_HOST": settings.api_host,
        "API_PORT": str(settings.api_port),
        "API_URL": f"http://127.0.0.1:{settings.api_port}",
        "LOG_FORMAT": settings.log_format,
    }
    defaults = {"PYTHONUNBUFFERED": "1"} | FRUGAL_MALLOC
    return defaults | dict(os.environ) | {PREFIX + name: value for name, value in ours.items()}


def _api_key(data_dir: Path, environment: dict[str, str]) -> str:
    """The key of this machine's CLI, made at the first start."""
    path = data_dir / "api.key"
    if not path.exists():
        made = run_once("storage", "create-key", "local", "admin", environment=environment)
        path.touch(mode=0o600)
        path.write_text(made.strip().splitlines()[-1])
    return path.read_text().strip()


def _write_run_env(path: Path, environment: dict[str, str]) -> None:
    """For the CLI and Python clients on this machine; holds secrets."""
    wanted = ("REDIS_URL", "BROKER_URL", "FRAMES_URL", "DATABASE_URL", "INSTALLATION_ID", "API_URL", "API_KEY")
    path.touch(mode=0o600)
    known = [PREFIX + name for name in wanted if PREFIX + name in environment]
    path.write_text("".join(f"{name}={environment[name]}\n" for name in known))


def _make_folder(data_dir: Path) -> bool:
    """Whether it was not there."""
    is_new = True
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        try:
            data_dir.mkdir()
        except FileExistsError:
            if not data_dir.is_dir():
                raise
            is_new = False
    except OSError as error:
        raise SettingsError(f"data folder {data_dir}: {error.strerror}; choose another with --data") from error
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsError(f"data folder {data_dir}: not writable; choose another with --data")
    return is_new


def _require_free_ports(settings: ApiSettings) -> None:
    """A child that finds its port taken would be started again for ever."""
    for host, port, option in (
        (settings.api_host, settings.api_port, "--port"),
        ("127.0.0.1", settings.flower_port, "--flower-port"),
    ):
        if port:
            _require_free(port, host, option)


def _require_free(port: int, host: str, option: str) -> None:
    if not is_free(port, host):
        raise SettingsError(f"port {port} is taken; choose another with {option}")


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise SettingsError(
                f"data folder {data_dir} is in use by process {file.read().strip() or 'unknown'}; "
                "stop that one, or choose another folder with --data"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _announce(settings: Settings, environment: dict[str, str]) -> None:
    """Say where everything is, once it answers."""
    url = environment[PREFIX + "API_URL"]
    until = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < until:
        if _is_ready(url, environment[PREFIX + "API_KEY"]):
            break
        time.sleep(0.5)
    else:
        text = f"no answer from {url} after {_READY_TIMEOUT_S} s; see the log above"
        if settings.log_format == "json":
            _say(text, settings.log_format)
        else:
            err.print(text, style="red")
        return
    lines = [f"page     {url}", f"API      {url}/docs"]
    if settings.flower_port:
        lines.append(f"Flower   http://127.0.0.1:{settings.flower_port}  (user sightline, password: the key)")
    if settings.metrics_port:
        lines.append(f"metrics  from port {settings.metrics_port} on: {settings.data_dir / 'prometheus.json'}")
    lines += [f"data     {settings.data_dir.resolve()}", f"key      in {settings.data_dir / 'api.key'}"]
    lines.append("stop     Ctrl-C")
    if settings.log_format == "json":
        _say("Sightline is up: " + "; ".join(" ".join(line.split()) for line in lines), settings.log_format)
    else:
        out.print(Panel("\n".join(lines), title="Sightline is up", expand=False))


def _say(text: str, log_format: LogFormat) -> None:
    """In between what the processes write."""
    if log_format == "json":
        print(JsonObjects("up", sys.stdout).said(text), flush=True)
    else:
        out.print(text)


def _is_ready(url: str, key: str) -> bool:
    """Everything answers, and the API is ours: another one does not know the key."""
    try:
        ready = httpx.get(f"{url}/readyz", timeout=5, trust_env=False)
        ours = httpx.get(f"{url}/v1/queues", headers={"X-API-Key": key}, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return ready.is_success and ours.is_success
