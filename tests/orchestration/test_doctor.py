"""A loop that stopped must not look healthy: the age of its build, and the room on its disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from orchestration.cli import main
from orchestration.doctor import Finding, examine
from registry.contracts import contract_of
from registry.settings import Settings, load_settings
from registry.systems import Policy
from writeback import tables
from writeback.clock import SystemClock
from writeback.propose import enqueue
from writeback.store import AttemptEntry, OperationsStore

COLUMNS = (
    "rule_id, title, object_id, status, severity, owner, system, counterpart_system, opened_at, "
    "due_at, closed_at, value_at_risk, currency, field, expected_value, observed_value, held_reason"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation that reads every five minutes, with a build of no exceptions."""
    systems = tmp_path / "systems.toml"
    systems.write_text(
        '[[systems]]\nname = "erp"\nrole = "erp"\nconnector = "demo_erp"\n'
        'cadence_seconds = 300\nsecrets.api_key = "NOT_SET_ANYWHERE"\n'
    )
    build = tmp_path / "published" / "build-1"
    build.mkdir(parents=True)
    (tmp_path / "published" / "current").symlink_to("build-1", target_is_directory=True)
    with duckdb.connect(str(build / "tallyman.duckdb")) as connection:
        connection.execute("create schema marts")
        typed = ", ".join(f"{name.strip()} varchar" for name in COLUMNS.split(","))
        connection.execute(f"create table marts.exceptions ({typed})")
    return load_settings(tmp_path, systems)


NOW = datetime.now(UTC)


def published(settings: Settings, minutes_ago: float) -> datetime:
    at = NOW - timedelta(minutes=minutes_ago)
    manifest = settings.published / "build-1" / "manifest.json"
    manifest.write_text(json.dumps({"published_at": at.isoformat(timespec="seconds")}))
    return at


def finding(settings: Settings, area: str) -> Finding:
    (found,) = [one for one in examine(settings, NOW) if one.area == area]
    return found


def test_a_build_of_the_last_three_passes_is_healthy(settings: Settings) -> None:
    published(settings, 14)
    found = finding(settings, "last pass")
    assert found.ok and "14 minutes ago" in found.detail


def test_a_loop_that_stopped_is_not(settings: Settings) -> None:
    at = published(settings, 16)
    found = finding(settings, "last pass")
    assert not found.ok
    assert f"{at:%Y-%m-%d %H:%M} UTC, 16 minutes ago" in found.detail
    assert "every 5 minutes" in found.detail and "tallyman sync" in found.detail


def test_the_list_says_as_of_when_nothing_disagrees(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = published(settings, 60 * 50)
    monkeypatch.setattr(sys, "argv", ["tallyman", "exceptions", "--home", str(settings.home)])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    assert "nothing disagrees" in told
    assert f"As of the build published {at:%Y-%m-%d %H:%M} UTC, 2 days ago." in told


def test_the_disk_must_hold_the_warehouse_twice_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass copies it to publish it, and the copy before stays until the new one is there."""
    usage = namedtuple("usage", "total used free")
    published(settings, 0)
    with settings.warehouse.open("wb") as file:
        file.truncate(3 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, (6 << 30) + 1))
    assert finding(settings, "disk").ok
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, 5 << 30))
    short = finding(settings, "disk")
    assert not short.ok and "twice" in short.detail
    settings.warehouse.unlink()
    assert finding(settings, "disk").ok
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, 1 << 29))
    assert not finding(settings, "disk").ok


def test_what_is_stopped_is_told_and_after_a_day_looked_at(settings: Settings) -> None:
    published(settings, 0)
    assert [one for one in examine(settings, NOW) if one.area == "sending"] == []
    assert not settings.has_operations_store, "looking must not make one"
    store = OperationsStore(settings.operations_url)
    assert finding(settings, "sending") == Finding("sending", True, "stopped nowhere")
    store.pause("erp", "maria", "period close")
    told = finding(settings, "sending")
    assert told.ok and "'erp'" in told.detail and "maria: period close" in told.detail
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    (late,) = [one for one in examine(settings, tomorrow) if one.area == "sending"]
    assert not late.ok and "tallyman writeback resume --target erp" in late.detail


def test_a_contract_that_does_not_fit_what_landed_is_told(settings: Settings) -> None:
    published(settings, 0)
    columns = {c.name: c.duckdb_type for c in contract_of("demo_erp", "items").columns}
    number = next(name for name, kind in columns.items() if kind == "BIGINT")

    def landed(columns: dict[str, str]) -> list[Finding]:
        with duckdb.connect(str(settings.published_warehouse)) as connection:
            typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute("create schema if not exists raw_erp")
            connection.execute(f"create or replace table raw_erp.items ({typed})")
        return [one for one in examine(settings, NOW) if one.area == "contract types"]

    assert landed(columns) == []
    (told,) = landed(columns | {number: "VARCHAR"})
    assert not told.ok
    assert f"items of erp is not read: its contract has {number} as BIGINT" in told.detail


class Shown(SystemClock):
    """A clock that shows what it was set to."""

    def __init__(self) -> None:
        self.shown = NOW

    def now(self) -> datetime:
        return self.shown


@pytest.fixture
def clock() -> Shown:
    return Shown()


@pytest.fixture
def store(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, clock: Shown
) -> Iterator[OperationsStore]:
    """One correction to the ERP, which may be sent; the build is new."""
    monkeypatch.setitem(settings.environment, "NOT_SET_ANYWHERE", "secret")
    told = settings.systems_file.read_text() + 'base_url = "http://127.0.0.1:1"\n'
    settings.systems_file.write_text(told + 'write_mode = "on"\n')
    published(settings, 0)
    made = OperationsStore(settings.operations_url, clock)
    made.open_gates("build-1", ["erp"])
    made.set_gates("build-1", {"erp": (True, "")})
    change = {
        "rule_id": "O04",
        "object_id": "SO-1/1",
        "target_system": "erp",
        "kind": "cancel_line",
        "old_value": {"state": "open"},
        "new_value": {"state": "cancelled"},
        "payload": {"order_record": "E1", "line_record": "10"},
        "preconditions": [],
        "frontier_at": NOW,
    }
    assert enqueue(made, [change], Policy(), clock).new == 1
    yield made
    made.close()


def found_later(settings: Settings, **passed: float) -> Finding:
    """What doctor says of corrections when so much time has passed."""
    later = NOW + timedelta(**passed)
    (found,) = [one for one in examine(settings, later) if one.area == "corrections"]
    return found


def test_a_gate_that_nothing_passes_is_told_after_three_cadences(
    settings: Settings, store: OperationsStore, clock: Shown
) -> None:
    """The marts were published in time all the while, and nothing was sent."""
    store.pause("erp", "maria", "so that only the gate is told")
    clock.shown = NOW + timedelta(minutes=1)
    store.open_gates("build-2", ["erp"])
    clock.shown = NOW + timedelta(minutes=5)
    store.set_gates("build-2", {"erp": (False, "two orders have one key: mend them")})
    assert found_later(settings, minutes=16) == Finding("corrections", True, "none stands still")
    told = found_later(settings, minutes=17)
    assert not told.ok and "sent to erp" in told.detail
    assert f"since {NOW + timedelta(minutes=1):%Y-%m-%d %H:%M}" in told.detail
    assert "failed: two orders have one key" in told.detail and "opens it" in told.detail
    clock.shown = NOW + timedelta(minutes=18)
    store.set_gates("build-3", {"erp": (True, "")})
    assert found_later(settings, minutes=19).ok


def test_a_build_that_the_outbox_does_not_take_up_is_told(
    settings: Settings, store: OperationsStore
) -> None:
    """Each pass publishes, and fails in the step after it."""
    store.open_gates("build-2", ["erp"])
    store.set_gates("build-2", {"erp": (True, "")}, not_taken_up=True)
    assert found_later(settings, minutes=14).ok
    told = found_later(settings, minutes=16)
    assert not told.ok and "not taken up" in told.detail and "correction_outbox" in told.detail


def test_a_correction_that_nobody_takes_up_is_told_after_an_hour(
    settings: Settings, store: OperationsStore
) -> None:
    assert found_later(settings, minutes=59).ok
    told = found_later(settings, minutes=61)
    assert not told.ok and "1 corrections to erp" in told.detail
    assert f"since {NOW:%Y-%m-%d %H:%M} UTC" in told.detail and "dagster-daemon" in told.detail
    store.pause("erp", "maria", "period close")
    assert found_later(settings, minutes=61).ok
    store.resume("erp", "maria", "")
    with store.write() as connection:
        store.set_breaker(connection, "erp", 7, NOW + timedelta(minutes=62))
    assert "the last 7 requests to it failed" in found_later(settings, minutes=61).detail
    with store.write() as connection:
        store.set_breaker(connection, "erp", 0, None)
        ends = {"state": "sending", "lease_token": "x", "lease_until": NOW + timedelta(minutes=3)}
        connection.execute(sa.update(tables.corrections).values(ends))
    assert found_later(settings, minutes=61).ok
    assert not found_later(settings, minutes=64).ok


@pytest.mark.parametrize("state", ["unknown", "accepted"])
def test_what_nobody_knows_the_end_of_is_told_after_a_day(
    settings: Settings, store: OperationsStore, state: str
) -> None:
    """It is looked at again and again, which changes the row and settles nothing."""
    (correction,) = store.list()
    later = {"next_attempt_at": NOW + timedelta(hours=25), "updated_at": NOW + timedelta(hours=24)}
    with store.write() as connection:
        store.log_attempt(connection, correction, 1, AttemptEntry("send", "unknown", "", NOW, NOW))
        connection.execute(
            sa.update(tables.corrections).values(
                state=state, accepted_at=NOW if state == "accepted" else None, **later
            )
        )
    assert found_later(settings, hours=23, minutes=59).ok
    told = found_later(settings, hours=24, minutes=1)
    assert not told.ok and f"1 to erp are {state} for more than 1 day" in told.detail
    assert correction.correction_key[:12] in told.detail
