"""Delivery against a system that loses, delays and refuses: exactly one effect, or none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from engine_under_test import Engine
from fake_target import FakeSource, FakeTarget, ManualClock, World, system
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import invoice, quantity_change

from connectors.base import CorrectionRequest, Outcome, Result, SourceError, TargetState
from writeback.approval import approve
from writeback.dispatch import BREAKER_FAILURES, DeliveryReport, deliver_due

HOUR = 3600


def settle(engine: Engine, rounds: int = 30) -> None:
    """Deliver again and again, as the sensor would, until nothing is left to do."""
    for _ in range(rounds):
        engine.clock.advance(HOUR)
        engine.deliver()


def test_the_happy_path_is_one_request_one_effect_and_a_full_history(engine: Engine) -> None:
    engine.propose(quantity_change())
    report = engine.deliver()
    assert (report.sent, report.accepted) == (1, 1)
    correction = engine.only()
    assert (correction.state, correction.attempts) == ("accepted", 1)
    assert correction.accepted_at == engine.clock.now()
    assert correction.target_record_id == "E500001/10"
    assert engine.world.effects() == [(correction.idempotency_key, "E500001/10", "5", "7")]
    (attempt,) = engine.store.get(correction.correction_key).attempts
    assert (attempt.phase, attempt.result, attempt.code) == ("send", "ok", "http_200")
    assert engine.deliver().leased == 0


@pytest.mark.parametrize("make", [quantity_change, invoice])
@pytest.mark.parametrize(
    "fault",
    [
        "lost_request",
        "lost_response",
        "timeout_after_effect",
        "exception_after_effect",
        "status_500",
        "status_429",
        "status_503",
        "unreachable",
    ],
)
@pytest.mark.parametrize("honours_keys", [True, False])
def test_any_technical_fault_ends_in_exactly_one_effect(
    engine: Engine, make: Any, fault: str, honours_keys: bool
) -> None:
    engine.world.honours_keys = honours_keys
    engine.world.inject(fault)
    engine.propose(make())
    engine.deliver()
    assert engine.states() == [
        "ready" if fault in ("status_429", "status_503", "unreachable") else "unknown"
    ]
    settle(engine, rounds=3)
    assert engine.states() == ["accepted"]
    assert len(engine.world.effects()) == 1


def test_an_unknown_one_is_read_and_not_sent_again(engine: Engine) -> None:
    engine.world.inject("lost_response")
    engine.propose(quantity_change())
    engine.deliver()
    engine.clock.advance(HOUR)
    report = engine.deliver()
    assert (report.sent, report.accepted) == (0, 1)
    assert len(engine.world.requests()) == 1
    phases = [a.phase for a in engine.store.get(engine.only().correction_key).attempts]
    assert phases == ["send", "read"]


@pytest.mark.parametrize("fault", ["status_429_after_effect", "status_503_after_effect"])
@pytest.mark.parametrize("is_seen", [True, False])
def test_what_a_gateway_denied_and_the_target_did_is_ours(
    engine: Engine, fault: str, is_seen: bool
) -> None:
    """A target without a trace of keys held our value: it was called somebody else's."""
    engine.world.honours_keys = False
    engine.world.inject(fault)
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.states() == ["ready"]
    if is_seen:
        # The next load shows no drift any more: of what nobody sent that is the end.
        engine.propose()
    settle(engine, rounds=3)
    assert engine.states() == ["accepted"]
    assert (len(engine.world.requests()), len(engine.world.effects())) == (1, 1)


def test_an_unknown_one_is_not_even_read_before_its_delay(engine: Engine) -> None:
    """The request may still be on its way into the target."""
    engine.world.inject("lost_response")
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.deliver().leased == 0


def test_a_lost_request_is_sent_again_with_the_same_key_after_a_read(engine: Engine) -> None:
    engine.world.inject("lost_request")
    engine.propose(quantity_change())
    engine.deliver()
    engine.clock.advance(HOUR)
    engine.deliver()
    history = engine.store.get(engine.only().correction_key).attempts
    assert [(a.phase, a.result) for a in history] == [
        ("send", "unknown"),
        ("read", "find_absent"),
        ("send", "ok"),
    ]
    assert len({a.idempotency_key for a in history}) == 1
    assert engine.only().attempts == 2


def test_what_somebody_else_did_while_ours_was_unknown_is_not_ours(engine: Engine) -> None:
    engine.world.inject("lost_request")
    engine.propose(invoice())
    engine.deliver()
    with engine.world.transaction() as connection:
        connection.execute("insert into invoice values (1, 'SHP-000001', 'maria', 1)")
    engine.clock.advance(HOUR)
    engine.deliver()
    assert engine.states() == ["superseded"]
    assert "not from us" in engine.only().state_reason
    assert engine.world.effects() == []


class TwoCalls(FakeTarget):
    """A target whose correction takes two calls: the first writes the value, the second ends it.
    ``outages``: how many second calls get no answer."""

    def __init__(self, world: World, outages: int) -> None:
        super().__init__(world)
        self.outages = outages
        self.ended = False

    def apply(self, request: CorrectionRequest) -> Outcome:
        if not self.world.effects():
            self.world.apply(request)
        if self.outages:
            self.outages -= 1
            return Outcome(Result.UNKNOWN, "unavailable")
        self.ended = True
        return Outcome(Result.OK, "changed")

    def read(self, request: CorrectionRequest) -> TargetState:
        state = super().read(request)
        if not state.applied or self.ended:
            return state
        return TargetState(applied=False, precondition_met=True, begun=True)


def test_what_was_cut_off_is_finished_although_the_data_show_no_drift(engine: Engine) -> None:
    """The value that the first call wrote broke the condition on the target and closed the
    exception; the document was left half changed and the correction called superseded."""
    engine.target = target = TwoCalls(engine.world, outages=2)
    engine.propose(quantity_change())
    engine.deliver()
    for state in ("unknown", "unknown", "accepted"):
        assert engine.states() == [state]
        engine.propose()
        settle(engine, rounds=1)
    assert target.ended
    history = engine.store.get(engine.only().correction_key).attempts
    assert [a.phase for a in history] == ["send", "read", "send", "read", "send"]
    assert len(engine.world.effects()) == 1


def test_what_was_begun_is_not_finished_against_the_authority(engine: Engine) -> None:
    engine.target = TwoCalls(engine.world, outages=1)
    authority = FakeSource(engine.world, system("oms"))
    engine.store.set_gates("build-1", {"oms": (True, "")})
    condition = {
        "system": "oms",
        "entity": "sales_order_lines",
        "key": {"doc_no": "E500002", "pos": "10"},
        "check": "equals",
        "field": "ord_qty",
        "value": 5,
    }
    proposal = quantity_change()
    engine.propose({**proposal, "preconditions": [*proposal["preconditions"], condition]})
    for held in (5, 9):
        engine.world.set_line("E500002/10", held)
        engine.clock.advance(HOUR)
        sources = {"erp": engine.source, "oms": authority}
        arguments = (engine.policy, engine.clock, engine.rng)
        deliver_due(engine.store, {"erp": engine.target}, sources, *arguments)
    assert engine.states() == ["superseded"]
    assert "oms.sales_order_lines" in engine.only().state_reason


def test_words_that_no_store_keeps_stop_nobody(engine: Engine) -> None:
    odd = "a\0b \ud83d c"

    class OddWords(FakeTarget):
        def apply(self, request: CorrectionRequest) -> Outcome:
            if request.payload["order_record"] != "E500001":
                return super().apply(request)
            return Outcome(Result.OK, "x" * 81, odd, target_record_id=odd, response=odd)

    engine.target = OddWords(engine.world)
    engine.propose(quantity_change(1), quantity_change(2))
    engine.deliver()
    assert engine.states() == ["accepted", "accepted"]
    first = engine.store.get(engine.store.list()[-1].correction_key)
    kept = "a\ufffdb ? c"
    assert first.correction.target_record_id == kept
    assert first.correction.state_reason.endswith(kept)
    (attempt,) = first.attempts
    assert (attempt.code, attempt.message, attempt.response) == ("x" * 80, kept, kept)


class Hanging(FakeTarget):
    """Takes connections and does not answer: a look costs two minutes."""

    clock: ManualClock

    def read(self, request: CorrectionRequest) -> TargetState:
        self.reads += 1
        self.clock.advance(122)
        raise SourceError("timeout", "no answer in time")


def test_a_target_that_hangs_holds_up_nobody_else(engine: Engine) -> None:
    """Each of its unknown ones was read, one after the other, before what was due elsewhere."""
    engine.store.set_gates("build-1", {"oms": (True, "")})
    hanging, healthy = Hanging(engine.world), FakeTarget(engine.world, system("oms"))
    hanging.clock = engine.clock

    def deliver() -> DeliveryReport:
        targets, sources = {"erp": hanging, "oms": healthy}, {"erp": engine.source}
        return deliver_due(engine.store, targets, sources, engine.policy, engine.clock, engine.rng)

    engine.world.inject(*["lost_response"] * 3)
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    engine.deliver()
    engine.clock.advance(HOUR)
    others = [quantity_change(n, target_system="oms") for n in (4, 5)]
    engine.propose(*others, complete=False)
    report = deliver()
    assert (report.sent, report.accepted, report.postponed) == (2, 2, 0)
    assert engine.states() == ["unknown"] * 3 + ["accepted"] * 2
    assert hanging.reads == 1


def test_failed_looks_at_unknown_ones_slow_down_and_open_the_breaker(engine: Engine) -> None:
    engine.world.inject("lost_response")
    engine.propose(quantity_change())
    engine.deliver()
    engine.target.unreadable = True
    waits: list[float] = []
    for failures in range(1, BREAKER_FAILURES + 1):
        due = engine.only().next_attempt_at
        assert due is not None
        engine.clock.advance((due - engine.clock.now()).total_seconds())
        engine.deliver()
        due = engine.only().next_attempt_at
        assert due is not None
        waits.append((due - engine.clock.now()).total_seconds())
        # One is the request without an answer.
        assert engine.store.breaker("erp")[0] == failures + 1
    for wait, delay in zip(waits, (30, 120, 600, 1800, 3600), strict=True):
        assert 0.8 * delay <= wait <= 1.2 * delay
    assert (engine.only().attempts, engine.target.reads) == (1, 1 + BREAKER_FAILURES)


def test_an_unknown_one_is_not_read_while_the_breaker_is_open(engine: Engine) -> None:
    engine.world.inject("lost_response")
    engine.propose(quantity_change())
    engine.deliver()
    engine.clock.advance(HOUR)
    now = engine.clock.now()
    with engine.store.write() as connection:
        engine.store.set_breaker(connection, "erp", BREAKER_FAILURES, now + timedelta(seconds=60))
    assert engine.store.waking_count(now) == 0
    report = engine.deliver()
    assert (report.leased, list(report.open_breakers)) == (0, ["erp"])
    engine.clock.advance(60)
    assert engine.store.waking_count(engine.clock.now()) == 1
    assert engine.deliver().accepted == 1


def test_while_the_target_cannot_be_read_unknown_stays_unknown_for_ever(engine: Engine) -> None:
    engine.world.inject("lost_response")
    engine.propose(quantity_change())
    engine.deliver()
    engine.target.unreadable = True
    settle(engine, rounds=40)
    assert engine.states() == ["unknown"]
    engine.target.unreadable = False
    settle(engine, rounds=2)
    assert engine.states() == ["accepted"]
    assert len(engine.world.effects()) == 1


def test_retry_after_is_honoured(engine: Engine) -> None:
    engine.world.inject("status_429")
    engine.propose(quantity_change())
    engine.deliver()
    due = engine.only().next_attempt_at
    assert due is not None and (due - engine.clock.now()).total_seconds() >= 7
    engine.clock.advance(6.9)
    assert engine.deliver().leased == 0


def test_attempts_are_capped_and_then_it_is_dead(engine: Engine) -> None:
    engine.world.inject(*["status_503"] * 50)
    engine.propose(quantity_change())
    settle(engine, rounds=60)
    assert engine.states() == ["dead"]
    assert len(engine.world.requests()) == 10
    assert "gave up after 10 attempts" in engine.only().state_reason
    assert engine.world.effects() == []


def test_a_refusal_is_final(engine: Engine) -> None:
    engine.world.inject("status_422")
    engine.propose(quantity_change())
    engine.deliver()
    settle(engine, rounds=5)
    assert engine.states() == ["refused"]
    assert engine.only().state_reason == "http_422: credit limit"
    assert len(engine.world.requests()) == 1


def test_a_lying_200_is_accepted_but_stays_unproven_work(engine: Engine) -> None:
    engine.world.inject("lying_ok")
    engine.propose(quantity_change())
    engine.deliver()
    assert engine.states() == ["accepted"]
    assert engine.only().verified_at is None
    assert engine.world.effects() == []


# ---- what stops a send -------------------------------------------------------------------------


@pytest.mark.parametrize("passed", [False, None])
def test_a_failed_or_crashed_gate_stops_sending_until_it_passes(
    engine: Engine, passed: bool | None
) -> None:
    engine.propose(quantity_change())
    engine.store.set_gates("build-2", {"erp": (passed, "keys are missing")})
    report = engine.deliver()
    assert (report.leased, report.sent) == (0, 0)
    assert "keys are missing" in report.closed_gates["erp"]
    engine.store.set_gates("build-3", {"erp": (True, "")})
    assert engine.deliver().sent == 1


def test_a_gate_that_was_never_recorded_stops_sending(engine: Engine) -> None:
    row = quantity_change(target_system="erp_eu")
    row["preconditions"] = []
    engine.propose(row)
    target = FakeTarget(engine.world, system("erp_eu"))
    report = deliver_due(
        engine.store, {"erp_eu": target}, {}, engine.policy, engine.clock, engine.rng, 10
    )
    assert report.sent == 0
    assert report.closed_gates["erp_eu"].startswith("missing")


def test_the_gate_of_a_system_that_is_only_relied_on_stops_it_too(engine: Engine) -> None:
    row = quantity_change(1)
    row["relied_on_systems"] = ["wms"]
    engine.propose(row, quantity_change(2))
    engine.store.set_gates("build-1", {"wms": (False, "feed is cut")})
    assert engine.deliver().sent == 1
    held = engine.store.list(state="ready")[0]
    assert held.object_id == "SO-100001/1"
    assert held.state_reason == "held: the gate of system 'wms' is failed: feed is cut"
    engine.store.set_gates("build-2", {"wms": (True, "")})
    engine.clock.advance(61)
    assert engine.deliver().sent == 1


def test_gates_opened_for_a_build_close_until_its_checks_report(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.store.open_gates("build-2", ["erp"])
    assert engine.deliver().sent == 0
    engine.store.set_gates("build-2", {"erp": (True, "")})
    assert engine.deliver().sent == 1


def test_a_gate_that_closes_between_lease_and_send_stops_the_send(engine: Engine) -> None:
    engine.propose(quantity_change(1), quantity_change(2))

    def close_gate(_request: CorrectionRequest) -> None:
        engine.store.set_gates("build-2", {"erp": (False, "found while sending")})

    engine.target.on_apply = close_gate
    report = engine.deliver()
    assert (report.sent, report.postponed) == (1, 1)
    assert engine.states() == ["accepted", "ready"]
    assert engine.store.list(state="ready")[0].attempts == 0


def test_the_kill_switch_stops_the_batch_at_once(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 6)])

    def pull(_request: CorrectionRequest) -> None:
        engine.store.engage_kill_switch("maria", "stop everything")

    engine.target.on_apply = pull
    report = engine.deliver()
    assert report.sent == 1
    assert report.stopped == "stop everything (maria)"
    assert engine.deliver().leased == 0
    engine.store.release_kill_switch("maria", "understood")
    engine.target.on_apply = None
    assert engine.deliver().sent == 4


def test_dry_run_sends_nothing_and_says_once_what_it_would_send(engine: Engine) -> None:
    engine.target.system = system(write_mode="dry_run")
    engine.propose(quantity_change(1), quantity_change(2, needs_approval=True))
    first, second = engine.deliver(), engine.deliver()
    assert (first.dry_run, first.sent, second.dry_run) == (1, 0, 0)
    assert engine.world.requests() == []
    rehearsed = engine.store.list(state="ready")[0]
    (attempt,) = engine.store.get(rehearsed.correction_key).attempts
    assert attempt.phase == "dry_run"
    assert '"quantity":7' in attempt.message
    # Not due at once, so that no sensor spins; due again later, should the mode have changed.
    assert engine.store.due_count(engine.clock.now()) == 0
    engine.clock.advance(HOUR)
    assert engine.deliver().dry_run == 0
    engine.target.system = system(write_mode="on")
    engine.clock.advance(HOUR)
    assert engine.deliver().sent == 1


def test_write_mode_off_does_nothing_at_all(engine: Engine) -> None:
    engine.target.system = system(write_mode="off")
    engine.propose(quantity_change())
    report = engine.deliver()
    assert (report.leased, report.dry_run, engine.states()) == (0, 0, ["ready"])
    assert engine.world.requests() == []


def test_an_approval_expires(engine: Engine) -> None:
    engine.propose(quantity_change(needs_approval=True))
    approve(engine.store, engine.only().correction_key, "maria", "")
    engine.clock.advance(86_401)
    report = engine.deliver()
    assert (report.sent, report.held) == (0, 1)
    assert engine.only().state_reason == "the approval expired"
    assert engine.only().approved_hash is None


def test_a_stricter_policy_holds_what_was_ready_under_the_old_one(engine: Engine) -> None:
    engine.propose(quantity_change(value_at_risk="900"))
    engine.policy = engine.policy.model_copy(update={"approval_above": 100})
    assert engine.deliver().held == 1
    assert "above 100" in engine.only().state_reason


@pytest.mark.parametrize("approved", [True, False])
def test_content_edited_in_the_store_is_not_sent(engine: Engine, approved: bool) -> None:
    """Approved or not: what is sent is what was proposed."""
    import sqlalchemy as sa

    from writeback.tables import corrections

    engine.propose(quantity_change(needs_approval=approved))
    if approved:
        approve(engine.store, engine.only().correction_key, "maria", "")
    forged = {**engine.only().payload, "quantity": 700}
    with engine.store.write() as connection:
        connection.execute(sa.update(corrections).values(payload=forged))
    assert engine.deliver().held == 1
    assert engine.world.requests() == []


# ---- the read before the send ------------------------------------------------------------------


def test_a_human_edit_between_detection_and_sending_is_not_overwritten(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.world.set_line("E500001/10", 6)
    report = engine.deliver()
    assert (report.sent, report.superseded) == (0, 1)
    assert engine.world.line("E500001/10") == 6
    assert "holds another value" in engine.only().state_reason


def test_a_human_who_already_fixed_it_leaves_nothing_to_send(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.world.set_line("E500001/10", 7)
    assert engine.deliver().superseded == 1
    assert "not from us" in engine.only().state_reason


def test_a_precondition_in_the_other_system_that_broke_stops_it(engine: Engine) -> None:
    row = quantity_change()
    row["preconditions"].append(
        {
            "system": "erp",
            "entity": "invoice_lines",
            "key": {"ship_ref": "SHP-000001"},
            "check": "exists",
        }
    )
    engine.propose(row)
    assert engine.deliver().superseded == 1
    assert "SHP-000001" in engine.only().state_reason


def test_after_a_superseded_one_older_data_do_not_send_it_again(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.world.set_line("E500001/10", 6)
    engine.deliver()
    engine.world.set_line("E500001/10", 5)
    assert engine.propose(quantity_change()).stale == 1
    engine.clock.advance(60)
    assert engine.propose(quantity_change(frontier=engine.clock.now())).new == 1


@pytest.mark.parametrize(
    "condition",
    [
        {"system": "oms", "entity": "order_lines", "key": {"order_id": "1"}, "check": "exists"},
        {"system": "erp", "entity": "sales_order_lines", "key": {}, "check": "exists"},
        {
            "system": "erp",
            "entity": "sales_order_lines",
            "key": {"doc_no": "E500001"},
            "check": "larger",
        },
        {
            "system": "erp",
            "entity": "sales_order_lines",
            "key": {"doc_no": "E500001", "colour": "red"},
            "check": "exists",
        },
        {
            "system": "erp",
            "entity": "sales_order_lines",
            "key": {"colour": "red", "size": "L"},
            "check": "absent",
        },
        {
            "system": "erp",
            "entity": "sales_order_lines",
            "key": {"doc_no": "E500001"},
            "check": "equals",
            "field": "nothing",
            "value": 1,
        },
    ],
)
def test_a_precondition_that_cannot_be_checked_stops_the_send(
    engine: Engine, condition: dict[str, Any]
) -> None:
    engine.store.set_gates("build-1", {"oms": (True, "")})
    engine.propose(quantity_change(preconditions=[condition]))
    report = engine.deliver()
    assert (report.sent, report.postponed) == (0, 1)
    assert "could not be checked" in engine.only().state_reason


def test_a_source_that_is_down_postpones(engine: Engine) -> None:
    engine.propose(quantity_change())
    engine.source.unreadable = True
    assert engine.deliver().postponed == 1
    engine.source.unreadable = False
    settle(engine, rounds=1)
    assert engine.states() == ["accepted"]


def test_a_connector_that_chokes_on_one_record_does_not_stop_the_others(engine: Engine) -> None:
    odd = quantity_change(1)
    odd["payload"] = {**odd["payload"], "quantity": "a dozen"}
    engine.propose(odd, quantity_change(2))
    report = engine.deliver()
    assert (report.accepted, report.postponed) == (1, 1)
    held = engine.store.list(state="ready")[0]
    assert "InvalidOperation" in held.state_reason


def test_an_unknown_one_that_a_connector_chokes_on_does_not_stop_the_others(
    engine: Engine,
) -> None:
    engine.world.inject("lost_response")
    engine.propose(quantity_change(1))
    engine.deliver()
    engine.world.set_line("E500001/10", "a dozen")
    engine.propose(quantity_change(1), quantity_change(2))
    engine.clock.advance(HOUR)
    report = engine.deliver()
    assert (report.accepted, report.unknown) == (1, 1)


def test_a_kind_that_the_target_does_not_take_is_refused(engine: Engine) -> None:
    engine.propose(
        quantity_change(kind="cancel_order", payload={"order_record": "E500001"}, preconditions=[])
    )
    approve(engine.store, engine.only().correction_key, "maria", "")
    assert engine.deliver().refused == 1
    assert engine.only().state_reason.startswith("kind_not_supported")


# ---- order, limits, leases ---------------------------------------------------------------------


def test_one_object_has_one_in_flight_and_keeps_its_order(engine: Engine) -> None:
    engine.propose(quantity_change(1, old=5, new=6), quantity_change(1, old=6, new=7))
    report = engine.deliver()
    assert report.sent == 1
    assert engine.states() == ["accepted", "ready"]
    settle(engine, rounds=3)
    assert engine.states() == ["accepted", "ready"]


def test_what_a_dispatcher_let_go_is_not_read_as_soon_as_its_lease_ends(engine: Engine) -> None:
    """Its request may leave at the end of the lease: a target without a memory of keys was read
    while it was on its way, and got a second one."""
    engine.propose(quantity_change())
    now = engine.clock.now()
    engine.store.lease({"erp": 1}, [], now, now + timedelta(seconds=180), "gone", 1)
    engine.clock.advance(180)
    report = engine.deliver()
    assert (report.abandoned, report.sent, engine.states()) == (1, 0, ["unknown"])
    engine.clock.advance(9)
    assert engine.deliver().leased == 0
    engine.clock.advance(1)
    assert engine.deliver().accepted == 1


def for_the_shop(number: int) -> dict[str, Any]:
    """The same line, in the customer's system."""
    return quantity_change(number, target_system="shop", proposal_key=None, preconditions=[])


@pytest.mark.parametrize("held", ["off", "dry_run", "pause"])
def test_what_one_target_does_not_get_holds_up_no_other(engine: Engine, held: str) -> None:
    """A price for a customer's system in dry run: the cancellation of the line in the ERP waited
    for as long as the price drifted, without a word."""
    shop = FakeTarget(engine.world, system("shop", "on" if held == "pause" else held))
    targets, sources = {"erp": engine.target, "shop": shop}, {"erp": engine.source}
    engine.store.set_gates("build-1", {"shop": (True, "")})
    engine.propose(for_the_shop(1), quantity_change(1))
    if held == "pause":
        engine.store.pause("shop", "maria", "upgrade")
    assert engine.store.waking_count(engine.clock.now(), ["erp"]) == 1
    deliver_due(engine.store, targets, sources, engine.policy, engine.clock, engine.rng)
    assert engine.states() == ["ready", "accepted"]


def test_of_one_object_one_is_taken_also_when_it_is_due_in_several_targets(
    engine: Engine,
) -> None:
    shop = FakeTarget(engine.world, system("shop"))
    targets, sources = {"erp": engine.target, "shop": shop}, {"erp": engine.source}
    engine.store.set_gates("build-1", {"shop": (True, "")})
    for number in (1, 2, 3):
        engine.propose(quantity_change(number), for_the_shop(number), complete=False)
    deliver_due(engine.store, targets, sources, engine.policy, engine.clock, engine.rng)
    assert engine.states() == ["accepted", "ready"] * 3


def test_an_approval_that_comes_late_does_not_lock_an_unknown_one(engine: Engine) -> None:
    engine.propose(
        quantity_change(1, old=7, new=8, needs_approval=True), quantity_change(1, old=5, new=7)
    )
    engine.world.inject("lost_response")
    engine.deliver()
    assert engine.states() == ["awaiting_approval", "unknown"]
    approve(engine.store, engine.store.list()[1].correction_key, "maria", "")
    settle(engine, rounds=1)
    assert engine.states() == ["ready", "accepted"]


def test_a_poisoned_one_does_not_hold_up_other_objects(engine: Engine) -> None:
    engine.world.inject("status_422")
    engine.propose(*[quantity_change(n) for n in range(1, 6)])
    report = engine.deliver()
    assert (report.refused, report.accepted) == (1, 4)


def test_the_batch_limit_is_kept(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    assert engine.deliver(limit=13).sent == 13
    assert engine.deliver(limit=13).sent == 7


def test_the_breaker_leaves_a_failing_target_alone_and_then_probes(engine: Engine) -> None:
    engine.world.inject(*["status_503"] * 100)
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    report = engine.deliver()
    assert report.sent == BREAKER_FAILURES
    assert engine.deliver().sent == 0
    assert "erp" in engine.deliver().open_breakers
    engine.clock.advance(61)
    assert engine.deliver().sent == 1
    with engine.world.transaction() as connection:
        connection.execute("delete from fault")
    engine.clock.advance(HOUR)
    assert engine.deliver().sent == 20
    assert engine.store.breaker("erp") == (0, None)


def test_a_target_that_can_not_be_read_is_left_alone_too(engine: Engine) -> None:
    """Each look at a system that is down takes as long as a request to it."""
    engine.target.unreadable = True
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    report = engine.deliver()
    assert (engine.target.reads, report.sent) == (BREAKER_FAILURES, 0)
    assert engine.store.breaker("erp")[0] == BREAKER_FAILURES
    assert "erp" in engine.deliver().open_breakers
    engine.clock.advance(61)
    engine.deliver()
    assert engine.target.reads == BREAKER_FAILURES + 1
    engine.target.unreadable = False
    engine.clock.advance(HOUR)
    assert engine.deliver().accepted == 20
    assert engine.store.breaker("erp") == (0, None)


def test_a_target_that_does_not_know_us_is_asked_once_an_hour(engine: Engine) -> None:
    """A password that was changed there: each look is a failed log-in, and the account is locked
    after a few. Meanwhile nothing may spend its attempts."""

    class Stranger(FakeTarget):
        def read(self, request: CorrectionRequest) -> TargetState:
            self.reads += 1
            raise SourceError("unauthorised", "does not accept our credentials")

    known = engine.target
    stranger = engine.target = Stranger(engine.world, known.system)
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    for asked in (1, 2, 3):
        assert engine.deliver().sent == 0
        assert "erp" in engine.deliver().open_breakers
        engine.clock.advance(HOUR - 60)
        engine.deliver()
        assert stranger.reads == asked
        engine.clock.advance(61)
    assert {correction.attempts for correction in engine.store.list()} == {0}
    engine.target = known
    assert engine.deliver().accepted + engine.deliver().accepted == 20
    assert engine.store.breaker("erp") == (0, None)


def test_a_write_by_somebody_unknown_keeps_the_others_from_being_refused_too(
    engine: Engine,
) -> None:
    engine.world.inject(*["status_401"] * 100)
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    report = engine.deliver()
    assert (report.sent, report.refused) == (1, 1)
    assert engine.deliver().sent == 0
    with engine.world.transaction() as connection:
        connection.execute("delete from fault")
    engine.clock.advance(HOUR + 1)
    assert engine.deliver().accepted + engine.deliver().accepted == 19


def test_a_source_that_can_not_be_read_is_no_failure_of_the_target(engine: Engine) -> None:
    engine.source.unreadable = True
    engine.propose(*[quantity_change(n) for n in range(1, 8)])
    assert engine.deliver().postponed == 7
    assert engine.store.breaker("erp") == (0, None)


def test_what_a_target_asks_for_when_it_is_read_holds_too(engine: Engine) -> None:
    class Busy(FakeTarget):
        def read(self, request: CorrectionRequest) -> TargetState:
            self.reads += 1
            error = SourceError("rate_limited", "wants fewer requests")
            error.retry_after = 900
            raise error

    engine.target = Busy(engine.world, system())
    engine.propose(quantity_change(1), quantity_change(2))
    begun = engine.clock.now()
    engine.deliver()
    assert engine.store.breaker("erp") == (1, begun + timedelta(seconds=900))
    assert engine.target.reads == 1
    asked = max(c.next_attempt_at for c in engine.store.list() if c.next_attempt_at)
    assert asked >= begun + timedelta(seconds=900)


def test_a_dispatcher_that_slept_past_its_lease_cannot_write(engine: Engine) -> None:
    """A process stopped between send and mark wakes up after another one took over."""
    engine.propose(quantity_change())

    def sleep(_request: CorrectionRequest) -> None:
        engine.target.on_apply = None
        engine.clock.advance(600)
        other = FakeTarget(engine.world, system())
        report = deliver_due(
            engine.store,
            {"erp": other},
            {"erp": engine.source},
            engine.policy,
            engine.clock,
            engine.rng,
            10,
        )
        assert (report.abandoned, report.sent) == (1, 1)

    engine.target.on_apply = sleep
    report = engine.deliver()
    assert report.lost_leases == 1
    assert engine.states() == ["accepted"]
    assert len(engine.world.effects()) == 1
    phases = [a.phase for a in engine.store.get(engine.only().correction_key).attempts]
    assert phases == ["lease", "read", "send", "send"]


def test_a_lease_that_is_nearly_over_is_given_back_unsent(engine: Engine) -> None:
    engine.propose(quantity_change(1), quantity_change(2))

    def slow(_request: CorrectionRequest) -> None:
        engine.clock.advance(150)
        engine.target.on_apply = None

    engine.target.on_apply = slow
    report = engine.deliver()
    assert report.postponed == 1
    assert (report.sent, report.leased) == (2, 3)
    assert len(engine.world.effects()) == 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_fails_each_key_has_at_most_one_effect(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Random faults over several objects; afterwards the system is well and all comes to rest."""
    import random

    from fake_target import FakeSource, ManualClock, World

    from registry.systems import Policy
    from writeback.store import OperationsStore

    folder = tmp_path_factory.mktemp("faults")
    clock = ManualClock()
    world = World(folder / "world.sqlite", honours_keys=data.draw(st.booleans()))
    store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}", clock)
    store.set_gates("b", {"erp": (True, "")})
    engine = Engine(
        store,
        clock,
        world,
        FakeTarget(world, system()),
        FakeSource(world),
        Policy(),
        random.Random(data.draw(st.integers(0, 2**16))),
    )
    count = data.draw(st.integers(1, 4))
    for number in range(1, count + 1):
        world.set_line(f"E5{number:05}/10", 5)
    faults = data.draw(
        st.lists(
            st.sampled_from(
                [
                    "none",
                    "lost_request",
                    "lost_response",
                    "status_500",
                    "status_503",
                    "status_429",
                    "exception_after_effect",
                ]
            ),
            max_size=9,  # one less than the attempts, should all hit one object
        )
    )
    world.inject(*faults)
    engine.propose(*[quantity_change(n) for n in range(1, count + 1)])
    settle(engine, rounds=25)
    assert set(engine.states()) == {"accepted"}
    assert len(world.effects()) == count
    store.close()
