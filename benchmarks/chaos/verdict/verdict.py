"""The verdict on a run: where every accepted frame ended, what is there twice, and what the receiver did.

Every line in `Verdict.violations` is a promise that was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.journal import Entry
from benchmarks.chaos.load import text_of
from benchmarks.chaos.questions import QUESTIONS
from benchmarks.chaos.roles.stream import texts_of
from benchmarks.chaos.rounds import Round
from benchmarks.chaos.switches import CAMERA
from benchmarks.chaos.verdict.answers import judge_answers
from benchmarks.chaos.verdict.events import judge_events
from benchmarks.chaos.verdict.findings import Findings
from benchmarks.chaos.verdict.recovery import measure
from benchmarks.chaos.verdict.streams import judge_streams
from sightline.errors import BadImageError
from sightline.types import FrameRef, Pipeline

_MISSING = "frame_missing"


@dataclass
class Verdict:
    rounds: list[Round]
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    pipelines: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])  #: the same of each
    violations: list[str] = field(default_factory=list[str])


def judge(
    rounds: Sequence[Round], entries: Mapping[str, Entry], found: Findings, seed: int, *, timely: bool = True
) -> Verdict:
    """Compare what the producers know with what was found after the run. Fills in the rounds. See `Options.timely`."""
    verdict = Verdict(list(rounds))
    verdict.violations += [
        f"job {entry.job.job_id}: its producer never learned whether it was accepted"
        for entry in entries.values()
        if entry.verdict == "unknown" and entry.repeated
    ]
    accepted = {job_id: _accepted(entry, found) for job_id, entry in entries.items()}
    _judge_frames(verdict, entries, accepted, found)
    _judge_sources(verdict, entries, accepted, found)
    _judge_contents(verdict, entries, found, seed)
    _judge_work(verdict, entries, found, timely=timely)
    verdict.violations += judge_events(verdict.rounds, found)
    verdict.violations += judge_streams(entries, found.heard, found.starts, found.rows, seed)
    measure(verdict.rounds, entries, found)
    verdict.violations += found.left_over
    verdict.violations += [f"round {this.number + 1}: {this.missed}" for this in verdict.rounds if this.missed]
    return verdict


def _accepted(entry: Entry, found: Findings) -> dict[str, str]:
    """Source by frame. What a camera does not know of was accepted if it has an end; the ledger says so too, or not."""
    if entry.verdict != "unknown" or entry.repeated:
        return entry.accepted_frames
    sources = {frame.frame_id: frame.source_id for frame in entry.job.frames}
    return {frame_id: source_id for frame_id, source_id in sources.items() if _ends(frame_id, found)}


def _ends(frame_id: str, found: Findings) -> list[str]:
    places = {"stored": found.rows.frames, "dead": found.rows.dead, "dropped": found.dropped}
    return [name for name, place in places.items() if frame_id in place]


def _was_interrupted(entry: Entry) -> bool:
    """Its producer may have died between the ledger and the pixels: then the sweeper may send it without them."""
    return entry.tries > 1 or entry.verdict == "unknown"


def _judge_frames(
    verdict: Verdict, entries: Mapping[str, Entry], accepted: Mapping[str, Mapping[str, str]], found: Findings
) -> None:
    """Every accepted frame has exactly one end."""
    outcomes: Counter[str] = Counter()
    by_pipeline: dict[str, Counter[str]] = {}
    for job_id, entry in entries.items():
        this = verdict.rounds[entry.round or 0]
        this.accepted += len(accepted[job_id])
        this.refused += len(entry.job.frames) - len(accepted[job_id])
        for frame_id in accepted[job_id]:
            ends = _ends(frame_id, found)
            outcomes.update(ends)
            by_pipeline.setdefault(entry.job.pipeline, Counter()).update(ends)
            this.lost += not ends
            this.duplicated += len(ends) > 1
            if len(ends) != 1:
                verdict.violations.append(f"frame {frame_id} ({this.fault.name}): ends {ends or 'nowhere'}")
            reason = found.rows.dead[frame_id][1] if "dead" in ends else ""
            gave_up = entry.job.pipeline in QUESTIONS and reason in this.fault.gives_up
            is_missing = reason == _MISSING and _was_interrupted(entry)
            if reason and not entry.poison and not gave_up and not is_missing:
                this.innocent_dead += 1
                verdict.violations.append(f"frame {frame_id} ({this.fault.name}): innocent, but dead as {reason}")
            has_failed = entry.poison and entry.job.pipeline == FORKS
            if has_failed and reason != BadImageError.reason and ends not in ([], ["dropped"]):
                where = f"frame {frame_id} ({this.fault.name})"
                verdict.violations.append(f"{where}: a branch failed for good, but it is {' '.join(ends)} {reason}")
    outcomes["refused"] = sum(this.refused for this in verdict.rounds)
    verdict.outcomes = dict(outcomes)
    verdict.pipelines = {pipeline: dict(ends) for pipeline, ends in sorted(by_pipeline.items())}


def _judge_sources(
    verdict: Verdict, entries: Mapping[str, Entry], accepted: Mapping[str, Mapping[str, str]], found: Findings
) -> None:
    """The journal, the ledger's counts and the rows agree for each source.

    A job that was dropped or died before its producer knew of its admission is a new job when it is published again:
    both tries count, in what was published and in how it ended.
    """
    expected: dict[str, Counter[str]] = {}
    again: Counter[str] = Counter()
    rows = found.rows
    for job_id, entry in entries.items():
        for frame_id, source_id in accepted[job_id].items():
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
    rows, of_stream = found.rows, texts_of(seed)

    def shown(frame: FrameRef) -> set[str]:
        return of_stream if frame.source_id == CAMERA else {text_of(seed, frame.seq)}

    for entry in entries.values():
        if entry.job.pipeline in QUESTIONS:
            verdict.violations += judge_answers(entry.job, rows, seed)
            continue
        for frame in entry.job.frames:
            if frame.frame_id not in rows.frames:
                continue
            texts = set[str]() if entry.job.pipeline == Pipeline.OBJECTS else shown(frame)
            detections, readings = rows.detections[frame.frame_id], rows.readings.get(frame.frame_id, [])
            if detections != 1 or len(readings) != bool(texts) or not texts >= set(readings):
                verdict.rounds[entry.round or 0].duplicated += detections > 1 or len(readings) > bool(texts)
                verdict.violations.append(
                    f"frame {frame.frame_id}: {detections} detections, read {readings}, not {sorted(texts)[:3]}"
                )
    verdict.violations += [f"passage {id}: does not count the readings it has" for id in rows.wrong_passages]
    unknown = rows.frames.keys() - {frame.frame_id for entry in entries.values() for frame in entry.job.frames}
    verdict.violations += [f"frame {frame_id}: stored, but never published" for frame_id in sorted(unknown)]


def _judge_work(verdict: Verdict, entries: Mapping[str, Entry], found: Findings, *, timely: bool) -> None:
    """Work is done twice only after faults that take workers or connections away."""
    for (job_id, _), starts in found.starts.items():
        if job_id in entries:
            verdict.rounds[entries[job_id].round or 0].repeated_work += starts - 1
    for this in verdict.rounds:
        if timely and this.repeated_work and not this.fault.repeats:
            verdict.violations.append(
                f"round {this.number + 1} ({this.fault.name}): {this.repeated_work} stages did their work twice"
            )
