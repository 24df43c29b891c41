"""Runs whose process died: Dagster lists them as at work for an hour, and begins no other."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.delivery_lock import forget_delivery, is_delivering
from orchestration.names import DELIVERY_JOB, RECONCILE_JOB
from orchestration.pass_lock import pass_at_work
from registry.settings import Settings

# From the start of a run until its first step holds the right to make a pass, or its own lock.
BEGINNING = timedelta(minutes=3)
# A run that waits for the right to make a pass takes it within a fifth of a second once it is free;
# one that has given its lock back is no longer listed as at work.
LOOK_AGAIN_SECONDS = 1.0


def end_dead_passes(
    instance: dg.DagsterInstance, settings: Settings, now: datetime | None = None
) -> list[str]:
    """Report each pass as failed that began a while ago and does not hold the right to make one,
    which the kernel took back when its process died; returns the runs' ids."""

    def lives(run: dg.DagsterRun) -> bool:
        return pass_at_work(settings) is not None

    reason = "its process died; the next pass takes up what it began"
    return _end(instance, RECONCILE_JOB, lives, reason, now)


def end_dead_deliveries(
    instance: dg.DagsterInstance, settings: Settings, now: datetime | None = None
) -> list[str]:
    """The same for deliveries, each of which holds a lock of its own: only so many may be at work,
    so that a dead one keeps all others from being begun."""

    def lives(run: dg.DagsterRun) -> bool:
        return is_delivering(settings, run.run_id)

    reason = "its process died; what it had under way is read before anything is sent again"
    ended = _end(instance, DELIVERY_JOB, lives, reason, now)
    for run_id in ended:
        forget_delivery(settings, run_id)
    return ended


def is_at_work(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Whether a run of a job waits for its turn or has begun: another one would only wait."""
    statuses = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    return bool(instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=statuses), limit=1))


def _end(
    instance: dg.DagsterInstance,
    job_name: str,
    lives: Callable[[dg.DagsterRun], bool],
    reason: str,
    now: datetime | None,
) -> list[str]:
    began_before = ((now or datetime.now(UTC)) - BEGINNING).timestamp()

    def dead() -> dict[str, dg.DagsterRun]:
        listed = instance.get_run_records(
            dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.STARTED])
        )
        return {
            record.dagster_run.run_id: record.dagster_run
            for record in listed
            if (record.start_time or record.create_timestamp.timestamp()) < began_before
            and not lives(record.dagster_run)
        }

    first_look = dead()
    if not first_look:
        return []
    time.sleep(LOOK_AGAIN_SECONDS)
    ended = [run for run_id, run in dead().items() if run_id in first_look]
    for run in ended:
        instance.report_run_failed(run, reason)
    return [run.run_id for run in ended]
