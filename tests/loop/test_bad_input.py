"""Systems at their worst, as a person sees them: a clear word, the others go on, nothing is lost.

A pretend distributor does everything wrong at once at first. Once it behaves again, all that is
wrong in it is found, and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from orchestration.installation import Installation
from orchestration.passes import Loop, open_instance
from orchestration.pretend import pretend_distributor
from orchestration.scoring import Score, score
from registry.settings import load_settings
from reporting.publish import published_connection

SEED = 23
ORDERS = 120
JUDGED = "select rule_id, object_id, status from marts.exceptions where status <> 'pending'"
NOBODY_THERE = "http://127.0.0.1:9"
MISBEHAVIOUR = [
    # system, mode, how many requests, entity
    ("erp", "cut_page", 50, "fulfilments"),
    ("erp", "duplicate_record", 50, "stock_movements"),
    ("erp", "missing_column", 1, "stock"),
    ("wms", "wrong_type", 1, "transactions"),
    ("wms", "unknown_status", 1, "shipments"),
]


def _sync(home: Path, systems: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", "sync", "--home", home, "--systems", systems],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, **environment, "COLUMNS": "160"},
    )


def test_a_step_that_cannot_do_its_work_says_so_in_words_alone(tmp_path):
    """Dagster would print where in the code its step failed, twice."""
    home = tmp_path / "home"
    home.mkdir()
    systems = tmp_path / "systems.toml"
    systems.write_text(
        '[[systems]]\nname = "drops"\nrole = "supplier"\nconnector = "files"\n'
        'base_url = "data"\nwrite_mode = "off"\n'
        '[systems.options]\nmappings = ["lines.mapping.yaml"]\n'
    )
    done = _sync(home, systems)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"tallyman: no mapping at {tmp_path}")
    for word in ("Traceback", "Stack Trace", "dagster"):
        assert word not in done.stdout + done.stderr


def _queried(home: Path, systems: Path, sql: str) -> list[tuple]:
    with published_connection(load_settings(home, systems)) as connection:
        return connection.execute(sql).fetchall()


def _settle(settings) -> set[tuple]:
    """Passes until nothing is on its way; the exceptions that people see then."""
    installation = Installation.load(settings)
    with open_instance(installation) as instance:
        loop = Loop(installation, instance)
        for _ in range(8):
            if loop.at_rest(loop.run_pass()):
                break
    return set(_queried(settings.home, settings.systems_file, JUDGED))


def _arm(handle, **order) -> None:
    answer = httpx.post(f"{handle.urls['admin']}/admin/misbehave", json=order)
    answer.raise_for_status()


@dataclass(frozen=True)
class Worst:
    """What a person saw of the first load, what it left behind, and how all ended."""

    terminal: str
    exit_code: int
    judged: list[tuple]
    feeds: dict[str, str]
    unmapped: list[tuple]
    quarantined: list[tuple]
    settled: set[tuple]
    score: Score


@pytest.fixture(scope="module")
def worst(tmp_path_factory) -> Worst:
    home = tmp_path_factory.mktemp("worst")
    with pretend_distributor(home, 0, orders=ORDERS, seed=SEED) as (settings, handle):
        systems = settings.systems_file
        good = systems.read_text()
        systems.write_text(good.replace(handle.urls["carrier"], NOBODY_THERE))
        for system, mode, count, entity in MISBEHAVIOUR:
            _arm(handle, system=system, mode=mode, count=count, entity=entity)
        done = _sync(home, systems, TALLYMAN_DEMO_OMS_TOKEN="not-the-token")

        def rows(sql: str) -> list[tuple]:
            return _queried(home, systems, sql)

        seen = {
            "terminal": done.stdout + done.stderr,
            "exit_code": done.returncode,
            "judged": rows(JUDGED),
            "feeds": dict(rows("select system || '.' || entity, status from marts.feeds")),
            "unmapped": rows("select system, entity, source_value from marts.unmapped_codes"),
            "quarantined": rows(
                "select system, entity, reason_code from staging.stg_log__quarantine"
            ),
        }
        systems.write_text(good)
        for system in ("erp", "wms"):
            _arm(handle, system=system, mode="off")
        settled = _settle(settings)
        verdict = score(
            httpx.get(f"{handle.urls['admin']}/admin/truth").json()["faults"],
            sorted({(rule, thing) for rule, thing, _ in settled}),
            httpx.get(f"{handle.urls['admin']}/admin/ledger").json()["effects"],
        )
        return Worst(**seen, settled=settled, score=verdict)


def test_each_fault_is_named_with_its_system_and_no_traceback(worst):
    assert worst.exit_code == 1, worst.terminal
    assert "Traceback" not in worst.terminal
    for words in (
        "oms does not accept our credentials",
        f"base_url '{NOBODY_THERE}' is right",
        "with a page that is cut",
        "Everything else went on",
    ):
        assert words in worst.terminal, worst.terminal


def test_the_others_went_on(worst):
    assert worst.feeds["erp.invoice_lines"] == worst.feeds["wms.shipment_lines"] == "ok"
    assert worst.feeds["erp.fulfilment_lines"] != "ok"
    assert worst.feeds["oms.order_lines"] != "ok"
    assert worst.feeds["carrier.tracking_events"] != "ok"


def test_what_cannot_be_used_is_kept_with_the_reason(worst):
    assert ("wms", "transactions", "wrong_type") in worst.quarantined
    assert ("erp", "stock", "missing_column") in worst.quarantined
    assert ("wms", "shipment_lines", "MYSTERY") in worst.unmapped


def test_nothing_is_judged_that_a_broken_feed_could_explain(worst):
    assert {(rule, thing) for rule, thing, _ in worst.judged} <= {
        (rule, thing) for rule, thing, _ in worst.settled
    }
    assert not {"O02", "O04", "O05", "S01", "S03", "S05"} & {rule for rule, *_ in worst.judged}


def test_once_they_behave_all_is_found_and_nothing_else(worst):
    assert worst.score.detectable > 20
    assert worst.score.missed_faults == []
    # No truth row knows of the status that was made up on the way: nobody took it back.
    assert worst.score.false_exceptions == ["D03 wms.shipment_lines.status=MYSTERY"]
    assert (worst.score.doubled, worst.score.wrong) == (0, 0)
