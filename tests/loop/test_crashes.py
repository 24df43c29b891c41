"""SIGKILL at named points of load, build and delivery, then a rerun: the end that the truth wants.

One story dies at every point in turn, each run taking up what the one before left behind. Each room
has crash tests of its own beside this one (tests/ingestion, tests/reporting, tests/writeback).

The sandbox lives in this process and outlives the kill, as real systems do; each run is a process
of its own. Five minutes on a busy machine, so in CI.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from forked import run_forked

from orchestration.installation import Installation
from orchestration.pretend import pretend_distributor
from orchestration.scoring import score
from reporting.publish import published_connection
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


@pytest.mark.world
@pytest.mark.timeout(900)
def test_kills_at_every_point_and_reruns_leave_what_the_truth_says(tmp_path):
    """Judged by the distributor's truth and its systems' own ledgers, and not by another run."""
    home = tmp_path / "home"
    with pretend_distributor(home, 0, orders=120, seed=11) as (settings, handle):
        for point in POINTS:
            ended = _run(home, settings.systems_file, point)
            assert ended == -signal.SIGKILL, f"a run did not die at {point} but ended with {ended}"
        assert _run(home, settings.systems_file) == 0
        truth = httpx.get(f"{handle.urls['admin']}/admin/truth").json()["faults"]
        ledger = httpx.get(f"{handle.urls['admin']}/admin/ledger").json()["effects"]
    with published_connection(settings) as connection:
        judged = connection.execute(
            "select rule_id, object_id from marts.exceptions where status <> 'pending' order by all"
        ).fetchall()
    assert len(judged) == len(set(judged)), "an exception stands twice"
    verdict = score(truth, judged, ledger)
    assert verdict.detectable > 40
    assert (verdict.missed_faults, verdict.false_exceptions) == ([], [])
    assert (verdict.doubled, verdict.wrong) == (0, 0)

    corrections = Installation.load(settings).all_corrections()
    states = Counter(one.state for one in corrections)
    assert states[State.VERIFIED] == len(ledger) > 10
    # What was never sent waits for a person or was replaced; nothing hangs on its way.
    assert set(states) <= {State.VERIFIED, State.AWAITING_APPROVAL, State.SUPERSEDED}
