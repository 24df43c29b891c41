"""Passes whose process died: Dagster lists them as at work for an hour, and begins no other."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.names import RECONCILE_JOB
from orchestration.pass_lock import pass_at_work
from registry.settings import Settings

# From the start of a run until its first step holds the right to make a pass.
BEGINNING = timedelta(minutes=3)
# A run that waits for it takes it within a fifth of a second once it is free.
LOOK_AGAIN_SECONDS = 1.0


def end_dead_passes(
    instance: dg.DagsterInstance, settings: Settings, now: datetime | None = None
) -> list[str]:
    """Report each pass as failed that began a while ago and does not hold the right to make one,
    which the kernel took back when its process died; returns the runs' ids."""
    began_before = ((now or datetime.now(UTC)) - BEGINNING).timestamp()
    listed = instance.get_run_records(
        dg.RunsFilter(job_name=RECONCILE_JOB, statuses=[dg.DagsterRunStatus.STARTED])
    )
    old = [
        record.dagster_run
        for record in listed
        if (record.start_time or record.create_timestamp.timestamp()) < began_before
    ]
    if not old or not _nobody_makes_one(settings):
        return []
    for run in old:
        instance.report_run_failed(run, "its process died; the next pass takes up what it began")
    return [run.run_id for run in old]


def _nobody_makes_one(settings: Settings) -> bool:
    if pass_at_work(settings) is not None:
        return False
    time.sleep(LOOK_AGAIN_SECONDS)
    return pass_at_work(settings) is None
