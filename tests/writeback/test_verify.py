"""Belief follows evidence: only a verdict with its own evidence verifies."""

from __future__ import annotations

from typing import Any

import pytest
from engine_under_test import Engine
from samples import proof, quantity_change

from writeback.verify import apply_proofs


@pytest.fixture
def accepted(engine: Engine) -> Engine:
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.states() == ["accepted"]
    return engine


def judge(engine: Engine, verdict: str, **changes: Any) -> Any:
    row = proof(engine.only().correction_key, verdict, **changes)
    return apply_proofs(engine.store, [row], engine.clock)


def test_verified_with_time_and_evidence(accepted: Engine) -> None:
    accepted.clock.advance(300)
    assert judge(accepted, "verified").verified == 1
    correction = accepted.only()
    assert correction.state == "verified"
    assert correction.verified_at == accepted.clock.now()
    assert "erp/E500001/10/abc" in correction.state_reason
    assert judge(accepted, "verified").verified == 0


def test_waiting_changes_nothing(accepted: Engine) -> None:
    before = accepted.only()
    assert judge(accepted, "waiting", extractions_since=0).waiting == 1
    assert accepted.only() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"effect_observed": False},
        {"exceptions_open": 1},
        {"extractions_since": 0},
        {"extractions_since": None},
    ],
)
def test_a_verdict_that_its_evidence_contradicts_is_not_believed(
    accepted: Engine, changes: dict[str, Any]
) -> None:
    assert judge(accepted, "verified", **changes).inconsistent == 1
    assert accepted.states() == ["accepted"]


def test_unproven_needs_two_complete_extractions(accepted: Engine) -> None:
    assert judge(accepted, "unproven", extractions_since=1).inconsistent == 1
    assert judge(accepted, "unproven").unproven == 1
    assert accepted.states() == ["unproven"]


def test_a_proof_may_come_late(accepted: Engine) -> None:
    judge(accepted, "unproven")
    assert judge(accepted, "verified", extractions_since=5).verified == 1
    assert accepted.states() == ["verified"]


def test_moot_is_a_persons_work(accepted: Engine) -> None:
    assert judge(accepted, "moot").moot == 1
    assert "decide whether to undo" in accepted.only().state_reason


def test_proofs_of_other_states_and_other_stores_are_ignored(engine: Engine) -> None:
    engine.propose(quantity_change())
    assert judge(engine, "verified").verified == 0
    assert engine.states() == ["ready"]
    assert apply_proofs(engine.store, [proof("elsewhere")], engine.clock).unknown == 1


def test_while_it_waits_for_proof_nothing_else_is_sent_for_the_object(accepted: Engine) -> None:
    first = accepted.only().correction_key
    accepted.propose(quantity_change(old=7, new=8))
    assert accepted.deliver().sent == 0
    apply_proofs(accepted.store, [proof(first)], accepted.clock)
    assert accepted.deliver().sent == 1
