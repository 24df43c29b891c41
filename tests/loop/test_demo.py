"""The demo as a person runs it: in a process of its own, twice, judged by the sandbox's ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TALLYMAN = [sys.executable, "-m", "orchestration"]


def run_demo(home: Path, name: str) -> tuple[dict, str]:
    target = home / name
    done = subprocess.run(
        [*TALLYMAN, "demo", "--home", str(home), "--json", str(target), "--orders", "1500"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(target.read_text()), done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(home) -> tuple[dict, str]:
    return run_demo(home, "first.json")


@pytest.fixture(scope="module")
def second(home, first) -> tuple[dict, str]:
    return run_demo(home, "second.json")


def test_every_detectable_fault_is_found_and_no_decoy(first):
    truth = first[0]["truth"]
    assert truth["detectable"] >= 45
    assert truth["decoys"] >= truth["injected"]
    assert (truth["found"], truth["missed"]) == (truth["detectable"], 0)
    assert (truth["false"], truth["decoys_reported"]) == (0, 0), truth["false_exceptions"]


def test_at_least_twelve_kinds_of_fault_from_different_families(first):
    kinds = [kind for kind, counts in first[0]["truth"]["by_kind"].items() if counts["detectable"]]
    assert len(kinds) >= 12
    assert len({kind[0] for kind in kinds}) >= 4


def test_every_accepted_correction_is_verified_and_none_applied_twice(first):
    corrections = first[0]["corrections"]
    assert corrections["accepted"] == corrections["verified"] > 20
    assert (corrections["refused"], corrections["dead"]) == (0, 0)
    assert (first[0]["truth"]["doubled"], first[0]["truth"]["wrong"]) == (0, 0)


def test_the_loop_rests_within_four_passes(first):
    assert 2 <= len(first[0]["passes"]) <= 4
    assert first[0]["passes"][-1]["sent"] == 0


def test_what_remains_open_waits_for_a_person_or_has_no_correction(first):
    summary = first[0]
    for row in summary["open_exceptions"]:
        assert row["waits_for"] in {"approval", "no correction"}, row


def test_the_second_run_changes_nothing_and_sends_nothing(first, second):
    summary, screen = second
    assert [p["sent"] for p in summary["passes"]] == [0]
    assert "Nothing changed since the last run, and nothing was sent." in screen
    assert summary["exceptions"] == first[0]["exceptions"]
    assert summary["corrections"] == first[0]["corrections"]
