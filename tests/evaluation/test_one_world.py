"""One small world from its making to its score, in this process, by the product's own code."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ingestion.warehouse import warehouse
from orchestration.dbt_build import build
from orchestration.evaluation.command import is_perfect, summarise
from orchestration.evaluation.in_process import configuration
from orchestration.evaluation.one_world import WorldChoices, make_template, run_world
from orchestration.evaluation.totals import add_up
from reporting.backtest import backtest
from reporting.publish import published_connection
from reporting.score import page, print_score

pytestmark = [pytest.mark.world, pytest.mark.timeout(900)]

SMALL = WorldChoices(orders=120, faults=1, decoys=1, late=False)
TABLES_ONLY = ("--select", "config.materialized:table")
RESULTS = (
    "select * from marts.exceptions order by all",
    "select * from reconciliation.obligations order by all",
    "select * from marts.corrections order by all",
    # Only of corrections that are not yet proven: at rest there may be none.
    "select * from reconciliation.correction_proofs order by all",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def result(home) -> dict[str, Any]:
    make_template(home / "template", SMALL)
    return run_world(5, SMALL, home / "world", home / "template")


def test_all_faults_of_a_world_are_found_and_corrected_and_nothing_else(result):
    total = add_up(result["kinds"].values())
    assert result["remarks"] == []
    assert total["detectable"] >= 60
    assert total["corrected"] >= 16
    assert total["decoys"] >= 15
    assert result["passes_to_rest"] <= 3


def test_the_page_is_written_from_it(result):
    score = summarise([result], {})
    assert is_perfect(score)
    score["run"] = {
        "command": "tallyman evaluate --seeds 1",
        "date": "2026-11-02",
        "seeds": 1,
        "first_seed": 5,
        "which_seeds": "5",
        "orders": 120,
        "code": "2459fad774f66040",
        "cpu_seconds_per_world": 1.0,
    }
    text = page(score)
    assert "| Recall | 1.0000 |" in text
    assert "of one code, of which the key is `2459fad774f66040`" in text
    assert "| T2 | Duplicate with the same id |" in text
    assert "| Never injected | T7, " in text
    assert "What is not as it should be" not in text
    score["totals"]["recall"] = 44_328 / 44_330
    assert "| Recall | 0.9999 |" in page(score), "what was missed is not rounded away"
    score["by_kind"]["M7"]["reason"] = "no world holds it"
    assert "| M7 | Two ERPs with the same document number | no world holds it |" in page(score)


def test_one_decoy_of_many_is_not_rounded_away_on_the_terminal(result):
    score = summarise([result], {})
    score["totals"] |= {"decoys": 37_310, "decoys_reported": 1, "decoy_rate": 1 / 37_310}
    console = Console(file=StringIO(), width=120)
    print_score(score, console)
    assert "decoys reported 1/37310" in console.file.getvalue()


def test_dbt_itself_comes_to_the_same_as_what_it_compiled(home, result):
    settings = configuration(home / "world", SMALL.settings(seed=5))

    def all_results() -> list[list[tuple]]:
        with warehouse(settings) as connection:
            return [connection.execute(sql).fetchall() for sql in RESULTS]

    before = all_results()
    build(settings, TABLES_ONLY)
    assert before == all_results()
    assert all(before[:3])


def test_a_trial_with_the_grace_in_force_changes_nothing(home, result):
    """The trial of another grace judges by a query of its own: it must judge as the models do."""
    with published_connection(configuration(home / "world", SMALL.settings(seed=5))) as connection:
        rules = connection.execute(
            "select rule_id, grace_minutes from reconciliation.rules_in_force "
            "where family <> 'feed'"
        ).fetchall()
        trials = [backtest(connection, rule, grace) for rule, grace in rules]
    assert sum(trial["now"]["raised"] for trial in trials) > 50
    for trial in trials:
        assert trial["now"] == trial["then"], trial["rule"]
        assert not (trial["spared"] or trial["added"] or trial["unknown"]), trial["rule"]
