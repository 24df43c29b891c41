"""Rates and groupings by their definitions, for any numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.evaluation.command import is_perfect, summarise
from orchestration.evaluation.judging import Counts
from orchestration.evaluation.totals import (
    COUNTED,
    add_up,
    adjusted_rand_index,
    grouping,
    percentile,
)
from sandbox.kinds import catalogue

# How long an example takes says how busy the machine is.
UNTIMED = settings(deadline=None)

LABELS = st.lists(st.sampled_from("abcd"), min_size=2, max_size=30)
COUNTS = st.builds(
    Counts,
    **{name: st.integers(0, 50) for name in COUNTED},
    delays=st.lists(st.floats(0, 1e4), max_size=5),
)


@UNTIMED
@given(st.lists(COUNTS, max_size=6))
def test_totals_are_sums_and_rates_are_shares(many):
    total = add_up(one.as_json() for one in many)
    for name in COUNTED:
        assert total[name] == sum(getattr(one, name) for one in many)
    for name in ("precision", "recall", "f1"):
        assert total[name] is None or 0 <= total[name] <= 1
    if total["precision"] and total["recall"]:
        mean = 2 / (1 / total["precision"] + 1 / total["recall"])
        assert total["f1"] == pytest.approx(mean)


@UNTIMED
@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_leaves_at_most_the_rest_above(values, share):
    ordered = sorted(values)
    found = percentile(ordered, share)
    at_most = sum(round(value, 3) <= found for value in ordered)
    assert at_most >= share * len(ordered) - 1e-9
    assert any(round(value, 3) == found for value in ordered)


def test_nothing_has_no_percentile():
    assert percentile([], 0.5) is None


@UNTIMED
@given(LABELS, st.randoms())
def test_a_grouping_agrees_with_itself_whatever_its_names(labels, chance):
    names = list("wxyz")
    chance.shuffle(names)
    renamed = [names["abcd".index(label)] for label in labels]
    assert adjusted_rand_index(labels, renamed) == pytest.approx(1)


@UNTIMED
@given(st.data(), LABELS)
def test_agreement_has_no_direction_and_no_more_than_one(data, first):
    second = data.draw(st.lists(st.sampled_from("abcd"), min_size=len(first), max_size=len(first)))
    index = adjusted_rand_index(first, second)
    assert index == pytest.approx(adjusted_rand_index(second, first))
    assert index <= 1 + 1e-9


def test_agreement_of_a_known_example():
    # Pairs: 1 together in both, 2 in the first, 4 in the second, of 10: (1 - 0.8) / (3 - 0.8).
    assert adjusted_rand_index(list("aabbc"), list("xxxxy")) == pytest.approx(
        (2 - 2 * 6 / 10) / ((2 + 6) / 2 - 2 * 6 / 10)
    )


def test_without_a_single_exception_there_is_nothing_to_measure():
    assert grouping([]) is None
    told = grouping([("c1", "i1"), ("c1", "i1"), ("c2", "i2")])
    assert told is not None
    assert (told["adjusted_rand_index"], told["symptoms_per_incident"]) == (1.0, 1.5)


def world():
    counts = Counts(injected=2, detectable=2, found=2, delays=[1.0, 3.0]).as_json()
    return {
        "seed": 7,
        "kinds": {"F1": counts},
        "remarks": [],
        "grouping": grouping([("cause", "incident")]),
        "passes_to_rest": 2,
    }


def test_every_kind_of_the_catalogue_is_listed_and_one_without_a_world_has_its_reason():
    score = summarise([world()], {})
    assert score["totals"]["kinds"] == 97 <= len(score["by_kind"])
    for entry in catalogue():
        told = score["by_kind"][entry.kind_id]
        assert told["title"] == entry.title
        assert told["reason"] or entry.detectable == "yes"
    assert score["by_kind"]["F1"]["delay_p95"] == 3.0
    assert is_perfect(score)


@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({"remarks": ["missed F1"]}, {}),
        ({"passes_to_rest": 4}, {}),
        ({}, {8: "its process died"}),
    ],
)
def test_anything_to_explain_is_not_perfect(changes, failures):
    assert not is_perfect(summarise([world() | changes], failures))


def test_no_world_at_all_is_not_perfect():
    assert not is_perfect(summarise([], {}))


def test_a_kind_counts_as_injected_only_where_a_world_held_it_and_a_full_run_needs_each():
    score = summarise([world()], {})
    assert score["totals"]["kinds_detectable"] == 1
    assert "T1" in score["never_injected"]
    assert is_perfect(score, "demo")
    assert not is_perfect(score, "full")
    counts = Counts(injected=1, detectable=1, found=1).as_json()
    every = {entry.kind_id: counts for entry in catalogue() if entry.detectable == "yes"}
    assert is_perfect(summarise([world() | {"kinds": every}], {}), "full")


def test_what_was_left_out_of_a_world_is_told():
    score = summarise([world() | {"left_out": ["I8"]}, world() | {"left_out": ["I8"]}], {})
    assert score["left_out"] == {"I8": 2}
