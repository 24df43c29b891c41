"""A loop that stopped must not look healthy: the age of its build, and the room on its disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.cli import main
from orchestration.doctor import Finding, examine
from registry.settings import Settings, load_settings
from writeback.store import OperationsStore

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
