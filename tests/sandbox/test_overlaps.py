"""Faults that belong together: several on one object, and several of one root cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import pytest

from sandbox.clock import now
from sandbox.distributor import Distributor
from sandbox.faults.overlaps import IN_ONE_RUN, OVERLAPS
from sandbox.world import KINDS, build_history
from sandbox.worldfile import read_world

SETTINGS = replace(read_world("full"), orders=150, faults_per_kind=1, decoys_per_kind=1)
ON_ONE_OBJECT = sorted(kind.name for kind in OVERLAPS if not kind.one_cause)
OF_ONE_CAUSE = sorted(kind.name for kind in OVERLAPS if kind.one_cause)


def objects(row: dict[str, Any]) -> set[str]:
    """What a fault is on and no other may be on: its order, purchase order or stock position."""
    keys = row["entity_keys"]
    found = {keys[name] for name in ("order_number", "purchase") if isinstance(keys.get(name), str)}
    return found | ({f"{keys['gtin']}@{keys['location']}"} if "location" in keys else set())


@pytest.mark.parametrize("each", [0, 1, 2])
def test_only_what_is_staged_as_an_overlap_shares_an_object(each):
    truths = build_history(replace(SETTINGS, overlaps_per_kind=each), now()).truths
    on = defaultdict(list)
    for row in truths:
        for name in objects(row):
            on[name].append(row["fault_type"])
    shared = Counter("-".join(kinds) for kinds in on.values() if len(kinds) > 1)
    assert shared == dict.fromkeys(ON_ONE_OBJECT if each else (), each)


def test_a_root_cause_is_shared_by_what_one_run_lost_and_by_nothing_else():
    truths = build_history(SETTINGS, now()).truths
    of = defaultdict(list)
    for row in truths:
        of[row["root_cause_id"]].append(row["fault_type"])
    shared = sorted(f"{kinds[0]}x{len(kinds)}" for kinds in of.values() if len(kinds) > 1)
    assert shared == OF_ONE_CAUSE == [f"H9x{IN_ONE_RUN}", f"T1x{IN_ONE_RUN}"]


def test_an_overlap_is_of_kinds_that_there_are_and_tells_the_truth_of_each(tmp_path):
    distributor = Distributor(tmp_path, SETTINGS)
    for kind in OVERLAPS:
        rows = distributor.inject(kind.name, 1)
        assert len(rows) > 1
        assert len({row["fault_id"] for row in rows}) == len(rows)
        assert {row["fault_type"] for row in rows} <= KINDS.keys()
        assert all(row["detectable"] and row["expected"] for row in rows)
        # Two of one field could not be told apart.
        corrections = [
            str(row["expected_correction"]) for row in rows if row["expected_correction"]
        ]
        assert len(set(corrections)) == len(corrections), kind.name
    distributor.close()


def test_what_is_missing_and_what_is_doubled_cancel_out(tmp_path):
    distributor = Distributor(tmp_path, SETTINGS)
    missing, doubled = distributor.inject("I1-I2", 1)
    distributor.close()
    assert objects(missing) & objects(doubled)
    right = doubled["expected_correction"]["payload"]["quantity"]
    assert int(missing["expected_correction"]["payload"]["quantity"]) == -int(right)
