"""SIGKILL at named points of load, build and delivery, then a rerun: the same end as without.

One story dies at every point in turn, each run taking up what the one before left behind. Each room
has crash tests of its own beside this one (tests/ingestion, tests/reporting, tests/writeback).

The sandbox lives in this process and outlives the kill, as real systems do; each run is a process
of its own.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from forked import run_forked

from orchestration.pretend import pretend_distributor
from writeback.states import State

POINTS = [
    "ingestion.after_first_page",
    "ingestion.before_land",
    "ingestion.after_load_before_commit",
    "ingestion.after_views",
    "build.before_first_model",
    "build.after.order_events",
    "reporting.before_swap",
    # All was built before once, so that this is a build of tables alone, as in every later pass.
    "build.after_last_model",
    "writeback.before_send",
    "writeback.after_send_before_mark",
    "writeback.during_verify",
]


def _run_until_rest(home: str, systems_file: str) -> None:
    """In a process of its own: passes until nothing is sent and nothing waits for proof."""
    from orchestration.installation import Installation
    from orchestration.passes import Loop, open_instance
    from registry.settings import load_settings

    installation = Installation.load(load_settings(home, systems_file))
    with open_instance(installation) as instance:
        loop = Loop(installation, instance)
        for _ in range(15):
            if loop.at_rest(loop.run_pass()):
                return
            time.sleep(4)  # the settle window of the demo's systems, and a clock of whole seconds
    os._exit(3)


def _run(home: Path, systems_file: Path, crash_at: str | None = None) -> int | None:
    paths = str(home), str(systems_file)
    return run_forked(_run_until_rest, *paths, crash_at=crash_at, timeout=400)


def _end_state(settings, handle) -> dict:
    """What people see, how each correction ended, and what the systems' own ledgers hold."""
    from orchestration.installation import Installation
    from reporting.publish import published_connection

    ledger = httpx.get(f"{handle.urls['admin']}/admin/ledger").json()["effects"]
    with published_connection(settings) as connection:
        exceptions = connection.execute(
            "select rule_id, object_id, status from marts.exceptions "
            "where status <> 'pending' order by all"
        ).fetchall()
    return {
        "exceptions": exceptions,
        "corrections": sorted(
            _correction(one)
            for one in Installation.load(settings).all_corrections()
            # Replaced before it was sent: how often depends on how often one looks.
            if one.state != State.SUPERSEDED or one.attempts
        ),
        "effects": sorted(map(_effect, ledger)),
    }


def _correction(correction) -> tuple[str, str, str, str]:
    """How a correction ended, by the object that it was about."""
    return correction.target_system, correction.kind, correction.object_id, correction.state.value


def _effect(effect: dict) -> tuple[str, str, str]:
    """What was written about what. A created document's own number depends on what else the
    distributor did meanwhile; what it refers to does not."""
    if effect["before"] is not None:
        return effect["system"], effect["kind"], effect["object"]
    names = ("ext_ref", "ship_ref", "ref", "HostOrder")
    about = next(effect["after"][name] for name in names if effect["after"].get(name))
    return effect["system"], effect["kind"], about


def _story(home: Path, crash_points: list[str]) -> dict:
    with pretend_distributor(home, 0, orders=120, seed=11) as (settings, handle):
        for point in crash_points:
            ended = _run(home, settings.systems_file, point)
            assert ended == -signal.SIGKILL, f"a run did not die at {point} but ended with {ended}"
        assert _run(home, settings.systems_file) == 0
        return _end_state(settings, handle)


@pytest.mark.timeout(900)
def test_kills_at_every_point_and_reruns_end_as_without(tmp_path):
    undisturbed = _story(tmp_path / "undisturbed", [])
    assert undisturbed["effects"], "a comparison of nothing proves nothing"
    killed = _story(tmp_path / "killed", POINTS)
    for part, expected in undisturbed.items():
        assert sorted(set(killed[part]) ^ set(expected)) == [], part
        assert killed[part] == expected, part
