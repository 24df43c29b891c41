"""A live world goes on by itself, and takes up where it was after any end."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.numbers import LIVE_NUMBERS_FROM
from sandbox.settings import PARTNERS, PROCESSES, Settings
from sandbox.world import build_history

LIVE = Settings(orders=150, faults_per_kind=0, decoys_per_kind=0, live=3600.0)
FULL = replace(LIVE, processes=PROCESSES, partners=PARTNERS)


def told(home: Path) -> list[tuple[float, str, str, str, str]]:
    """The world's events, in the order in which they were told."""
    database = sqlite3.connect(home / "sandbox.sqlite")
    rows = database.execute(
        "select at, kind, subject, data, seen from world_events order by event_id"
    ).fetchall()
    database.close()
    return rows


def state(distributor: Distributor) -> dict[str, list[str]]:
    """Everything that the systems serve, by table."""
    return {
        f"{view.system}.{table.entity}": [text for _, _, text in table.versions()]
        for view in distributor.views.values()
        for table in view.tables.values()
    }


def test_a_live_world_goes_on_at_its_factor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now()
    distributor = Distributor(tmp_path, LIVE)
    anchor = distributor.store.get("anchor")
    # Two days of the world, in 48 seconds of ours.
    monkeypatch.setattr(clock, "now", lambda: anchor + 48.0)
    distributor.advance()
    documents = [
        json.loads(distributor.oms.orders.text(found)) for found in distributor.oms.orders.ids()
    ]
    fresh = [row for row in documents if int(row["orderNumber"][3:]) > LIVE_NUMBERS_FROM]
    moments = [clock.parse_iso(row["updatedAt"]) for row in fresh]
    assert fresh and start <= min(moments) and max(moments) <= anchor + 48.0
    assert {row["status"] for row in fresh} >= {"ACCEPTED", "SHIPPED"}
    # What was on its way when the history ended arrives.
    arrived = [row for row in documents if row not in fresh and row["status"] == "DELIVERED"]
    assert max(clock.parse_iso(row["updatedAt"]) for row in arrived) > anchor
    distributor.close()


@pytest.mark.parametrize("world", [LIVE, FULL], ids=["demo", "full"])
def test_a_restart_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: Settings
) -> None:
    """Opened anew in between, a world lives through the same events as without."""
    anchor = 1_795_000_000.0
    states = []
    for name, stops in (("once", ()), ("often", (0.0, 0.3, 7.0, 7.0, 19.5))):
        monkeypatch.setattr(clock, "now", lambda: anchor)
        distributor = Distributor(tmp_path / name, world)
        for stop in (*stops, 40.0):
            if stops:
                distributor.close()
                distributor = Distributor(tmp_path / name, world)
            monkeypatch.setattr(clock, "now", lambda stop=stop: anchor + stop)
            distributor.advance()
        states.append(state(distributor))
        distributor.close()
    assert states[0] == states[1]


def test_what_is_injected_meets_nothing_that_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributor = Distributor(tmp_path, LIVE)
    anchor = distributor.store.get("anchor")
    for seconds in (5.0, 20.0):
        monkeypatch.setattr(clock, "now", lambda seconds=seconds: anchor + seconds)
        distributor.advance()
        distributor.inject("H2", 2)
        distributor.inject("I1", 1)
    distributor.close()
    numbers: dict[str, list[str]] = {"order_placed": [], "shipped": [], "stock_adjusted": []}
    for _, kind, subject, data, _ in told(tmp_path):
        if kind in numbers:
            numbers[kind].append(json.loads(data).get("shipment", subject))
    for found in numbers.values():
        assert len(found) == len(set(found)) > 2


def start(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The sandbox in a process of its own, ready to answer; its admin URL."""
    endpoints = home / "endpoints.json"
    endpoints.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "--home", str(home), "--base-port", "0"]
    choices = ["--orders", "100", "--faults-per-kind", "0", "--decoys-per-kind", "0"]
    process = subprocess.Popen([*command, *choices, "--live", "20000"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            url = json.loads(endpoints.read_text())["admin"]
            httpx.get(f"{url}/health").raise_for_status()
            return process, url
        except (OSError, ValueError, httpx.HTTPError):
            time.sleep(0.05)
    raise AssertionError("the sandbox does not answer")


def test_a_killed_live_world_has_lost_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lived = 100
    for _ in range(3):
        process, url = start(home)
        try:
            before, began = lived, time.monotonic()
            while time.monotonic() < began + (1.0 if lived > before else 30.0):
                counts = httpx.get(f"{url}/admin/counts").raise_for_status().json()
                lived = counts["oms"]["orders"]["records"]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert lived > before
    events = told(home)
    database = sqlite3.connect(home / "sandbox.sqlite")
    remembered = {name: json.loads(value) for name, value in database.execute("select * from meta")}
    database.close()
    history = build_history(Settings.of_world(remembered["settings"]), remembered["anchor"])
    expected = sorted(history.events, key=lambda event: event.at)
    gone_on = history.company.go_on(remembered["lived_until"])
    expected += gone_on
    assert len(gone_on) > 50
    assert len(events) == len(expected)
    in_the_world = sorted((row[0], row[1], row[2]) for row in events)
    assert in_the_world == sorted((event.at, event.kind, event.subject) for event in expected)
