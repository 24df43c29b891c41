"""The catalogue of kinds and what a world holds say the same."""

from __future__ import annotations

from collections import defaultdict

import pytest

from sandbox.clock import iso_utc, now
from sandbox.distributor import Distributor
from sandbox.kinds import catalogue
from sandbox.settings import Settings
from sandbox.world import build_history

SETTINGS = Settings(orders=150, faults_per_kind=1, decoys_per_kind=1)


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return build_history(SETTINGS, now()).truths


def test_the_catalogue_has_the_97_kinds_of_faults_once_each():
    names = [entry.kind_id for entry in catalogue()]
    assert len(names) == len(set(names)) == 97


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
        assert bool(entry.reason) == (entry.detectable not in ("yes", "decoy")), entry.kind_id


@pytest.mark.parametrize("kind", ["O4", "O5", "H5"])
def test_what_only_its_last_change_dates_begins_at_its_injection(tmp_path, kind):
    distributor = Distributor(tmp_path, SETTINGS)
    before = iso_utc(now())
    (row,) = distributor.inject(kind, 1)
    distributor.close()
    assert row["expected_by"] > before
