"""What passes write into the kept event log, Dagster's own storage reads: the UI uses that one."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.event_log import KEPT_SHARDS, KeptSqliteEventLogStorage


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="pallet")])
def pallet() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 7},
        check_results=[dg.AssetCheckResult(check_name="is_there", passed=True)],
    )


def _instance(home: Path) -> dg.DagsterInstance:
    kept = {
        "module": KeptSqliteEventLogStorage.__module__,
        "class": KeptSqliteEventLogStorage.__name__,
        "config": {"base_dir": str(home / "history" / "runs")},
    }
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(home), overrides={"event_log_storage": kept})
    )


def test_dagsters_own_storage_reads_what_was_kept(tmp_path):
    with _instance(tmp_path) as instance:
        runs = [dg.materialize([pallet], instance=instance).run_id for _ in range(KEPT_SHARDS + 2)]
        written = {run: [e.dagster_event_type for e in instance.all_logs(run)] for run in runs}
    plain = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    for run, types in written.items():
        assert dg.DagsterEventType.ASSET_MATERIALIZATION in types
        assert [r.event_log_entry.dagster_event_type for r in _records(plain, run)] == types
    seen = plain.get_latest_materialization_events([dg.AssetKey("pallet")])
    assert seen[dg.AssetKey("pallet")].run_id == runs[-1]


def test_only_so_many_files_stay_open(tmp_path):
    with _instance(tmp_path) as instance:
        for _ in range(KEPT_SHARDS + 3):
            dg.materialize([pallet], instance=instance)
        assert len(instance.event_log_storage._engines) <= KEPT_SHARDS


def _records(storage: SqliteEventLogStorage, run_id: str) -> list:
    return list(storage.get_records_for_run(run_id).records)
