"""`python -m deploy.dashboards`: writes the dashboards of Grafana. A test compares them with what is written here.

A panel is a line here and eighty lines of JSON there. What is asked goes by the names in docs/how-to/watch.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.grafana import RATE, Dashboard, Panel, as_json, quantile, stat

FOLDER: Final = Path(__file__).parent / "observe/dashboards"


OVERVIEW = Dashboard(
    "sightline-overview",
    "Overview",
    (
        stat("Stores that answer", "min(sightline_store_up)", description="0: one does not; see below which."),
        stat("Books balance", "min(sightline_audit_balanced)", description="Every frame of the last hour."),
        stat("Open frames", "max(sightline_open_frames)"),
        stat("Oldest open", "max(sightline_oldest_open_seconds)", "s"),
        stat("Dead letters", "sum(max by (reason) (sightline_dead_letters))"),
        stat("Cameras running", 'max(sightline_cameras{state="running"})'),
        Panel(
            "Frames a second, by outcome",
            (
                (
                    f"sum by (outcome, reason) (max by (outcome, reason) (rate(sightline_frames_total[{RATE}])))",
                    "{{outcome}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Messages that wait", (("sum by (queue) (max by (queue, lane) (sightline_queue_messages))", "{{queue}}"),)
        ),
        Panel(
            "Age of the oldest message",
            (("max by (queue, lane) (sightline_queue_oldest_seconds)", "{{queue}} {{lane}}"),),
            "s",
        ),
        Panel("Time of a stage, 95 %", ((quantile(0.95, "sightline_stage_seconds", "stage"), "{{stage}}"),), "s"),
        Panel("Dead letters, by reason", (("max by (reason) (sightline_dead_letters)", "{{reason}}"),)),
        Panel("Stores that answer", (("min by (store) (sightline_store_up)", "{{store}}"),)),
        Panel(
            "Memory of Redis",
            (("max by (redis) (sightline_redis_memory_bytes / sightline_redis_memory_limit_bytes)", "{{redis}}"),),
            "percentunit",
        ),
        Panel(
            "Disk",
            (
                ("min(sightline_picture_disk_free_bytes)", "free for pictures"),
                ("max(sightline_database_bytes)", "database"),
            ),
            "bytes",
        ),
        Panel("Events that wait, by sink", (("max by (sink) (sightline_sink_waiting_events)", "{{sink}}"),)),
        Panel("Age of the oldest event", (("max by (sink) (sightline_sink_oldest_seconds)", "{{sink}}"),), "s"),
        Panel(
            "Memory of processes",
            (('process_resident_memory_bytes{job="sightline"}', "{{instance}} {{process}}"),),
            "bytes",
        ),
        Panel(
            "CPU of processes",
            ((f'rate(process_cpu_seconds_total{{job="sightline"}}[{RATE}])', "{{instance}} {{process}}"),),
            "percentunit",
        ),
    ),
)

_HERE: Final = '{queue="$queue"}'
QUEUE = Dashboard(
    "sightline-queue",
    "Queue",
    (
        Panel("Messages that wait", ((f"max by (lane) (sightline_queue_messages{_HERE})", "{{lane}}"),)),
        Panel("Age of the oldest", ((f"max by (lane) (sightline_queue_oldest_seconds{_HERE})", "{{lane}}"),), "s"),
        Panel(
            "Messages begun a second",
            ((f"sum by (lane) (rate(sightline_queue_wait_seconds_count{_HERE}[{RATE}]))", "{{lane}}"),),
        ),
        Panel(
            "Wait of a message",
            (
                (quantile(0.5, "sightline_queue_wait_seconds", "lane", _HERE), "{{lane}}, half"),
                (quantile(0.95, "sightline_queue_wait_seconds", "lane", _HERE), "{{lane}}, 95 %"),
            ),
            "s",
        ),
        Panel("Time of a stage, half", ((quantile(0.5, "sightline_stage_seconds", "stage"), "{{stage}}"),), "s"),
        Panel("Held by workers", (("sum(sightline_worker_held_messages)", "messages"),)),
        Panel(
            "Age of the oldest lease",
            (
                ("max(sightline_lease_age_seconds)", "oldest"),
                ("max(sightline_lease_limit_seconds)", "returns after"),
            ),
            "s",
        ),
        Panel("Since the last sweep", (("min(sightline_sweep_age_seconds)", "seconds"),), "s"),
    ),
    ("queue", "sightline_queue_messages"),
)

CAMERAS = Dashboard(
    "sightline-cameras",
    "Cameras",
    (
        Panel("Cameras by state", (("max by (state) (sightline_cameras)", "{{state}}"),)),
        Panel("Cameras that see nothing", (("max by (condition) (sightline_blind_cameras)", "{{condition}}"),)),
        Panel("Frames read a second", (("sum(sightline_camera_read_frames_per_second)", "read"),)),
        Panel(
            "Sampled frames a second, by fate",
            ((f"sum by (fate) (rate(sightline_camera_frames_total[{RATE}]))", "{{fate}}"),),
        ),
        Panel(
            "Frames dropped a second, by reason",
            (
                (
                    f'sum by (reason) (rate(sightline_camera_frames_total{{fate="dropped"}}[{RATE}])) or vector(0)',
                    "{{reason}}",
                ),
            ),
            description="Never published. What workers drop is in the overview.",
        ),
        Panel(
            "Not sent because nothing moved or workers were behind",
            (
                (
                    f'sum(rate(sightline_camera_frames_total{{fate=~"gated|thinned"}}[{RATE}])) '
                    f'/ sum(rate(sightline_camera_frames_total{{fate="sampled"}}[{RATE}]))',
                    "share",
                ),
            ),
            "percentunit",
        ),
        Panel("Readers by process", (("sum by (instance) (sightline_camera_readers)", "{{instance}}"),)),
    ),
)

CAPACITY = Dashboard(
    "sightline-capacity",
    "Capacity",
    (
        Panel(
            "Frames a second, by stage",
            ((f"sum by (stage) (rate(sightline_stage_frames_total[{RATE}]))", "{{stage}}"),),
        ),
        Panel(
            "CPU seconds per 1,000 frames",
            (
                (
                    f'1000 * sum(rate(process_cpu_seconds_total{{job="sightline"}}[{RATE}])) '
                    f'/ sum(max by (outcome) (rate(sightline_frames_total{{outcome="stored"}}[{RATE}])))',
                    "all roles",
                ),
            ),
            "s",
            description="What a frame costs, of all processes that Prometheus asks.",
        ),
        Panel(
            "How busy models are",
            ((f"sum by (runner) (rate(sightline_model_seconds_total[{RATE}]))", "{{runner}}"),),
            "percentunit",
            description="100 %: one call at all times. Near it, another worker helps, or a faster device.",
        ),
        Panel(
            "Time of a call of a model",
            (
                (
                    f"sum by (runner) (rate(sightline_model_seconds_total[{RATE}])) "
                    f"/ sum by (runner) (rate(sightline_batches_total[{RATE}]))",
                    "{{runner}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Items in a batch",
            (
                (
                    f"sum by (runner) (rate(sightline_batch_size_sum[{RATE}])) "
                    f"/ sum by (runner) (rate(sightline_batch_size_count[{RATE}]))",
                    "{{runner}}",
                ),
            ),
        ),
        Panel(
            "Batches a second, by why they were begun",
            ((f"sum by (runner, reason) (rate(sightline_batches_total[{RATE}]))", "{{runner}} {{reason}}"),),
        ),
        Panel("Items that wait for a model", (("sum by (runner) (sightline_runner_waiting_items)", "{{runner}}"),)),
        Panel(
            "Items that failed",
            ((f"sum by (runner) (rate(sightline_runner_failed_items_total[{RATE}]))", "{{runner}}"),),
        ),
        Panel(
            "Connections to the database",
            (
                ('max by (instance) (sightline_database_connections{state="in_use"})', "{{instance}}"),
                ("max(sightline_database_connections_limit)", "limit of a process"),
            ),
        ),
        Panel("Workers that wait out an outage", (("sum(sightline_worker_waits_for_service)", "workers"),)),
    ),
)

DASHBOARDS: Final = (OVERVIEW, QUEUE, CAMERAS, CAPACITY)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(as_json(dashboard))


if __name__ == "__main__":
    main()
