"""Two passes at once would break each other: one would publish what the other has half built."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry

from orchestration import dead_runs
from orchestration.cli import main
from orchestration.corrections import build_due_sensor, build_sweep_schedule, delivery_job
from orchestration.dead_runs import end_dead_deliveries, end_dead_passes
from orchestration.definitions import build_reconcile_schedule, installation_resource
from orchestration.installation import Installation
from orchestration.names import DELIVERY_JOB, PASS_TAGS, RECONCILE_JOB
from orchestration.pass_lock import PassAtWorkError, pass_at_work, pass_lock
from registry.settings import Settings
from registry.systems import Registry

HOLDER = """
import sys
from pathlib import Path
from orchestration.delivery_lock import delivery_lock
from orchestration.pass_lock import pass_lock
from registry.settings import Settings
home, *runs = sys.argv[1:]
settings = Settings(Path(home), Path(home) / "systems.toml")
with delivery_lock(settings, *runs) if runs else pass_lock(settings):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    settings = Settings(tmp_path, tmp_path / "systems.toml")
    return Installation(settings, Registry(systems=(), folder=tmp_path))


@contextmanager
def another_pass(home: Path, *delivery: str) -> Iterator[subprocess.Popen[str]]:
    """A process that makes a pass until it is killed, or a delivery, if its run is named."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home), *delivery],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_command_that_finds_a_pass_at_work_says_whose(
    installation: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    systems = tmp_path / "systems.toml"
    systems.write_text("systems = []\n")
    monkeypatch.setattr(
        sys, "argv", ["tallyman", "sync", "--home", str(tmp_path), "--systems", str(systems)]
    )
    with another_pass(tmp_path) as other:
        with pytest.raises(SystemExit) as ended:
            main()
        told = " ".join(capsys.readouterr().err.split())
        assert ended.value.code == 3
        assert "a pass is at work since 20" in told and f"process {other.pid}: wait" in told
    # The kernel took it back from the process that was killed.
    assert pass_at_work(installation.settings) is None
    with pass_lock(installation.settings):
        assert pass_at_work(installation.settings) is not None


def test_a_run_holds_it_from_its_first_step_to_its_last(installation: Installation) -> None:
    seen: list[bool] = []

    @dg.asset
    def first(installation: dg.ResourceParam[Installation]) -> None:
        seen.append(pass_at_work(installation.settings) is not None)

    @dg.asset(deps=[first])
    def last(installation: dg.ResourceParam[Installation]) -> None:
        seen.append(pass_at_work(installation.settings) is not None)

    def run(job: str) -> list[bool]:
        seen.clear()
        defs = dg.Definitions(
            assets=[first, last],
            jobs=[dg.define_asset_job(job, [first, last], executor_def=dg.in_process_executor)],
            resources={"installation": installation_resource(installation)},
        )
        assert defs.resolve_job_def(job).execute_in_process().success
        assert pass_at_work(installation.settings) is None
        return list(seen)

    assert run(RECONCILE_JOB) == [True, True]
    # A delivery works on the operations store alone, beside a pass.
    assert run(DELIVERY_JOB) == [False, False]


def test_a_command_has_it_already_when_its_job_takes_it(installation: Installation) -> None:
    @dg.asset
    def only(installation: dg.ResourceParam[Installation]) -> None:
        assert pass_at_work(installation.settings) is not None

    defs = dg.Definitions(
        assets=[only],
        jobs=[dg.define_asset_job(RECONCILE_JOB, [only], executor_def=dg.in_process_executor)],
        resources={"installation": installation_resource(installation)},
    )
    with pass_lock(installation.settings):
        assert defs.resolve_job_def(RECONCILE_JOB).execute_in_process().success
        assert pass_at_work(installation.settings) is not None
    assert pass_at_work(installation.settings) is None


def test_the_schedule_skips_while_a_command_makes_a_pass(
    installation: Installation, tmp_path: Path
) -> None:
    @dg.asset
    def pallet() -> None:
        return None

    schedule = build_reconcile_schedule(dg.define_asset_job("reconcile", [pallet]), 300, on=False)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        context = dg.build_schedule_context(
            instance=instance, resources={"installation": installation}
        )
        with another_pass(tmp_path):
            skipped = schedule(context)
        assert isinstance(skipped, dg.SkipReason) and "since 20" in skipped.skip_message
        assert isinstance(schedule(context), dg.RunRequest)


def test_the_schedule_goes_on_after_a_pass_whose_process_died(
    installation: Installation, tmp_path: Path
) -> None:
    """After a reboot Dagster would list it as at work for an hour, and begin none beside it."""

    @dg.asset
    def pallet() -> None:
        return None

    job = dg.define_asset_job(RECONCILE_JOB, [pallet])
    schedule = build_reconcile_schedule(job, 300, on=False)
    graph = dg.Definitions([pallet]).resolve_asset_graph()
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        run = instance.create_run_for_job(
            job.resolve(asset_graph=graph), status=dg.DagsterRunStatus.STARTED
        )

        def ended(minutes: int) -> list[str]:
            later = datetime.now(UTC) + timedelta(minutes=minutes)
            return end_dead_passes(instance, installation.settings, later)

        context = dg.build_schedule_context(
            instance=instance, resources={"installation": installation}
        )
        assert ended(minutes=2) == [], "it may have begun, and not taken the lock yet"
        assert isinstance(schedule(context), dg.SkipReason)
        with another_pass(tmp_path):
            assert ended(minutes=4) == [], "it may be this one"
        assert ended(minutes=4) == [run.run_id]
        told = instance.get_run_by_id(run.run_id)
        assert told is not None and told.status is dg.DagsterRunStatus.FAILURE
        assert isinstance(schedule(context), dg.RunRequest)


@pytest.mark.parametrize(("tags", "again"), [(PASS_TAGS, False), ({}, True)])
def test_dagster_does_not_take_up_a_pass_that_was_killed(
    tmp_path: Path, tags: dict[str, str], again: bool
) -> None:
    """From the failed step on, it would judge and publish what another pass has half built."""

    @dg.asset
    def pallet() -> None:
        return None

    graph = dg.Definitions([pallet]).resolve_asset_graph()
    job = dg.define_asset_job(RECONCILE_JOB, [pallet], tags=tags).resolve(asset_graph=graph)
    shutil.copy(Path(dead_runs.__file__).with_name("dagster.yaml"), tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        run = instance.create_run_for_job(
            job, tags=dict(job.run_tags), status=dg.DagsterRunStatus.STARTED
        )
        instance.report_run_failed(run, "its process died")
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None and should_retry(ended, instance) == again


def test_a_delivery_whose_process_was_killed_does_not_keep_the_next_one_waiting(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One may be at work at a time, and Dagster would list the dead one for an hour."""
    monkeypatch.setattr(type(installation.store), "due_fingerprint", lambda *_: "due")
    sensor = build_due_sensor(on=False)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        run = instance.create_run_for_job(delivery_job, status=dg.DagsterRunStatus.STARTED)

        def ended(minutes: int) -> list[str]:
            later = datetime.now(UTC) + timedelta(minutes=minutes)
            return end_dead_deliveries(instance, installation.settings, later)

        with another_pass(tmp_path, run.run_id):
            assert ended(minutes=4) == []
        locks = tmp_path / "deliveries"
        assert [lock.stem for lock in locks.iterdir()] == [run.run_id]
        assert ended(minutes=2) == [], "it may have begun, and not taken its lock yet"
        monkeypatch.setattr(dead_runs, "BEGINNING", timedelta(0))
        with dg.build_sensor_context(
            instance=instance, resources={"installation": installation_resource(installation)}
        ) as asked:
            assert len(sensor.evaluate_tick(asked).run_requests or []) == 1
        told = instance.get_run_by_id(run.run_id)
        assert told is not None and told.status is dg.DagsterRunStatus.FAILURE
        assert list(locks.iterdir()) == []


@pytest.mark.parametrize("status", ["STARTING", "STARTED"])
def test_while_a_delivery_is_at_work_none_is_begun(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Each attempt changes what the sensor asks for, and so began another one that found nothing
    to do."""
    monkeypatch.setattr(type(installation.store), "due_fingerprint", lambda *_: "due")
    monkeypatch.setattr(type(installation.store), "waking_count", lambda *_: 1)
    schedule, sensor = build_sweep_schedule(on=False), build_due_sensor(on=False)
    made = {"installation": installation_resource(installation)}
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:

        def begun() -> list[int]:
            with dg.build_schedule_context(instance=instance, resources=made) as context:
                swept = schedule.evaluate_tick(context).run_requests or []
            with dg.build_sensor_context(instance=instance, resources=made) as asked:
                woken = sensor.evaluate_tick(asked).run_requests or []
            return [len(swept), len(woken)]

        assert begun() == [1, 1]
        run = instance.create_run_for_job(delivery_job, status=dg.DagsterRunStatus[status])
        assert begun() == [0, 0]
        instance.report_run_canceled(run)
        assert begun() == [1, 1]


def test_a_delivery_leaves_no_lock_behind(installation: Installation, tmp_path: Path) -> None:
    made = {"installation": installation_resource(installation)}
    assert delivery_job.execute_in_process(resources=made).success
    assert list((tmp_path / "deliveries").iterdir()) == []


def test_it_is_not_had_twice(installation: Installation, tmp_path: Path) -> None:
    with another_pass(tmp_path), pytest.raises(PassAtWorkError), pass_lock(installation.settings):
        pass


def test_what_only_asks_has_the_installation_beside_a_pass(
    installation: Installation, tmp_path: Path
) -> None:
    """As Dagster's daemon asks: the resource is made for each tick."""
    schedule, sensor = build_sweep_schedule(on=False), build_due_sensor(on=False)
    made = {"installation": installation_resource(installation)}
    with another_pass(tmp_path), dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        with dg.build_schedule_context(instance=instance, resources=made) as context:
            assert schedule.evaluate_tick(context).skip_message == "nothing is due"
        with dg.build_sensor_context(instance=instance, resources=made) as asked:
            assert sensor.evaluate_tick(asked).skip_message == "nothing is due"
