"""What `tallyman real` wrote: run `make real` first (docs/real-systems.md)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from real.breaks import APPROVAL, BREAKS, CORRECTED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    home = Path(os.environ.get("TALLYMAN_HOME", ROOT / ".tallyman"))
    content: dict[str, Any] = json.loads((home / "real.json").read_text(encoding="utf-8"))
    return content


def test_the_story_is_consistent_before_it_is_broken(result: dict[str, Any]) -> None:
    assert result["orders"] >= 200
    assert result["consistent"]["false"] == []


def test_every_break_is_found_and_nothing_else(result: dict[str, Any]) -> None:
    breaks = result["breaks"]
    assert breaks["made"] == breaks["found"] == len(BREAKS) >= 15
    assert (breaks["missed"], breaks["false"]) == (0, 0)


def test_what_can_be_corrected_is_and_the_real_system_says_so(result: dict[str, Any]) -> None:
    wanted = {way.name for way in BREAKS if way.outcome == CORRECTED}
    by_name = result["breaks"]["by_name"]
    assert {name for name, one in by_name.items() if one["corrected"]} == wanted
    assert {name for name, one in by_name.items() if one["verified"]} == wanted


def test_what_needs_a_person_waits_for_one(result: dict[str, Any]) -> None:
    wanted = {way.name for way in BREAKS if way.outcome == APPROVAL}
    by_name = result["breaks"]["by_name"]
    assert {name for name, one in by_name.items() if one["waiting"]} == wanted


def test_the_last_pass_sends_nothing(result: dict[str, Any]) -> None:
    assert result["passes"][-1]["sent"] == 0
    assert any(one["sent"] for one in result["passes"])
