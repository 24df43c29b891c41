"""docs/corrections.md tells what the code does: diagram and tables are held against the data."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from writeback.decide import RetrySchedule
from writeback.kinds import KINDS, contradicting
from writeback.states import TRANSITIONS, State

PAGE = (Path(__file__).parents[2] / "docs" / "corrections.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The table after a heading: first cell (without backticks) -> the other cells."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_diagram_is_the_transition_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", PAGE, re.MULTILINE))
    real = {
        (str(source), str(target), str(event))
        for event, (sources, target) in TRANSITIONS.items()
        for source in sources
    }
    assert real - drawn == {("awaiting_approval", "awaiting_approval", "hold")}
    assert drawn <= real


def test_every_state_and_kind_is_described() -> None:
    assert set(rows("States")) == {state.value for state in State}
    assert set(rows("Kinds")) == set(KINDS)


def test_kinds_contradict_each_other_here_as_in_the_models() -> None:
    """The models find a conflict by the group of the seed; an approval ends it by ours."""
    seed = Path(__file__).parents[2] / "dbt_project" / "seeds" / "correction_kinds.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        groups = {row["kind"]: row["kind_group"] for row in csv.DictReader(file)}
    for kind, group in groups.items():
        assert contradicting(kind) == sorted(k for k, g in groups.items() if g == group)


def test_payloads_of_the_page_hold_what_the_engine_asks_for() -> None:
    for name, cells in rows("Kinds").items():
        told = cells[1]
        for field in (*KINDS[name].fields, *KINDS[name].line_fields):
            assert re.search(rf"\b{field}\b", told), (name, field)
        assert bool(KINDS[name].line_fields) == ("lines[" in told)


def test_the_schedule_of_the_page_is_the_real_one() -> None:
    assert "10 s, 30 s, 2 min, 10 min, 30 min, then 1 h" in PAGE
    assert RetrySchedule().delays_seconds == (10, 30, 120, 600, 1800, 3600)
    assert "at most ten attempts" in PAGE and RetrySchedule().max_attempts == 10


def test_every_test_that_the_page_names_is_there() -> None:
    root = Path(__file__).parents[2]
    section = PAGE.split("## What proves it\n", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", section)
    assert len(named) > 25
    for file, test in named:
        assert f"def {test}(" in (root / file).read_text(encoding="utf-8"), (file, test)
