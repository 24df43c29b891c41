"""Dagster's history is kept for so many days, and no longer: it grows by 2 MB a pass."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from orchestration.definitions import build_reconcile_schedule
from orchestration.installation import Installation
from orchestration.passes import open_instance
from orchestration.run_history import forget_old_runs
from registry.errors import ConfigurationError
from registry.settings import Settings, load_settings
from registry.systems import Registry


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="pallet")])
def pallet() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        tags={"dock": "7"},
        check_results=[dg.AssetCheckResult(check_name="is_there", passed=True)],
    )


def _installation(home: Path) -> Installation:
    return Installation(Settings(home, home / "systems.toml"), Registry(systems=(), folder=home))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(_installation(tmp_path)) as opened:
        yield opened


def _run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([pallet], instance=instance, tags={"dock": "7"}).run_id


def _traces(home: Path, run_id: str) -> list[str]:
    """Files and rows that are left of a run, wherever they are."""
    found = [str(path) for path in home.rglob("*") if run_id in path.name]
    for file in home.rglob("*.db"):
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.connect() as connection:
            for table in sa.inspect(engine).get_table_names():
                columns = {column["name"] for column in sa.inspect(engine).get_columns(table)}
                if "run_id" not in columns:
                    continue
                query = sa.text(f"select count(*) from {table} where run_id = :run")
                if connection.execute(query, {"run": run_id}).scalar_one():
                    found.append(f"{file.name}: {table}")
        engine.dispose()
    return found


def test_old_runs_go_without_a_trace_and_young_ones_stay(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    old, young = _run(instance), _run(instance)
    between = instance.get_run_record_by_id(young).create_timestamp
    assert _traces(tmp_path, old)
    now = between + timedelta(days=14)
    assert forget_old_runs(instance, 14, now - timedelta(days=1), never=0) == 0
    assert forget_old_runs(instance, 14, now, never=0) == 1
    assert _traces(tmp_path, old) == []
    assert instance.get_run_by_id(young) is not None
    assert any(event.dagster_event_type for event in instance.all_logs(young))
    # What was forgotten can be asked for, and another run goes on as ever.
    assert list(instance.all_logs(old)) == []
    assert instance.get_run_by_id(_run(instance)).is_success


def test_the_latest_stay_whatever_their_age_and_a_pass_forgets_only_so_many(
    instance: dg.DagsterInstance,
) -> None:
    runs = [_run(instance) for _ in range(4)]
    later = datetime.now(UTC) + timedelta(days=400)
    assert forget_old_runs(instance, 14, later, at_most=2, never=1) == 2
    assert forget_old_runs(instance, 14, later, at_most=2, never=1) == 1
    assert forget_old_runs(instance, 14, later, at_most=2, never=1) == 0
    assert [run.run_id for run in instance.get_runs()] == runs[-1:]


def test_what_has_not_ended_stays(instance: dg.DagsterInstance) -> None:
    at_work = instance.create_run_for_job(
        dg.define_asset_job("load", [pallet]).resolve(
            asset_graph=dg.Definitions([pallet]).resolve_asset_graph()
        ),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert forget_old_runs(instance, 0, datetime.now(UTC) + timedelta(days=400), never=0) == 0
    assert instance.get_run_by_id(at_work.run_id) is not None


def test_the_schedule_forgets_before_it_begins_a_pass(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "orchestration.definitions.forget_old_runs", lambda _i, days: asked.append(days)
    )
    job = dg.define_asset_job("reconcile", [pallet])
    schedule = build_reconcile_schedule(job, 300, on=False)
    context = dg.build_schedule_context(
        instance=instance, resources={"installation": _installation(tmp_path)}
    )
    schedule(context)
    assert asked == [14]


def test_how_long_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(tmp_path).run_history_days == 14
    monkeypatch.setenv("TALLYMAN_RUN_HISTORY_DAYS", "30")
    assert load_settings(tmp_path).run_history_days == 30
    for wrong in ("0", "a fortnight"):
        monkeypatch.setenv("TALLYMAN_RUN_HISTORY_DAYS", wrong)
        with pytest.raises(ConfigurationError, match="TALLYMAN_RUN_HISTORY_DAYS"):
            _ = load_settings(tmp_path).run_history_days
