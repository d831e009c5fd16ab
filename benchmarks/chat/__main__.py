"""`python -m benchmarks.chat`: what the queue costs conversations, and what bulk costs them.

First 32 questions at once: the engine alone in this process, then the same through Redis, ledger and worker, in turns,
so that both see the same machine. Then one question after the other, without and with bulk prompts that wait. Then the
32 at once again, in turns with others who ask the same model: a Celery task a prompt, and where an interpreter has
them LitServe and Ray Serve.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

from benchmarks.chat.bare import ask_bare, open_bare
from benchmarks.chat.measured import Answers, percentile, prompts
from benchmarks.chat.peers.naive_run import naive
from benchmarks.chat.peers.servers import PEERS, peer
from benchmarks.chat.queued import ask_queued, publish_bulk
from benchmarks.throughput.peers.serving import why_not
from sightline.capacity.system import System, running
from sightline.settings import load_settings
from sightline.types import Pipeline
from workers.chat.openvino.engine import arguments_of

_WORKERS = {"chat": ("chat",), "write": ("write",)}
_PEERS = ("naive", "litserve", "ray")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chat", description=__doc__)
    parser.add_argument("--conversations", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64, help="of an answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=40, help="one after the other")
    parser.add_argument("--bulk", type=int, default=1000, help="prompts that wait meanwhile")
    parser.add_argument("--peers", nargs="*", choices=_PEERS, default=_PEERS, help="who else answers (%(default)s)")
    parser.add_argument("--peers-python", type=Path, metavar="PATH", help="an interpreter that has ray and litserve")
    given = parser.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        models = load_settings().models_dir
        wanted = {"chat_max_in_engine": given.conversations, "models_dir": models}
        with running(Path(folder), _WORKERS, given=wanted, pipeline=Pipeline.CHAT, medium="text") as system:
            found |= _at_once(system, given)
            found |= _beside_bulk(system, given)
            _wait_until_idle(system)
            for name in given.peers:
                if name in PEERS and (why := why_not(name, PEERS[name][0], given.peers_python)):
                    print(why, file=sys.stderr)
                    continue
                found |= _beside_peer(system, given, name, Path(folder))
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


def _at_once(system: System, given: argparse.Namespace) -> dict[str, float]:
    model = open_bare(system.settings)
    texts = prompts(given.conversations)
    ask_queued(system, texts, 4)
    ask_bare(model, texts, 4)
    bare: list[Answers] = []
    queued: list[Answers] = []
    shares: list[float] = []
    for number in range(given.rounds):
        these = prompts(given.conversations, f"Round {number}: tell me")
        bare.append(ask_bare(model, these, given.tokens))
        before = _cpu_s(system)
        queued.append(ask_queued(system, these, given.tokens))
        ours_s, models_s = (now - then for now, then in zip(_cpu_s(system), before, strict=True))
        shares.append(ours_s / models_s)
        print(
            f"round {number}: alone {bare[-1].tokens_a_second:.0f} tokens/s, queued {queued[-1].tokens_a_second:.0f}",
            file=sys.stderr,
        )
    pairs = list(zip(bare, queued, strict=True))
    found = {
        "bare_tokens_a_second": median(one.tokens_a_second for one in bare),
        "queued_tokens_a_second": median(one.tokens_a_second for one in queued),
        "ratio": median(two.tokens_a_second / one.tokens_a_second for one, two in pairs),
    }
    found["cpu_of_the_queue_to_that_of_the_model"] = median(shares)
    for share in (0.5, 0.99):
        name = f"first_token_p{share * 100:.0f}"
        found[f"{name}_bare_ms"] = median(percentile(one.first_ms, share) for one in bare)
        found[f"{name}_more_ms"] = median(
            percentile(two.first_ms, share) - percentile(one.first_ms, share) for one, two in pairs
        )
    return found


def _beside_peer(system: System, given: argparse.Namespace, name: str, folder: Path) -> dict[str, float]:
    """In turns with somebody else, who is there meanwhile but has nothing to do."""
    arguments = arguments_of(system.settings)
    if name in PEERS:
        opened = peer(name, given.peers_python, folder, arguments)
    else:
        opened = naive(folder, Path(arguments["path"]))
    pairs: list[tuple[Answers, Answers]] = []
    with opened as other:
        other.ask(prompts(given.conversations), 4)
        for number in range(given.rounds):
            texts = prompts(given.conversations, f"Round {number}, {name}: tell me")
            pairs.append((other.ask(texts, given.tokens), ask_queued(system, texts, given.tokens)))
            theirs, ours = (one.tokens_a_second for one in pairs[-1])
            print(f"round {number}: {name} {theirs:.0f} tokens/s, queued {ours:.0f}", file=sys.stderr)
    return {
        f"{name}_tokens_a_second": median(theirs.tokens_a_second for theirs, _ in pairs),
        f"queued_to_{name}": median(ours.tokens_a_second / theirs.tokens_a_second for theirs, ours in pairs),
    }


def _wait_until_idle(system: System) -> None:
    while system.open_frames():
        time.sleep(0.5)


def _cpu_s(system: System) -> tuple[float, float]:
    """CPU time of Redis, worker and writer, and of the model's process. Who asks and listens is none of them."""
    of_each = {name: psutil.Process(process.pid) for name, process in system.processes.items()}
    models = of_each["chat"].children()
    return sum(map(_own_cpu_s, of_each.values())), sum(map(_own_cpu_s, models))


def _own_cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _beside_bulk(system: System, given: argparse.Namespace) -> dict[str, float]:
    alone = _one_by_one(system, given)
    publish_bulk(system, prompts(given.bulk, "Say"), given.tokens)
    open_before = system.open_frames()
    beside = _one_by_one(system, given)
    left = system.open_frames()
    return {
        "interactive_p50_ms": median(alone.whole_ms),
        "interactive_p95_ms": percentile(alone.whole_ms, 0.95),
        "beside_bulk_p50_ms": median(beside.whole_ms),
        "beside_bulk_p95_ms": percentile(beside.whole_ms, 0.95),
        "p95_ratio": percentile(beside.whole_ms, 0.95) / percentile(alone.whole_ms, 0.95),
        "bulk_answers_a_second": (open_before - left) / beside.seconds,
        "bulk_left": left,
    }


def _one_by_one(system: System, given: argparse.Namespace) -> Answers:
    together = Answers()
    for text in prompts(given.questions, "Name"):
        one = ask_queued(system, [text], given.tokens)
        together.seconds += one.seconds
        together.whole_ms += one.whole_ms
        together.first_ms += one.first_ms
    return together


if __name__ == "__main__":
    raise SystemExit(main())
