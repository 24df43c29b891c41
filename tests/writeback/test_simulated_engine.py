"""The simulation: deterministic, clean over many seeds, and able to find what it looks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from reporting.reliability import write_page
from writeback.simulation import many
from writeback.simulation.faults import FAMILIES
from writeback.simulation.mutants import MUTANTS, Mutant, as_rows, changed_source, run_mutants
from writeback.simulation.oracle import PROPERTIES
from writeback.simulation.schedule import KilledError, Schedule
from writeback.simulation.story import run_story
from writeback.simulation.systems import Held

CI_SEEDS = 500
ROOT = Path(__file__).parents[2]


def test_a_seed_gives_the_same_story_event_by_event() -> None:
    first, second = run_story(4, keep_trail=True), run_story(4, keep_trail=True)
    assert first.trail == second.trail
    assert len(first.trail) > 20
    assert first == second


def test_keeping_the_trail_changes_nothing() -> None:
    told, silent = run_story(5, keep_trail=True), run_story(5)
    assert (told.fired, told.events, told.effects) == (silent.fired, silent.events, silent.effects)


def test_some_seeds_are_clean() -> None:
    """A taste of it for every run of the tests; CI runs 500 (``pytest -m simulation``)."""
    result = many.simulate(12, first_seed=1)
    assert result["failures"] == {}
    assert result["effects"] > 0 and sum(result["faults"].values()) > 0


@pytest.mark.simulation
@pytest.mark.timeout(1800)
def test_five_hundred_seeds_are_clean_and_every_family_of_faults_fires() -> None:
    result = many.simulate(CI_SEEDS, first_seed=1, workers=2)
    assert result["failures"] == {}
    assert result["silent_families"] == []
    assert {name: result[name] for name in PROPERTIES} == dict.fromkeys(PROPERTIES, 0)


@pytest.mark.simulation
@pytest.mark.timeout(1800)
def test_every_mutant_of_the_engine_is_killed() -> None:
    verdicts = run_mutants(workers=2)
    assert [v.name for v in verdicts if not v.killed_by] == []
    assert len(verdicts) >= 30


def test_a_mutant_is_killed_by_the_property_that_it_offends() -> None:
    (mutant,) = [m for m in MUTANTS if m.name == "done_on_200"]
    (verdict,) = run_mutants([mutant])
    assert verdict.killed_by == "unverified_claims"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_names_a_test_that_exists(mutant: Mutant) -> None:
    assert mutant.new in changed_source(mutant)
    if mutant.test:
        path, _, test = mutant.test.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")


def test_a_family_that_never_fires_fails_the_run() -> None:
    total = many.Sum(seeds=many.ENOUGH_SEEDS, cpu_seconds=1)
    total.fired.update(dict.fromkeys(FAMILIES, 1))
    assert many.is_clean(many.figures(total, 1, 1))
    del total.fired["crash"]
    result = many.figures(total, 1, 1)
    assert result["silent_families"] == ["crash"]
    assert not many.is_clean(result)


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    arguments = ["simulate", "--seeds", "2", "--first-seed", "8", "--workers", "1"]
    result = CliRunner().invoke(app, [*arguments, "--json", str(target), "--home", str(tmp_path)])
    assert result.exit_code == 0, result.output
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert (figures["seeds"], figures["first_seed"]) == (2, 8)
    for name in ("events", "simulated_days", "faults", "corrections", "convergence_p50", "lost"):
        assert name in figures


def test_the_command_shows_the_events_of_a_broken_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the read of the authority before sending something false leaves."""
    monkeypatch.setattr("writeback.dispatch.first_broken", lambda *_: None)
    arguments = ["simulate", "--seeds", "4", "--first-seed", "500004", "--workers", "1"]
    result = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "VIOLATION" in result.output
    (whole,) = tmp_path.glob("simulation-seed-*.txt")
    assert "VIOLATION     false" in whole.read_text(encoding="utf-8")


def test_the_page_holds_figures_families_and_mutants(tmp_path: Path) -> None:
    total = many.run_seeds(1, 2)
    (mutant,) = [m for m in MUTANTS if m.name == "kill_switch_ignored"]
    page = tmp_path / "reliability.md"
    rows = as_rows(run_mutants([mutant]))
    write_page(many.figures(total, 1, 1.0), rows, page, "tallyman simulate")
    text = page.read_text(encoding="utf-8")
    for name in (*FAMILIES, *PROPERTIES, mutant.name):
        assert f"`{name}`" in text


# ---- its parts ---------------------------------------------------------------------------------


def test_processes_take_turns_in_the_order_of_time_and_can_be_killed() -> None:
    schedule, seen = Schedule(), []

    def slow() -> None:
        seen.append("slow begins")
        schedule.wait(10)
        seen.append("slow ends")

    def killed() -> None:
        schedule.wait(5)
        raise KilledError

    schedule.spawn("slow", slow)
    victim = schedule.spawn("victim", killed)
    schedule.at(7, lambda: seen.append("seven"))
    schedule.run_until(20)
    assert seen == ["slow begins", "seven", "slow ends"]
    assert victim.done and victim.error is None
    assert schedule.now == 20


def test_an_error_of_a_process_is_kept_for_the_judge() -> None:
    schedule = Schedule()
    process = schedule.spawn("odd", lambda: [][1])
    schedule.run_until(1)
    assert isinstance(process.error, IndexError)


def test_ending_a_schedule_ends_what_still_waits() -> None:
    schedule = Schedule()
    process = schedule.spawn("sleeper", lambda: schedule.wait(1e9))
    schedule.run_until(1)
    schedule.end()
    assert process.done


def test_what_was_held_is_known_for_any_time() -> None:
    held = Held(5)
    held.set(10, 7, "human")
    assert (held.at(9.9), held.at(10), held.value) == (5, 7, 7)
    assert held.held_within(5, 0, 3) and held.held_within(7, 9, 11)
    assert not held.held_within(7, 0, 9)


def test_each_property_that_held_has_its_upper_bound() -> None:
    total = many.Sum(seeds=10, requests=300, effects=150, corrections=60, cpu_seconds=1)
    total.broken["false"] = 1
    bounds = many.figures(total, 1, 1)["upper_bounds"]
    assert set(bounds) == set(PROPERTIES)
    assert (bounds["lost"], bounds["doubled"], bounds["impatient"]) == (0.05, 0.02, 0.01)
    assert bounds["false"] is None and bounds["unverified_claims"] is None


def test_a_quantile_is_the_nearest_rank() -> None:
    assert many.quantile([], 0.5) is None
    assert many.quantile([3, 1, 2], 0.5) == 2
    assert many.quantile(list(range(1, 101)), 0.95) == 95
