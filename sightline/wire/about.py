"""What a span says of a job, the same at each step."""

from __future__ import annotations

from sightline.wire.messages import Job


def about_job(job: Job) -> dict[str, str | int | None]:
    """The job, and its source and frame where it has just one."""
    sources = {item.source_id for item in job.frames}
    return {
        "sightline__job_id": job.job_id,
        "sightline__pipeline": str(job.pipeline),
        "sightline__lane": job.lane.value,
        "sightline__attempt": job.attempt,
        "sightline__items": len(job.frames),
        "sightline__source_id": sources.pop() if len(sources) == 1 else None,
        "sightline__frame_id": job.frames[0].frame_id if len(job.frames) == 1 else None,
    }
