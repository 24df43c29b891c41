"""How long Dagster's runs are kept: what one leaves (2 MB a pass) and how it goes again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.runs.schema import RunTagsTable

from orchestration.event_log import KeptSqliteEventLogStorage

log = logging.getLogger(__name__)

ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
A_PASS = 10  # runs forgotten at a time, 0.04 s of CPU each; a pass makes two
LATEST = 20  # runs that stay whatever their age: an installation that stood still shows its end


def forget_old_runs(
    instance: dg.DagsterInstance,
    days: int,
    now: datetime | None = None,
    at_most: int = A_PASS,
    never: int = LATEST,
) -> int:
    """Delete runs that ended more than so many days ago, the oldest first; returns how many.

    What can't be deleted now (the UI holds a file) is only logged: the next pass tries again.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    latest = set(instance.get_run_ids(limit=never)) if never else set()
    old = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, updated_before=before),
        limit=at_most + never,
        ascending=True,
    )
    forgotten = 0
    for record in [r for r in old if r.dagster_run.run_id not in latest][:at_most]:
        run_id = record.dagster_run.run_id
        try:
            _forget(instance, run_id)
        except (OSError, sa.exc.OperationalError) as error:
            log.warning("run %s could not be forgotten: %s", run_id, error)
            break
        forgotten += 1
    return forgotten


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """The run itself last: what is interrupted is found again. Dagster's own ``delete_run`` leaves
    the file of the events, the results of checks, and where SQLite keeps them the tags."""
    events, runs, logs = (
        instance.event_log_storage,
        instance.run_storage,
        instance.compute_log_manager,
    )
    events.delete_events(run_id)
    if isinstance(events, SqlEventLogStorage):
        checks = AssetCheckExecutionsTable
        with events.index_connection() as connection:
            connection.execute(sa.delete(checks).where(checks.c.run_id == run_id))
    if isinstance(events, SqliteEventLogStorage):
        if isinstance(events, KeptSqliteEventLogStorage):
            events.close_shard(run_id)
        for ending in ("", "-wal", "-shm"):
            Path(events.path_for_shard(run_id) + ending).unlink(missing_ok=True)
    if isinstance(logs, LocalComputeLogManager):
        logs.delete_logs(prefix=[run_id])
    if isinstance(runs, SqlRunStorage):
        with runs.connect() as connection:
            connection.execute(sa.delete(RunTagsTable).where(RunTagsTable.c.run_id == run_id))
    runs.delete_run(run_id)
