"""The catalogue of kinds and what a world holds say the same."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

import pytest

from sandbox import clock
from sandbox.clock import iso_utc, now
from sandbox.distributor import Distributor
from sandbox.kinds import catalogue
from sandbox.scene import NothingLeftError
from sandbox.settings import Settings
from sandbox.world import KINDS, build_history
from sandbox.worldfile import read_world

SETTINGS = replace(read_world("full"), orders=150, faults_per_kind=1, decoys_per_kind=1)


@pytest.fixture(scope="module")
def truths(tmp_path_factory) -> list[dict]:
    """Of a history, and of the kinds that are only injected."""
    distributor = Distributor(tmp_path_factory.mktemp("world"), SETTINGS)
    rows = [json.loads(text) for text in distributor.store.truths()]
    apart = [name for name, kind in KINDS.items() if not kind.in_history]
    rows += [row for name in apart for row in distributor.inject(name, 1)]
    distributor.close()
    return rows


def test_the_catalogue_has_the_97_kinds_of_faults_once_each():
    names = [entry.kind_id for entry in catalogue()]
    assert len(names) == len(set(names)) == 97


@pytest.mark.parametrize("world", ["demo", "full"])
def test_decoys_are_at_least_as_many_as_faults(world):
    truths = build_history(replace(read_world(world), orders=150), now=1_790_000_000.0).truths
    decoys = sum(row["decoy"] for row in truths)
    assert decoys >= len(truths) - decoys > 100


def test_what_a_world_holds_is_in_the_catalogue_with_its_rules(truths):
    rules = defaultdict(set)
    reasons = {}
    for row in truths:
        if not row["decoy"]:
            rules[row["fault_type"]] |= {expected["rule"] for expected in row["expected"]}
            reasons[row["fault_type"]] = row["reason_undetectable"]
    known = {entry.kind_id: entry for entry in catalogue()}
    assert set(rules) <= set(known)
    for kind, entry in known.items():
        if kind in rules:
            assert set(entry.rules) == rules[kind], kind
            assert entry.detectable == ("no" if reasons[kind] else "yes"), kind
        elif entry.detectable == "decoy":
            assert any(row["decoy"] and row["fault_type"] == kind for row in truths), kind
        else:
            assert (entry.detectable, bool(entry.reason)) == ("", True), kind


def test_a_kind_that_is_not_found_says_why():
    for entry in catalogue():
        assert bool(entry.reason) == (entry.detectable != "yes"), entry.kind_id


def test_what_stands_in_the_way_of_others_is_in_no_history_unless_it_is_wanted():
    apart = {name for name, kind in KINDS.items() if not kind.in_history}
    assert {"T7", "T9", "S1", "S2", "X1", "T11"} <= apart
    history = build_history(SETTINGS, now())
    assert not apart & {row["fault_type"] for row in history.truths}
    wanted = build_history(replace(SETTINGS, mix={"T9": 1}), now())
    assert [row["fault_type"] for row in wanted.truths if row["fault_type"] in apart] == ["T9"]


@pytest.mark.parametrize("kind", ["O4", "O5", "H5"])
def test_what_only_its_last_change_dates_begins_at_its_injection(tmp_path, kind):
    distributor = Distributor(tmp_path, SETTINGS)
    before = iso_utc(now())
    (row,) = distributor.inject(kind, 1)
    distributor.close()
    assert row["expected_by"] > before


def test_a_world_without_the_means_for_a_kind_leaves_it_out_and_says_so(tmp_path):
    plain = Settings(orders=60, faults_per_kind=1, decoys_per_kind=1)
    held = {row["fault_type"] for row in build_history(plain, now()).truths}
    needing = {kind.name for kind in KINDS.values() if kind.needs}
    assert needing >= {"P1", "I8", "I9"}
    assert not held & needing
    distributor = Distributor(tmp_path, plain)
    with pytest.raises(NothingLeftError, match="no purchasing and no suppliers"):
        distributor.inject("P1", 1)
    distributor.close()


def test_what_needs_more_than_orders_can_be_injected_where_it_is(tmp_path):
    distributor = Distributor(tmp_path, SETTINGS)
    for name, kind in KINDS.items():
        if kind.needs:
            for row in distributor.inject(name, 1):
                overdue = row["expected_by"] <= row["injected_at"]
                assert row["decoy"] or kind.undated or overdue, name
    held = distributor.store.truths()
    distributor.close()
    again = Distributor(tmp_path, SETTINGS)
    assert again.store.truths() == held
    again.close()


def test_what_is_injected_late_never_takes_units_that_others_were_promised(tmp_path):
    """World 9001 did: two injected orders for cases left less on hand than was allocated."""
    miscount = "I5"
    staged = [
        name
        for name, kind in KINDS.items()
        if kind.whole_feed is None and not (kind.undated and kind.mixed) and name != miscount
    ]
    settings = Settings(seed=1, orders=300, items=80, faults_per_kind=0, decoys_per_kind=0)
    with clock.skips_forgotten():
        distributor = Distributor(tmp_path, settings)
        for name in staged * 6:
            with suppress(NothingLeftError):
                distributor.inject(name, 1)
        clock.skip(3 * clock.DAY)
        distributor.advance()
        held = distributor.wms.inventory
        short = [
            position
            for position in map(held.edit, held.ids())
            if position["OnHand"] < position["Allocated"] + position["Damaged"]
        ]
        distributor.close()
    assert short == []


def test_each_fault_tells_what_is_true_and_what_each_of_its_systems_says(truths):
    for row in truths:
        if not row["decoy"]:
            told = row["truth"].keys()
            lacking = {*row["systems"], "real"} - told
            assert not lacking, (row["fault_type"], row["fault_id"], lacking)
