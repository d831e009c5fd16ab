"""The verdict on a run: where every accepted frame ended, what is there twice, and how long it took.

Every line in `Verdict.violations` is a promise that was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.faults import Fault
from benchmarks.chaos.findings import Findings
from benchmarks.chaos.journal import Entry
from benchmarks.chaos.load import text_of
from sightline.types import Pipeline


@dataclass
class Round:
    """One fault and the frames that were published around it. Times are epoch seconds."""

    number: int
    fault: Fault
    struck_at: float = 0.0
    quiet: bool = True  #: nothing was open any more when it ended
    accepted: int = 0
    refused: int = 0
    lost: int = 0
    duplicated: int = 0
    innocent_dead: int = 0  #: dead letters of jobs without a poisoned picture
    repeated_work: int = 0  #: stages that began once more on a job
    #: From the fault to the first end of a job that was published after it.
    goes_on_s: float | None = None
    #: The longest that a job of this round took from its publish to its rows.
    slowest_s: float | None = None


@dataclass
class Verdict:
    rounds: list[Round]
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    violations: list[str] = field(default_factory=list[str])


def judge(rounds: Sequence[Round], entries: Mapping[str, Entry], found: Findings, seed: int) -> Verdict:
    """Compare what the producer knows with what was found after the run. Fills in the rounds."""
    verdict = Verdict(list(rounds))
    verdict.violations += [
        f"job {entry.job.job_id}: its producer never learned whether it was accepted"
        for entry in entries.values()
        if entry.verdict == "unknown"
    ]
    _judge_frames(verdict, entries, found)
    _judge_sources(verdict, entries, found)
    _judge_contents(verdict, entries, found, seed)
    _judge_work(verdict, entries, found)
    _measure(verdict, entries, found)
    verdict.violations += found.left_over
    return verdict


def _judge_frames(verdict: Verdict, entries: Mapping[str, Entry], found: Findings) -> None:
    """Every accepted frame has exactly one end."""
    outcomes: Counter[str] = Counter()
    rows = found.rows
    for entry in entries.values():
        this = verdict.rounds[entry.round]
        accepted = entry.accepted_frames
        this.accepted += len(accepted)
        this.refused += len(entry.job.frames) - len(accepted)
        for frame_id in accepted:
            places = {"stored": rows.frames, "dead": rows.dead, "dropped": found.dropped}
            ends = [name for name, place in places.items() if frame_id in place]
            outcomes.update(ends)
            this.lost += not ends
            this.duplicated += len(ends) > 1
            if len(ends) != 1:
                verdict.violations.append(f"frame {frame_id} ({this.fault.name}): ends {ends or 'nowhere'}")
            if "dead" in ends and not entry.poison:
                this.innocent_dead += 1
                reason = rows.dead[frame_id][1]
                verdict.violations.append(f"frame {frame_id} ({this.fault.name}): innocent, but dead as {reason}")
    outcomes["refused"] = sum(this.refused for this in verdict.rounds)
    verdict.outcomes = dict(outcomes)


def _judge_sources(verdict: Verdict, entries: Mapping[str, Entry], found: Findings) -> None:
    """The journal, the ledger's counts and the rows agree for each source.

    A job that was dropped or died before its producer knew of its admission is a new job when it is published again:
    both tries count, in what was published and in how it ended.
    """
    expected: dict[str, Counter[str]] = {}
    again: Counter[str] = Counter()
    rows = found.rows
    for entry in entries.values():
        for frame_id, source_id in entry.accepted_frames.items():
            counts = expected.setdefault(source_id, Counter())
            counts["published"] += 1
            counts["stored"] += frame_id in rows.frames
            counts["dead"] += frame_id in rows.dead
            counts["dropped"] += frame_id in found.dropped
            again[source_id] += entry.tries - 1
    for source_id in sorted(expected.keys() | found.counts.keys()):
        ledger: Counter[str] = Counter()
        for outcome, frames in found.counts.get(source_id, {}).items():
            ledger[outcome.partition(":")[0]] += frames
        wanted = expected.get(source_id, Counter())
        extra = ledger["published"] - wanted["published"]
        ended_early = sum(ledger[outcome] - wanted[outcome] for outcome in ("dead", "dropped"))
        agree = ledger["stored"] == wanted["stored"] and not ledger["repeated"] and extra == ended_early
        if not agree or not 0 <= extra <= again[source_id]:
            verdict.violations.append(
                f"source {source_id}: the ledger counts {dict(+ledger)}, journal and rows say {dict(+wanted)}"
            )
    if not found.balanced:
        verdict.violations.append("`sightline audit` does not balance")


def _judge_contents(verdict: Verdict, entries: Mapping[str, Entry], found: Findings, seed: int) -> None:
    """A stored frame has the one detection and the one reading that its picture shows."""
    rows = found.rows
    for entry in entries.values():
        for frame in entry.job.frames:
            if frame.frame_id not in rows.frames:
                continue
            texts = [] if entry.job.pipeline is Pipeline.OBJECTS else [text_of(seed, frame.seq)]
            got = (rows.detections[frame.frame_id], rows.readings.get(frame.frame_id, []))
            if got != (1, texts):
                verdict.rounds[entry.round].duplicated += got[0] > 1 or len(got[1]) > len(texts)
                verdict.violations.append(f"frame {frame.frame_id}: {got[0]} detections, read {got[1]}, not {texts}")
    verdict.violations += [f"passage {id}: does not count the readings it has" for id in rows.wrong_passages]
    unknown = rows.frames.keys() - {frame.frame_id for entry in entries.values() for frame in entry.job.frames}
    verdict.violations += [f"frame {frame_id}: stored, but never published" for frame_id in sorted(unknown)]


def _judge_work(verdict: Verdict, entries: Mapping[str, Entry], found: Findings) -> None:
    """Work is done twice only after faults that take workers or connections away."""
    for (job_id, _), starts in found.starts.items():
        if job_id in entries:
            verdict.rounds[entries[job_id].round].repeated_work += starts - 1
    for this in verdict.rounds:
        if this.repeated_work and not this.fault.repeats:
            verdict.violations.append(
                f"round {this.number + 1} ({this.fault.name}): {this.repeated_work} stages did their work twice"
            )


def _measure(verdict: Verdict, entries: Mapping[str, Entry], found: Findings) -> None:
    for entry in entries.values():
        this, job = verdict.rounds[entry.round], entry.job
        finished_at = found.rows.finished_at.get(job.job_id)
        if finished_at is None or entry.poison:
            continue
        this.slowest_s = max(this.slowest_s or 0.0, finished_at - job.published_at)
        if job.published_at > this.struck_at:
            after_s = finished_at - this.struck_at
            this.goes_on_s = min(this.goes_on_s or after_s, after_s)
