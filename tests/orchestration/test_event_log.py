"""What passes write into the kept event log, Dagster's own storage reads: the UI uses that one."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
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


def test_what_is_planned_is_written_in_one_piece(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    pallets = [dg.AssetSpec(f"pallet_{number}") for number in range(20)]

    @dg.multi_asset(specs=pallets)
    def loading():
        for spec in pallets:
            yield dg.MaterializeResult(asset_key=spec.key)

    with _instance(tmp_path) as instance:
        storage = instance.event_log_storage
        batches = []
        store = storage.store_event_batch
        monkeypatch.setattr(storage, "store_event_batch", lambda e: (batches.append(e), store(e)))
        run = dg.materialize([loading], instance=instance).run_id
        assert [len(batch) for batch in batches] == [20]
        planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        types = [entry.dagster_event_type for entry in instance.all_logs(run)]
        assert types.count(planned) == 20
        # A failing batch is written event by event, as Dagster does; the storage goes on working.
        with pytest.raises(AttributeError):
            store([None])
        assert dg.materialize([loading], instance=instance).success
    plain = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    seen = [record.event_log_entry.dagster_event_type for record in _records(plain, run)]
    assert seen == types


def test_only_so_many_files_stay_open(tmp_path):
    with _instance(tmp_path) as instance:
        for _ in range(KEPT_SHARDS + 3):
            dg.materialize([pallet], instance=instance)
        assert len(instance.event_log_storage._engines) <= KEPT_SHARDS


def _records(storage: SqliteEventLogStorage, run_id: str) -> list:
    return list(storage.get_records_for_run(run_id).records)
