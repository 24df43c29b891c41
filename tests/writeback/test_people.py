"""People's decisions: bound to content, recorded with the actor; and taking things back."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from engine_under_test import Engine
from fake_target import FakeTarget, system
from samples import invoice, proof, quantity_change

from connectors.base import Outcome, Result
from registry.systems import Policy
from writeback.approval import ApprovalError, approve, reject, retry
from writeback.dispatch import DeliveryReport, deliver_due
from writeback.states import IllegalTransitionError
from writeback.store import LeaseLostError, UnknownCorrectionError
from writeback.undo import UNDO_LEASE, UndoError, undo
from writeback.verify import ProofResult, apply_proofs


def waiting(engine: Engine) -> str:
    engine.propose(quantity_change(needs_approval=True))
    return engine.only().correction_key


def test_an_approval_is_recorded_with_actor_comment_and_content(engine: Engine) -> None:
    key = waiting(engine)
    approve(engine.store, key, "maria", "checked with the customer", engine.clock)
    detail = engine.store.get(key)
    (decision,) = detail.decisions
    assert (decision.actor, decision.decision) == ("maria", "approved")
    assert decision.comment == "checked with the customer"
    assert decision.payload_hash == detail.correction.payload_hash
    assert decision.decided_at == engine.clock.now()
    assert engine.deliver().accepted == 1


def test_an_approval_of_what_was_shown_fails_when_it_changed(engine: Engine) -> None:
    key = waiting(engine)
    shown = engine.only().payload_hash
    changed = quantity_change(needs_approval=True)
    changed["payload"] = {**changed["payload"], "quantity": 9}
    engine.propose(changed)
    with pytest.raises(ApprovalError, match="has changed since it was shown"):
        approve(engine.store, key, "maria", "", payload_hash=shown)
    assert engine.states() == ["awaiting_approval"]
    approve(engine.store, key, "maria", "", payload_hash=engine.only().payload_hash)
    assert engine.states() == ["ready"]


def test_only_what_waits_can_be_approved(engine: Engine) -> None:
    engine.propose(quantity_change())
    with pytest.raises(IllegalTransitionError, match="is 'ready'"):
        approve(engine.store, engine.only().correction_key, "maria", "")


def test_two_people_deciding_at_once_decide_once(engine: Engine) -> None:
    key = waiting(engine)
    approve(engine.store, key, "maria", "")
    with pytest.raises(IllegalTransitionError):
        approve(engine.store, key, "jonas", "")
    assert len(engine.store.get(key).decisions) == 1


def test_a_ready_one_can_still_be_rejected(engine: Engine) -> None:
    engine.propose(quantity_change())
    reject(engine.store, engine.only().correction_key, "maria", "wrong customer")
    assert engine.only().state_reason == "rejected by maria: wrong customer"
    assert engine.deliver().leased == 0


def test_a_decision_needs_a_name(engine: Engine) -> None:
    with pytest.raises(ApprovalError, match="name of the person"):
        approve(engine.store, waiting(engine), "  ", "")


def test_keys_may_be_shortened_while_they_are_unambiguous(engine: Engine) -> None:
    key = waiting(engine)
    assert engine.store.get(key[:8]).correction.correction_key == key
    approve(engine.store, key[:8], "maria", "")
    with pytest.raises(UnknownCorrectionError, match="no correction 'zzz'"):
        engine.store.get("zzz")
    engine.propose(*[quantity_change(n) for n in range(1, 20)])
    with pytest.raises(UnknownCorrectionError, match="several corrections begin with ''"):
        engine.store.get("")


def test_only_the_newest_generation_can_be_tried_again(engine: Engine) -> None:
    engine.world.inject("status_422", "status_422")
    engine.propose(quantity_change())
    engine.deliver()
    key = engine.only().correction_key
    retry(engine.store, key, "maria", "")
    with pytest.raises(ApprovalError, match="was tried again before"):
        retry(engine.store, key, "maria", "")
    engine.deliver()
    with pytest.raises(ApprovalError, match="tried again before"):
        retry(engine.store, key, "maria", "")


def test_an_accepted_one_cannot_be_tried_again(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    with pytest.raises(ApprovalError, match="only refused, dead and unproven"):
        retry(engine.store, engine.only().correction_key, "maria", "")


# ---- undo --------------------------------------------------------------------------------------


def take_back(engine: Engine, actor: str = "maria", key: str | None = None) -> Outcome:
    return undo(
        engine.store,
        {"erp": engine.target},
        key or engine.only().correction_key,
        actor,
        "our mistake",
        engine.clock,
        random.Random(3),
    )


@pytest.mark.parametrize("verified", [True, False])
def test_undo_restores_the_old_value_and_is_recorded(engine: Engine, verified: bool) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    if verified:
        apply_proofs(engine.store, [proof(engine.only().correction_key)], engine.clock)
    assert take_back(engine).result is Result.OK
    assert engine.states() == ["reverted"]
    assert engine.world.line("E500001/10") == 5
    detail = engine.store.get(engine.only().correction_key)
    assert [d.decision for d in detail.decisions] == ["undo_requested"]
    assert detail.attempts[-1].phase == "undo"


def test_undo_of_a_creation_ends_the_document(engine: Engine) -> None:
    engine.propose(invoice())
    engine.deliver()
    assert len(engine.world.invoices("SHP-000001")) == 1
    take_back(engine)
    assert engine.world.invoices("SHP-000001") == []


def test_an_undo_whose_answer_is_lost_may_be_repeated_with_one_effect(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    engine.world.inject("lost_response")
    assert take_back(engine).result is Result.UNKNOWN
    assert engine.states() == ["accepted"]
    assert "undo by maria: unknown" in engine.only().state_reason
    assert take_back(engine).result is Result.OK
    assert len(engine.world.effects()) == 2


def drifts_again(engine: Engine) -> None:
    """What was corrected is proposed once more, from newer data."""
    apply_proofs(engine.store, [proof(engine.store.list()[-1].correction_key)], engine.clock)
    engine.clock.advance(600)
    engine.propose(quantity_change(frontier=engine.clock.now()))


def test_the_undo_of_one_that_was_sent_anew_since_is_refused(engine: Engine) -> None:
    """Seed 5240: an undo without an answer, the same correction sent anew, the undo repeated. A
    target without a memory of keys would take back what the second one did."""
    engine.propose(quantity_change())
    first = engine.only().correction_key
    engine.deliver()
    engine.world.inject("lost_response")
    assert take_back(engine).result is Result.UNKNOWN
    drifts_again(engine)
    again = engine.store.list()[0].correction_key
    approve(engine.store, again, "jonas", "it is right")
    assert engine.deliver().accepted == 1
    with pytest.raises(UndoError, match=f"{again}.*take that one back first"):
        take_back(engine, key=first)
    assert engine.world.line("E500001/10") == 7
    take_back(engine, key=again)
    assert engine.states() == ["verified", "reverted"]


def test_what_a_person_wanted_back_waits_for_a_person_also_without_an_answer(
    engine: Engine,
) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    engine.world.inject("lost_response")
    assert take_back(engine).result is Result.UNKNOWN
    drifts_again(engine)
    assert engine.states() == ["verified", "awaiting_approval"]
    assert "wanted" in engine.store.list()[0].state_reason
    assert engine.deliver().sent == 0


def test_nothing_is_sent_to_an_object_while_something_of_it_is_taken_back(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    first = engine.only().correction_key
    drifts_again(engine)
    now = engine.clock.now()
    with engine.store.write() as connection:
        engine.store.claim_for_undo(connection, first, now, now + timedelta(seconds=60), "maria's")
    assert engine.deliver().leased == 0
    assert engine.store.due_count(now) == 0
    engine.clock.advance(61)
    assert engine.deliver().leased == 1


def test_an_undo_does_not_overwrite_what_came_after(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    engine.world.set_line("E500001/10", 9)
    assert take_back(engine).result is Result.REFUSED
    assert engine.world.line("E500001/10") == 9
    assert engine.states() == ["accepted"]


def test_undo_obeys_kill_switch_and_write_mode(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    engine.store.engage_kill_switch("maria", "stop")
    with pytest.raises(UndoError, match="kill switch"):
        take_back(engine)
    engine.store.release_kill_switch("maria", "go")
    engine.target.system = system(write_mode="dry_run")
    with pytest.raises(UndoError, match="write_mode"):
        take_back(engine)


def test_only_what_was_applied_can_be_undone_and_by_one_at_a_time(engine: Engine) -> None:
    engine.propose(quantity_change())
    with pytest.raises(IllegalTransitionError):
        take_back(engine)
    engine.deliver()
    with engine.store.write() as connection:
        key = engine.only().correction_key
        now = engine.clock.now()
        engine.store.claim_for_undo(connection, key, now, now + timedelta(seconds=60), "other")
    with pytest.raises(LeaseLostError, match="being undone by someone else"):
        take_back(engine)


def test_what_a_person_took_back_is_not_proposed_into_sending_again(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    take_back(engine)
    engine.clock.advance(600)
    engine.propose(quantity_change(frontier=engine.clock.now()))
    assert engine.states() == ["reverted", "awaiting_approval"]
    assert "was reverted before" in engine.store.list()[0].state_reason


def test_what_was_taken_back_waits_for_a_person_also_when_its_values_moved(
    engine: Engine,
) -> None:
    """Taking it back brought the drift again, as another exception; then both systems shipped."""
    engine.propose(quantity_change())
    engine.deliver()
    first = engine.only().correction_key
    apply_proofs(engine.store, [proof(first)], engine.clock)
    take_back(engine)
    engine.clock.advance(600)
    again = quantity_change(old=4, new=6, frontier=engine.clock.now(), obligation_ids=["O04:2"])
    engine.propose(again)
    newest = engine.store.list()[0]
    assert (newest.state, newest.hold_codes) == ("awaiting_approval", ["after_reversal"])
    assert newest.state_reason == f"{first} was reverted before"
    approve(engine.store, newest.correction_key, "maria", "now it is right")
    engine.world.set_line("E500001/10", 4)
    engine.deliver()
    apply_proofs(engine.store, [proof(newest.correction_key)], engine.clock)
    engine.clock.advance(86_400)
    later = quantity_change(old=6, new=9, frontier=engine.clock.now(), obligation_ids=["O04:3"])
    engine.propose(later)
    assert engine.states() == ["reverted", "verified", "ready"]


def test_above_the_limit_two_different_people_must_agree_to_the_same_content(
    engine: Engine,
) -> None:
    engine.policy = Policy(approval_above=1000, four_eyes_above=2000)
    engine.propose(quantity_change(value_at_risk="2500"))
    key = engine.only().correction_key
    approve(engine.store, key, "maria", "")
    assert engine.deliver().held == 1
    assert engine.only().state_reason == "maria agreed; above 2,000 a second person must"
    approve(engine.store, key, "maria", "again")
    assert engine.deliver().held == 1
    approve(engine.store, key, "jonas", "")
    assert engine.deliver().accepted == 1


def test_the_first_persons_word_covers_no_other_content_and_lapses(engine: Engine) -> None:
    engine.policy = Policy(approval_above=1000, four_eyes_above=2000)
    engine.propose(quantity_change(value_at_risk="2500"))
    key = engine.only().correction_key
    approve(engine.store, key, "maria", "")
    engine.deliver()
    changed = quantity_change(value_at_risk="2500", frontier=engine.clock.now())
    changed["payload"] = {**changed["payload"], "quantity": 9}
    engine.propose(changed)
    approve(engine.store, key, "jonas", "")
    assert engine.deliver().held == 1
    engine.clock.advance(86_401)
    approve(engine.store, key, "maria", "")
    assert engine.deliver().held == 1


@pytest.mark.parametrize("approved_before", [False, True])
def test_what_is_worth_more_by_now_needs_the_second_person(
    engine: Engine, approved_before: bool
) -> None:
    """The same content: a price came that was missing, and a second exception of the shipment."""
    engine.policy = Policy(approval_above=1000, four_eyes_above=10_000)
    engine.propose(invoice(value_at_risk="1500"))
    key = engine.only().correction_key
    if approved_before:
        approve(engine.store, key, "maria", "")
    grown: dict[str, Any] = {"value_at_risk": "60000", "obligation_ids": ["F01:a", "F01:b"]}
    result = engine.propose(invoice(**grown, relied_on_systems=["wms"]))
    assert (result.changed, result.unchanged) == (0, 1)
    told = engine.only()
    assert (told.value_at_risk, told.obligation_ids) == (60_000, ["F01:a", "F01:b"])
    assert "wms" in told.relied_on_systems
    engine.propose(invoice(**grown))
    if not approved_before:
        approve(engine.store, key, "maria", "")
    assert (engine.deliver().held, engine.deliver().sent) == (1, 0)
    assert engine.only().state_reason == "maria agreed; above 10,000 a second person must"
    approve(engine.store, key, "jonas", "")
    assert engine.deliver().accepted == 1


def test_a_value_that_nobody_can_tell_needs_the_second_person(engine: Engine) -> None:
    engine.policy = Policy(approval_above=1000, four_eyes_above=10_000)
    several = "value at risk in several currencies, which makes no sum"
    engine.propose(invoice(value_at_risk=None, needs_approval=True, approval_reason=several))
    key = engine.only().correction_key
    approve(engine.store, key, "maria", "")
    assert engine.deliver().held == 1
    assert engine.only().state_reason == (
        "maria agreed; without a known value a second person must"
    )
    approve(engine.store, key, "jonas", "")
    assert engine.deliver().accepted == 1


def test_the_limit_for_two_is_not_below_the_one_for_one() -> None:
    with pytest.raises(ValueError, match="four_eyes_above must not be below approval_above"):
        Policy(approval_above=1000, four_eyes_above=10)


def test_a_paused_target_gets_nothing_and_the_others_go_on(engine: Engine) -> None:
    other = FakeTarget(engine.world, system("erp_eu"))
    engine.store.set_gates("build-1", {"erp_eu": (True, "")})
    engine.propose(quantity_change(1), quantity_change(2, target_system="erp_eu", preconditions=[]))
    engine.store.pause("erp", "maria", "period close")

    def deliver() -> DeliveryReport:
        return deliver_due(
            engine.store,
            {"erp": engine.target, "erp_eu": other},
            {"erp": engine.source},
            engine.policy,
            engine.clock,
            engine.rng,
        )

    report = deliver()
    assert (report.sent, report.paused) == (1, {"erp": "period close (maria)"})
    engine.store.resume("erp", "maria", "closed")
    assert deliver().sent == 1


def test_a_pause_between_lease_and_send_stops_the_send_and_an_undo(engine: Engine) -> None:
    engine.propose(quantity_change(1), quantity_change(2))
    engine.target.on_apply = lambda _request: engine.store.pause("erp", "maria", "stop")
    assert engine.deliver().sent == 1
    accepted = next(c for c in engine.store.list() if c.state == "accepted")
    with pytest.raises(UndoError, match="while it is paused"):
        undo(
            engine.store,
            {"erp": engine.target},
            accepted.correction_key,
            "maria",
            "",
            engine.clock,
            random.Random(1),
        )


# ---- an undo and what happens meanwhile --------------------------------------------------------


def test_a_proof_that_comes_while_it_is_taken_back_waits(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    proofs = [proof(engine.only().correction_key)]
    told: list[ProofResult] = []
    engine.target.on_undo = lambda: told.append(apply_proofs(engine.store, proofs, engine.clock))
    assert take_back(engine).result is Result.OK
    assert (told[0].verified, told[0].waiting) == (0, 1)
    assert engine.states() == ["reverted"]


def test_an_undo_that_lost_its_claim_is_logged_and_says_so(engine: Engine) -> None:
    """Its process stood still for longer than the claim, and then came the proof."""
    engine.propose(quantity_change())
    engine.deliver()
    key = engine.only().correction_key

    def late() -> None:
        engine.clock.advance(UNDO_LEASE.total_seconds() + 1)
        assert apply_proofs(engine.store, [proof(key)], engine.clock).verified == 1

    engine.target.on_undo = late
    with pytest.raises(LeaseLostError, match=r"the target answered ok .*ask for the undo again"):
        take_back(engine)
    attempt = engine.store.get(key).attempts[-1]
    assert (attempt.phase, attempt.result) == ("undo", "ok")
    engine.target.on_undo = None
    assert take_back(engine).result is Result.OK
    assert engine.states() == ["reverted"]
    assert len(engine.world.effects()) == 2
