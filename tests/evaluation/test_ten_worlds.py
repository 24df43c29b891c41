"""Ten pretend worlds of two kinds, each judged by its own truth: nothing may be left to explain."""

from __future__ import annotations

import os

import pytest

from orchestration.evaluation.command import Wanted, evaluate, is_perfect
from orchestration.evaluation.one_world import WorldChoices

pytestmark = pytest.mark.world


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("world", "first_seed"), [("demo", 101), ("full", 201)])
def test_of_five_worlds_nothing_is_left_to_explain(world, first_seed, tmp_path):
    choices = WorldChoices(orders=300, world=world)
    wanted = Wanted(5, first_seed, os.cpu_count() or 1, choices)
    score = evaluate(wanted, tmp_path, print)
    assert score["failures"] == {}
    assert score["remarks"] == []
    assert is_perfect(score)
    assert score["totals"]["worlds"] == 5
    assert score["totals"]["corrected"] == score["totals"]["correctable"] > 100
