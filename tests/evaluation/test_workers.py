"""Seeds that fail or kill their process lose nothing but themselves, and nothing runs twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from troubled import Troubled

from orchestration.evaluation import command
from orchestration.evaluation.collecting import collect
from orchestration.evaluation.command import Wanted, evaluate, ranges
from orchestration.evaluation.one_world import WorldChoices
from registry.errors import ConfigurationError


def run(seeds, kept: Path, work: Troubled):
    said: list[str] = []
    prepared: list[bool] = []
    found = collect(seeds, 2, kept, lambda: prepared.append(True), work, said.append)
    return *found, said, prepared


def test_a_death_and_an_error_are_told_with_their_seed_and_the_rest_goes_on(tmp_path):
    kept = tmp_path / "kept"
    results, failures, said, _ = run(range(6), kept, Troubled(tmp_path, dies_at=1, raises_at=3))
    assert sorted(results) == [0, 2, 4, 5]
    assert failures == {1: "its process died (exit code 9)", 3: "the loop found no rest"}
    assert any("seed 1 FAILED" in line for line in said)

    # The same again, in health: only what failed is run.
    for trace in tmp_path.glob("ran-*"):
        trace.unlink()
    results, failures, _, _ = run(range(6), kept, Troubled(tmp_path))
    assert (sorted(results), failures) == ([0, 1, 2, 3, 4, 5], {})
    assert sorted(trace.name for trace in tmp_path.glob("ran-*")) == ["ran-1", "ran-3"]


def test_when_all_is_finished_nothing_is_prepared_or_run(tmp_path):
    kept = tmp_path / "kept"
    run([1], kept, Troubled(tmp_path))
    *_, prepared = run([1], kept, Troubled(tmp_path, dies_at=1))
    assert prepared == []


def test_into_a_folder_results_add_up_and_those_of_other_choices_are_left_out(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(command, "parsed", lambda settings: None)
    monkeypatch.setattr(command, "make_template", lambda folder, choices: None)
    said: list[str] = []

    def scored(first: int, seeds: int, orders: int = 60, dies_at: int = -1) -> dict:
        work = Troubled(tmp_path, dies_at)
        monkeypatch.setattr(command, "WorldWork", lambda *_: work)
        wanted = Wanted(seeds, first, 2, WorldChoices(orders), into=tmp_path / "into")
        return evaluate(wanted, tmp_path / "home", said.append)

    stopped = scored(1, 3, dies_at=2)
    assert (stopped["totals"]["worlds"], list(stopped["failures"])) == (2, ["2"])
    scored(1, 3)
    assert scored(7, 1)["run"]["which_seeds"] == "1 to 3, 7"
    assert not any("left out" in line for line in said)

    other = scored(4, 1, orders=70)
    assert (other["totals"]["worlds"], other["run"]["which_seeds"]) == (1, "4")
    for trace in tmp_path.glob("ran-*"):
        trace.unlink()
    score = scored(1, 0)
    assert (score["totals"]["injected"], score["failures"]) == (4, {})
    assert "left out" in said[-1] and "of other code, orders or world" in said[-1]
    assert list(tmp_path.glob("ran-*")) == []
    with pytest.raises(ConfigurationError, match="no world to score"):
        scored(1, 0, orders=90)


def test_seeds_are_told_in_few_words():
    assert [ranges([]), ranges([4]), ranges([1, 2, 3, 7, 9, 10])] == ["", "4", "1 to 3, 7, 9 to 10"]
