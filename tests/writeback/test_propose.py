"""From proposals to the outbox: idempotency, holds, brake, generations, withdrawal."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from engine_under_test import Engine
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import invoice, later, proof, quantity_change

from registry.systems import Policy
from writeback import tables as t
from writeback.approval import approve, hold, reject, release_brake, retry
from writeback.propose import idempotency_key, proposal_key
from writeback.verify import apply_proofs


def test_the_same_drift_in_every_pass_is_one_row(engine: Engine) -> None:
    assert engine.propose(quantity_change()).new == 1
    for _ in range(3):
        engine.clock.advance(60)
        result = engine.propose(quantity_change())
        assert (result.new, result.unchanged, result.changed) == (0, 1, 0)
    assert engine.states() == ["ready"]


def test_columns_that_are_json_text_are_the_same_proposal(engine: Engine) -> None:
    """DuckDB hands JSON columns out as text, with numbers as DECIMAL prints them."""
    engine.propose(quantity_change())
    row = quantity_change()
    for name in ("payload", "old_value", "new_value", "preconditions"):
        row[name] = json.dumps(row[name]).replace(" 5", " 5.000000")
    assert engine.propose(row).unchanged == 1


def test_keys_do_not_depend_on_the_rule_but_on_target_object_kind_and_values() -> None:
    base = ("erp", "SO-1/1", "update_quantity", 7, 5)
    assert proposal_key(*base) == proposal_key(*base)
    for position in range(5):
        other: list[Any] = list(base)
        other[position] = "other"
        assert proposal_key(*other) != proposal_key(*base)
    assert idempotency_key("k", 1) == idempotency_key("k", 1) != idempotency_key("k", 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"needs_approval": True, "approval_reason": "first of its kind"}, "first of its kind"),
        ({"value_at_risk": "1000.01"}, "above 1,000 USD"),
        ({"value_at_risk": Decimal("-2000")}, "above 1,000 USD"),
        ({"conflict": True}, "contradict"),
    ],
)
def test_what_needs_a_person_waits(engine: Engine, changes: dict[str, Any], reason: str) -> None:
    result = engine.propose(quantity_change(**changes))
    assert result.held == 1
    assert engine.states() == ["awaiting_approval"]
    assert reason in engine.only().state_reason
    assert engine.deliver().sent == 0


def test_a_high_limit_is_told_in_full(engine: Engine) -> None:
    engine.policy = Policy(approval_above=1_000_000)
    engine.propose(quantity_change(value_at_risk="1000000.01"))
    assert "above 1,000,000 USD" in engine.only().state_reason


def test_a_kind_on_the_policys_list_waits_even_if_the_rule_forgot(engine: Engine) -> None:
    engine.policy = Policy(approval_kinds=("update_quantity",))
    engine.propose(quantity_change())
    assert engine.states() == ["awaiting_approval"]


def test_a_withdrawn_proposal_that_was_not_sent_is_superseded(engine: Engine) -> None:
    engine.propose(quantity_change(1), quantity_change(2, needs_approval=True))
    assert engine.propose().superseded == 2
    assert engine.states() == ["superseded", "superseded"]
    assert engine.deliver().leased == 0


def test_an_incomplete_list_withdraws_nothing(engine: Engine) -> None:
    engine.propose(quantity_change(1))
    assert engine.propose(quantity_change(2), complete=False).superseded == 0
    assert engine.states() == ["ready", "ready"]


def test_what_was_sent_is_not_withdrawn(engine: Engine) -> None:
    engine.propose(quantity_change(1))
    engine.world.inject("lost_response")
    engine.deliver()
    assert engine.states() == ["unknown"]
    engine.propose()
    assert engine.states() == ["unknown"]


def test_what_may_have_been_begun_is_looked_at_and_not_withdrawn(engine: Engine) -> None:
    """The part of it that stands may be why the data show no drift any more."""
    engine.propose(quantity_change(1))
    engine.world.inject("lost_request", "status_503")
    engine.deliver()
    engine.clock.advance(3600)
    engine.deliver()
    assert engine.states() == ["ready"]
    assert engine.propose().superseded == 0
    engine.world.set_line("E500001/10", 6)
    engine.clock.advance(3600)
    engine.deliver()
    assert engine.states() == ["superseded"]
    assert "the target holds another value" in engine.only().state_reason


def test_what_may_have_been_begun_waits_for_a_person_and_is_not_withdrawn(engine: Engine) -> None:
    """Nobody would be told of what stands half done."""
    engine.policy = Policy(approval_above=10)
    engine.propose(quantity_change(1))
    approve(engine.store, engine.only().correction_key, "maria", "", engine.clock)
    engine.world.inject("lost_request", "status_503")
    engine.deliver()
    engine.clock.advance(3600)
    engine.deliver()
    engine.clock.advance(2 * 86_400)
    engine.deliver()
    assert engine.states() == ["awaiting_approval"] and engine.only().possibly_sent
    assert engine.propose().superseded == 0
    assert engine.states() == ["awaiting_approval"]


def test_the_brake_holds_all_new_ones_of_an_abnormal_build(engine: Engine) -> None:
    engine.policy = Policy(max_corrections_per_run=3)
    assert not engine.propose(*[quantity_change(n) for n in (1, 2, 3)]).braked
    crowd = [quantity_change(n) for n in range(1, 8)]
    result = engine.propose(*crowd)
    assert (result.braked, result.new, result.held) == (True, 4, 4)
    assert engine.states() == ["ready"] * 3 + ["awaiting_approval"] * 4
    assert "4 new corrections in one build, the limit is 3" in engine.store.list()[0].state_reason
    # The next pass proposes the same ones: they are no longer new, and stay held.
    engine.propose(*crowd)
    assert engine.states() == ["ready"] * 3 + ["awaiting_approval"] * 4


@pytest.mark.parametrize(
    ("builds", "usual", "new", "braked"),
    [
        (5, 10, 101, True),
        (5, 10, 100, False),  # few enough to look at
        (4, 10, 101, False),  # nobody knows yet what is usual
        (5, 40, 120, False),  # thrice what is usual
    ],
)
def test_the_brake_knows_what_is_usual(
    engine: Engine, builds: int, usual: int, new: int, braked: bool
) -> None:
    known: list[dict[str, Any]] = []
    for build in range(builds):
        known += [quantity_change(1000 * build + n) for n in range(1, usual + 1)]
        assert not engine.propose(*known).braked
        engine.clock.advance(300)
    result = engine.propose(*known, *[quantity_change(9000 + n) for n in range(1, new + 1)])
    assert (result.braked, result.held) == (braked, new if braked else 0)
    if braked:
        reason = engine.store.list()[0].state_reason
        assert reason == f"{new} new corrections in one build, where {usual} are usual"


def test_what_people_try_again_is_no_build_to_the_brake(engine: Engine) -> None:
    known: list[dict[str, Any]] = []
    for build in range(5):
        known += [quantity_change(1000 * build + n) for n in range(1, 41)]
        engine.propose(*known)
        engine.clock.advance(300)
    with engine.store.write() as connection:
        connection.execute(t.corrections.update().values(state="dead"))
    for correction in engine.store.list(limit=20):
        retry(engine.store, correction.correction_key, "maria", "")
        engine.clock.advance(1)
    with engine.store.read() as connection:
        assert engine.store.new_by_build(connection) == [40] * 5


def test_releasing_the_brake_spares_what_needs_approval_of_its_own(engine: Engine) -> None:
    engine.policy = Policy(max_corrections_per_run=1)
    engine.propose(quantity_change(1), quantity_change(2, value_at_risk="5000"))
    assert release_brake(engine.store, "maria", "a recount, expected") == 1
    assert engine.states() == ["ready", "awaiting_approval"]
    engine.propose(quantity_change(1), quantity_change(2, value_at_risk="5000"))
    assert engine.states() == ["ready", "awaiting_approval"]


def test_what_aims_at_a_system_that_is_not_configured_now_stays(engine: Engine) -> None:
    """A command with another systems file in the same home: nothing of the drift is known to be
    gone, and an approval must not be lost."""
    engine.propose(quantity_change(1), quantity_change(2, value_at_risk="5000"))
    approve(engine.store, engine.store.list()[0].correction_key, "maria", "")
    engine.propose(targets=["somewhere"])
    assert engine.states() == ["ready", "ready"]
    engine.propose(targets=["somewhere", "erp"])
    assert engine.states() == ["superseded", "superseded"]


def test_a_conflict_that_appears_stops_a_ready_one_and_its_end_releases_it(engine: Engine) -> None:
    engine.propose(quantity_change(1, new=7))
    first, second = quantity_change(1, new=7), quantity_change(1, new=8)
    engine.propose({**first, "conflict": True}, {**second, "conflict": True})
    assert engine.states() == ["awaiting_approval", "awaiting_approval"]
    engine.propose(first)
    assert engine.states() == ["ready", "superseded"]


def test_choosing_one_of_a_conflict_rejects_the_others(engine: Engine) -> None:
    rivals = [quantity_change(1, new=n, conflict=True) for n in (7, 8, 9)]
    engine.propose(*rivals)
    chosen = engine.store.list()[1]
    approve(engine.store, chosen.correction_key, "maria", "as the customer wrote")
    assert engine.states() == ["rejected", "ready", "rejected"]
    engine.propose(*rivals)
    assert engine.states() == ["rejected", "ready", "rejected"]
    engine.deliver()
    assert [effect[3] for effect in engine.world.effects()] == ["8"]


def test_choosing_one_rejects_nothing_that_does_not_contradict_it(engine: Engine) -> None:
    """A price that takes turns puts all that is proposed for the line into conflict."""
    line = quantity_change(conflict=True)
    record = {name: line["payload"][name] for name in ("order_record", "line_record")}
    price = {"unit_price": "2.50", "old_unit_price": "2.00"}
    of_the_price = {
        "kind": "update_price",
        "proposal_key": None,
        "payload": {**record, **price},
        "obligation_ids": ["O05:1"],
        "conflict": True,
    }
    engine.propose(
        line,
        quantity_change(**of_the_price),
        quantity_change(**{**of_the_price, "target_system": "oms", "obligation_ids": ["O06:1"]}),
        quantity_change(
            conflict=True,
            kind="cancel_line",
            proposal_key=None,
            payload=record,
            obligation_ids=["O07:1"],
        ),
        quantity_change(conflict=True, proposal_key=None, target_system="oms"),
    )
    approve(engine.store, engine.store.list()[-1].correction_key, "maria", "as ordered")
    # The line is not cancelled either, and the quantity goes to one of the two.
    waits = "awaiting_approval"
    assert engine.states() == ["ready", waits, waits, "rejected", "rejected"]


def test_drift_that_comes_back_after_verified_is_a_new_generation(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.deliver()
    first = engine.only()
    apply_proofs(engine.store, [proof(first.correction_key)], engine.clock)
    # A build over data from before the acceptance proves nothing new.
    assert engine.propose(quantity_change(frontier=later(engine.clock.now(), -1))).stale == 1
    engine.clock.advance(3600)
    engine.world.set_line("E500001/10", 5)
    result = engine.propose(quantity_change(frontier=engine.clock.now()))
    assert result.new == 1
    second = engine.store.list()[0]
    assert (second.generation, second.state) == (2, "ready")
    assert second.idempotency_key != first.idempotency_key
    engine.deliver()
    assert len(engine.world.effects()) == 2


def test_the_third_correction_within_a_day_waits_for_a_person(engine: Engine) -> None:
    """Another system writes the old value back each hour."""
    for generation in (1, 2, 3):
        engine.clock.advance(3600)
        engine.propose(quantity_change(frontier=engine.clock.now()))
        engine.deliver()
        if generation < 3:
            latest = engine.store.list()[0].correction_key
            apply_proofs(engine.store, [proof(latest)], engine.clock)
            engine.world.set_line("E500001/10", 5)
    assert engine.states() == ["verified", "verified", "awaiting_approval"]
    assert "something undoes it" in engine.store.list()[0].state_reason
    assert len(engine.world.effects()) == 2


def test_ping_pong_between_two_values_is_caught_too(engine: Engine) -> None:
    for old, new in ((5, 7), (7, 5), (5, 7)):
        engine.clock.advance(600)
        engine.propose(quantity_change(old=old, new=new, frontier=engine.clock.now()))
        engine.deliver()
        latest = engine.store.list()[0].correction_key
        apply_proofs(engine.store, [proof(latest)], engine.clock)
    assert engine.states()[-1] == "awaiting_approval"


def test_a_day_later_the_cap_is_forgotten(engine: Engine) -> None:
    for old, new in ((5, 7), (7, 5)):
        engine.propose(quantity_change(old=old, new=new, frontier=engine.clock.now()))
        engine.deliver()
        latest = engine.store.list()[0].correction_key
        apply_proofs(engine.store, [proof(latest)], engine.clock)
        engine.clock.advance(600)
    engine.clock.advance(86_400)
    engine.propose(quantity_change(frontier=engine.clock.now()))
    assert engine.states()[-1] == "ready"


def test_a_rejected_one_is_not_proposed_again_until_its_drift_has_ended(engine: Engine) -> None:
    engine.propose(quantity_change(needs_approval=True))
    reject(engine.store, engine.only().correction_key, "maria", "agreed with the customer")
    engine.clock.advance(60)
    engine.propose(quantity_change(needs_approval=True, frontier=engine.clock.now()))
    assert engine.states() == ["rejected"]
    engine.propose()
    engine.clock.advance(60)
    engine.propose(quantity_change(needs_approval=True, frontier=engine.clock.now()))
    assert engine.states() == ["rejected", "awaiting_approval"]


def moved(number: int, *, by: int, **changes: Any) -> dict[str, Any]:
    """The drift of quantity_change(number) after both systems booked the same."""
    return quantity_change(number, old=5 + by, new=7 + by, **changes)


def test_what_a_person_said_no_to_is_not_sent_after_its_values_moved(engine: Engine) -> None:
    """A rejection hung on the key, which holds balances: two pieces shipped, and it was sent."""
    engine.propose(quantity_change())
    first = engine.only().correction_key
    reject(engine.store, first, "maria", "counted, the WMS is wrong")
    for by in (-2, -3):
        assert engine.propose(moved(1, by=by)).held == 1
        newest = engine.store.list()[0]
        assert (newest.state, newest.hold_codes) == ("awaiting_approval", ["after_rejection"])
        told = f"of the same drift {first} was rejected by maria: counted, the WMS is wrong"
        assert newest.state_reason == told
    assert engine.states() == ["rejected", "superseded", "awaiting_approval"]
    assert "goes on with other values" in engine.store.list()[1].state_reason
    # It ended; the next one is another.
    engine.propose()
    engine.propose(moved(1, by=-4, obligation_ids=["O04:again"]))
    assert engine.states()[-1] == "ready"


def test_a_hold_goes_on_when_values_move_and_ends_with_an_approval(engine: Engine) -> None:
    engine.propose(quantity_change())
    first = engine.only().correction_key
    hold(engine.store, first, "maria", "counting")
    for by in (-1, -2):
        engine.propose(moved(1, by=by))
        newest = engine.store.list()[0]
        assert newest.hold_codes == ["person"]
        told = f"of the same drift {first} waited for a person: held by maria: counting"
        assert newest.state_reason == told
    approve(engine.store, newest.correction_key, "maria", "counted")
    engine.propose(moved(1, by=-2))
    assert engine.states() == ["superseded", "superseded", "ready"]
    # What was approved had other values.
    engine.propose(moved(1, by=-3))
    assert engine.states()[-1] == "awaiting_approval"


def test_a_yes_to_what_was_not_sent_is_no_yes_to_the_drift(engine: Engine) -> None:
    """One of two wishes was rejected, the other approved and found stale: its values had moved."""
    rivals = [quantity_change(new=new, conflict=True) for new in (7, 8)]
    engine.propose(*rivals)
    approve(engine.store, engine.store.list()[0].correction_key, "maria", "as the customer wrote")
    engine.world.set_line("E500001/10", 4)
    engine.deliver()
    assert engine.states() == ["rejected", "superseded"]
    engine.propose(moved(1, by=-1))
    assert engine.store.list()[0].hold_codes == ["after_rejection"]


def test_a_hold_outlasts_a_build_that_withheld_the_proposal(engine: Engine) -> None:
    """It waited for the correction of a cause; its exception stayed open."""
    engine.propose(quantity_change())
    hold(engine.store, engine.only().correction_key, "maria", "counting")
    engine.propose()
    engine.clock.advance(60)
    engine.propose(moved(1, by=-2))
    assert engine.store.list()[0].hold_codes == ["person"]
    engine.propose()
    engine.clock.advance(60)
    engine.propose(quantity_change(frontier=engine.clock.now()))
    assert engine.store.list()[0].hold_codes == ["person"]


def test_a_hold_goes_on_when_the_exception_is_cut_anew(engine: Engine) -> None:
    """The copy took another wrong value: by that its exception has another name."""
    engine.propose(quantity_change())
    hold(engine.store, engine.only().correction_key, "maria", "counting")
    engine.propose(quantity_change(old=6, obligation_ids=["O04:cut anew"]))
    assert engine.states() == ["superseded", "awaiting_approval"]


def test_what_another_drift_of_the_object_was_refused_holds_nothing(engine: Engine) -> None:
    """Two invoices of one shipment: one stands by a person's word, the other is voided."""
    one, other = quantity_change(), quantity_change(old=6, obligation_ids=["O04:other"])
    engine.propose(one)
    reject(engine.store, engine.only().correction_key, "maria", "this one is right")
    engine.propose(one, other)
    assert engine.states() == ["rejected", "ready"]


def test_the_brake_holds_what_moved_until_it_is_released(engine: Engine) -> None:
    """A bad load: in the next pass some of the positions had moved, too few to be braked."""
    engine.policy = Policy(max_corrections_per_run=3)
    engine.propose(*[quantity_change(n) for n in range(1, 6)])
    still = [quantity_change(n) for n in range(3, 6)]
    assert engine.propose(moved(1, by=1), moved(2, by=1), *still).braked is False
    assert engine.states() == ["superseded"] * 2 + ["awaiting_approval"] * 5
    reason = engine.store.list()[0].state_reason
    assert "waited for a person: 5 new corrections in one build, the limit is 3" in reason
    assert release_brake(engine.store, "maria", "a recount, expected") == 5
    engine.propose(moved(1, by=2), moved(2, by=1), *still)
    assert engine.states() == ["superseded"] * 2 + ["ready"] * 3 + ["superseded"] + ["ready"] * 2


def test_what_was_told_of_a_hold_does_not_grow(engine: Engine) -> None:
    engine.policy = Policy(max_corrections_per_run=1)
    for by in range(5):
        crowd = [moved(n, by=by, value_at_risk=f"{2000 + by}") for n in (1, 2)]
        engine.propose(*crowd)
    (newest, *_) = engine.store.list()
    assert newest.hold_codes == ["approval", "brake"]
    assert newest.state_reason.count("value at risk") == 2
    assert newest.state_reason.count("in one build") == 2


def test_a_business_refusal_is_not_sent_again_while_the_drift_lasts(engine: Engine) -> None:
    engine.world.inject("status_422")
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.states() == ["refused"]
    engine.clock.advance(3600)
    engine.propose(quantity_change(frontier=engine.clock.now()))
    engine.deliver()
    assert engine.states() == ["refused"]
    assert len(engine.world.requests()) == 1
    # A person who removed the cause may have it tried again.
    key = retry(engine.store, engine.only().correction_key, "maria", "limit raised")
    engine.deliver()
    assert engine.states() == ["refused", "accepted"]
    assert engine.store.get(key).decisions[0].actor == "maria"


def test_a_version_conflict_is_decided_anew_by_newer_data_only(engine: Engine) -> None:
    engine.world.inject("status_412")
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.only().state_reason.startswith("version_conflict")
    assert engine.propose(quantity_change()).new == 0
    engine.clock.advance(60)
    assert engine.propose(quantity_change(frontier=engine.clock.now())).new == 1
    engine.deliver()
    assert engine.states() == ["refused", "accepted"]


def test_refused_and_dead_ones_leave_the_work_list_when_the_drift_is_gone(engine: Engine) -> None:
    engine.world.inject("status_422")
    engine.propose(quantity_change())
    engine.deliver()
    engine.propose()
    assert engine.states() == ["superseded"]


def test_a_content_change_voids_the_approval(engine: Engine) -> None:
    engine.propose(quantity_change(needs_approval=True))
    approve(engine.store, engine.only().correction_key, "maria", "")
    assert engine.states() == ["ready"]
    changed = quantity_change(needs_approval=True)
    changed["payload"] = {**changed["payload"], "quantity": 9}
    engine.propose(changed)
    assert engine.states() == ["awaiting_approval"]
    assert "changed after it was approved" in engine.only().state_reason
    assert engine.deliver().sent == 0
    # Changed back, it is not approved again.
    engine.propose(quantity_change(needs_approval=True))
    assert engine.states() == ["awaiting_approval"]
    assert engine.only().approved_hash is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "delete_everything"}, "no kind of correction 'delete_everything'"),
        ({"payload": {"order_record": "E500001"}}, "lacks line_record, quantity"),
        ({"payload": None}, "is not an object"),
        ({"target_system": None}, "has no target_system"),
        ({"preconditions": [{"check": "absent"}]}, "names no system"),
        ({"payload": {"quantity": float("nan")}}, "not a number"),
        ({"currency": "EURO"}, "currency has more than 3 characters: 'EURO'"),
        ({"object_id": "SO-1/" + "9" * 200}, "object_id has more than 200 characters"),
        ({"proposal_key": "k" * 181}, "proposal_key has more than 180 characters"),
        ({"order_id": "SO\0-1"}, "order_id holds a NUL character"),
    ],
)
def test_a_proposal_that_cannot_be_sent_is_named_and_stops_no_other(
    engine: Engine, changes: dict[str, Any], problem: str
) -> None:
    result = engine.propose(quantity_change(1, **changes), quantity_change(2))
    assert result.new == 1
    ((_, said),) = result.invalid
    assert problem in said


@pytest.mark.parametrize("given", [True, False])
def test_a_proposal_that_became_invalid_withdraws_nothing_of_its_own(
    engine: Engine, given: bool
) -> None:
    """Its drift is still there, whatever is wrong with the row; the others' ended."""
    row = quantity_change(1)
    if not given:
        del row["proposal_key"]
    engine.propose(row, quantity_change(2))
    result = engine.propose({**row, "payload": {"order_record": "E500001"}})
    assert (len(result.invalid), result.superseded) == (1, 1)
    assert engine.states() == ["ready", "superseded"]


@pytest.mark.parametrize("lacks", [{"object_id": None}, {"new_value": float("nan")}])
def test_an_invalid_proposal_without_a_key_lets_nothing_be_withdrawn(
    engine: Engine, lacks: dict[str, Any]
) -> None:
    """Nobody knows which of the standing ones it is."""
    engine.propose(quantity_change(1), quantity_change(2))
    broken = {**quantity_change(1), "proposal_key": None, **lacks}
    result = engine.propose(broken)
    assert (len(result.invalid), result.superseded) == (1, 0)
    assert engine.states() == ["ready", "ready"]


def test_lines_of_a_creation_are_checked(engine: Engine) -> None:
    bad = invoice()
    bad["payload"] = {**bad["payload"], "lines": [{"line_record": "10"}]}
    ((_, said),) = engine.propose(bad).invalid
    assert "lines[0].quantity" in said


@settings(max_examples=25)
@given(st.data())
def test_enqueue_is_idempotent_and_order_does_not_matter(data: st.DataObject) -> None:
    """Any proposals, in any order, any number of times: one row each."""
    import tempfile
    from pathlib import Path

    from fake_target import ManualClock

    from writeback.propose import enqueue
    from writeback.store import OperationsStore

    numbers = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock()
        store = OperationsStore(f"sqlite:///{Path(folder) / 'o.sqlite'}", clock)
        for _ in range(2):
            order = data.draw(st.permutations(numbers))
            enqueue(store, [quantity_change(n) for n in order], Policy(), clock)
            assert store.counts_by_state()["ready"] == len(set(numbers))
        store.close()


def test_a_good_build_releases_what_it_proposes_and_nothing_of_the_build_before(
    engine: Engine,
) -> None:
    store = engine.store
    store.set_gates("build-2", {"erp": (False, "40 rows")}, not_taken_up=True)
    engine.propose(quantity_change(1, 5, 700), build="build-2")
    store.open_gates("build-3", ["erp"])
    store.set_gates("build-3", {"erp": (True, "")}, not_taken_up=True)
    assert (engine.deliver().sent, store.gate("erp").outcome) == (0, "pending")
    engine.propose(quantity_change(1, 5, 700), build="build-2")  # an old build that comes late
    assert engine.deliver().sent == 0
    engine.propose(quantity_change(2), build="build-3")
    assert (engine.deliver().sent, engine.states()) == (1, ["superseded", "accepted"])


def test_a_build_that_comes_late_opens_nothing_that_was_closed_since(engine: Engine) -> None:
    engine.store.set_gates("build-2", {"erp": (True, "")}, not_taken_up=True)
    engine.store.open_gates("build-3", ["erp"])
    engine.propose(quantity_change(), build="build-2")
    assert engine.store.gate("erp").outcome == "crashed"
