"""Real processes: killed at every crash point, or delivering at once. Judged by the ledger."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine_under_test import Engine
from fake_target import FakeSource, FakeTarget, World, system
from samples import quantity_change

from registry.systems import Policy
from writeback.dispatch import deliver_due
from writeback.store import OperationsStore

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CRASH_POINTS = (
    "writeback.after_enqueue",
    "writeback.after_lease",
    "writeback.before_send",
    "writeback.after_send_before_mark",
    "writeback.after_mark",
    "writeback.during_verify",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    world = World(tmp_path / "world.sqlite")
    for number in range(1, 61):
        world.set_line(f"E5{number:05}/10", 5)
    store = OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}")
    store.set_gates("build-1", {"erp": (True, "")})
    store.close()
    set_clock(tmp_path, START)
    return tmp_path


def set_clock(folder: Path, moment: datetime) -> None:
    (folder / "clock").write_text(moment.isoformat(), encoding="utf-8")


def start(folder: Path, *steps: str, crash_at: str | None = None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])}
    environment.pop("TALLYMAN_CRASH_AT", None)
    if crash_at:
        environment["TALLYMAN_CRASH_AT"] = crash_at
    return subprocess.Popen(
        [sys.executable, str(HERE / "dispatcher_process.py"), str(folder), *steps],
        env=environment,
    )


@pytest.mark.parametrize("honours_keys", [True, False])
@pytest.mark.parametrize("crash_at", CRASH_POINTS)
def test_killed_at_a_crash_point_and_run_again_there_is_exactly_one_effect(
    folder: Path, crash_at: str, honours_keys: bool
) -> None:
    if honours_keys:
        (folder / "honours_keys").touch()
    steps = ("enqueue:3", "deliver", "verify")
    assert start(folder, *steps, crash_at=crash_at).wait(60) == -signal.SIGKILL
    again = ("advance:3600", *steps)
    assert start(folder, *again, *again, *again).wait(60) == 0
    world = World(folder / "world.sqlite")
    assert sorted(record for _, record, _, _ in world.effects()) == [
        f"E5{number:05}/10" for number in (1, 2, 3)
    ]
    store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}")
    assert store.counts_by_state()["verified"] == 3
    assert sum(store.counts_by_state().values()) == 3
    store.close()


def test_a_killed_dispatcher_is_resolved_by_a_read_and_not_before_its_lease_ends(
    folder: Path,
) -> None:
    start(folder, "enqueue:1", "deliver", crash_at="writeback.after_send_before_mark").wait(60)
    assert start(folder, "deliver").wait(60) == 0
    store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}")
    (correction,) = store.list()
    assert correction.state == "sending"
    set_clock(folder, START + timedelta(hours=1))
    assert start(folder, "deliver").wait(60) == 0
    detail = store.get(correction.correction_key)
    assert detail.correction.state == "accepted"
    assert [attempt.phase for attempt in detail.attempts] == ["lease", "read"]
    assert len(World(folder / "world.sqlite").requests()) == 1
    store.close()


def test_several_processes_at_once_send_each_correction_once(folder: Path) -> None:
    assert start(folder, "enqueue:60").wait(60) == 0
    processes = [start(folder, "deliver") for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    world = World(folder / "world.sqlite")
    assert len(world.requests()) == 60
    assert len({key for key, *_ in world.effects()}) == 60


def test_several_processes_may_enqueue_the_same_build_at_once(folder: Path) -> None:
    processes = [start(folder, "enqueue:60") for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}")
    assert store.counts_by_state()["ready"] == 60
    store.close()


def test_threads_at_once_send_each_correction_once(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def run(seed: int) -> None:
        target, source = FakeTarget(engine.world, system()), FakeSource(engine.world)
        rng = random.Random(seed)
        try:
            barrier.wait()
            deliver_due(
                engine.store, {"erp": target}, {"erp": source}, Policy(), engine.clock, rng, 100
            )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert len(engine.world.requests()) == 20
    assert engine.store.counts_by_state()["accepted"] == 20


def test_threads_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'operations.sqlite'}"
    failures: list[BaseException] = []

    def run() -> None:
        try:
            OperationsStore(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
