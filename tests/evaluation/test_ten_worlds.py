"""Ten pretend worlds of three kinds, each judged by its truth: nothing may be left to explain."""

from __future__ import annotations

import os

import pytest

from orchestration.evaluation.command import Wanted, evaluate, is_perfect
from orchestration.evaluation.one_world import WorldChoices

pytestmark = pytest.mark.world

# Worlds of the demo with what their history holds; worlds with all processes and partners also with
# what is injected late, and what disturbs whole feeds. One of these has a third-party warehouse.
DEMO = WorldChoices(orders=300, world="demo", late=False)
FULL = WorldChoices(orders=300)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("choices", "first_seed", "worlds"), [(DEMO, 101, 6), (FULL, 201, 4)])
def test_nothing_is_left_to_explain(choices, first_seed, worlds, tmp_path):
    wanted = Wanted(worlds, first_seed, os.cpu_count() or 1, choices)
    score = evaluate(wanted, tmp_path, print)
    assert score["failures"] == {}
    assert score["remarks"] == []
    assert is_perfect(score, choices.world)
    if choices is FULL:
        assert score["never_injected"] == []
        assert score["totals"]["kinds_detectable"] == score["totals"]["kinds_wanted"] == 87
    assert score["totals"]["worlds"] == worlds
    assert score["totals"]["decoys"] >= score["totals"]["injected"]
    assert score["totals"]["corrected"] == score["totals"]["correctable"] > 80
