"""Corrections in a real Vendure: applied once, read back, refused when late, undone if it can."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import pytest

from connectors.base import CorrectionRequest, Outcome, Result
from connectors.vendure.target import VendureTarget, make_target
from real.vendure.shop import Order, Shop

pytestmark = pytest.mark.real

MakeTarget = Callable[..., VendureTarget]
_keys = count(1)


def request(kind: str, **payload: Any) -> CorrectionRequest:
    return CorrectionRequest(
        kind=kind,
        object_id="any",
        payload=payload,
        expected={},
        idempotency_key=f"key-{next(_keys)}",
        created_at=datetime.now(UTC),
    )


def placed(shop: Shop, *quantities: int, settled: bool = True) -> Order:
    lines = [(f"PART-{number}", quantity) for number, quantity in enumerate(quantities, start=1)]
    return shop.place_order(lines, "buyer@example.test", settled)


def delivery(order: Order, line: int = 0) -> CorrectionRequest:
    return request(
        "set_delivered",
        order_record=order.id,
        line_record=order.lines[line].id,
        delivered_at="2026-11-20T10:00:00+00:00",
    )


def quantity(order: Order, old: int, new: int) -> CorrectionRequest:
    return request(
        "update_quantity",
        order_record=order.id,
        line_record=order.lines[0].id,
        quantity=str(new),
        old_quantity=str(old),
    )


def stock(old: int, new: int, **other: str) -> CorrectionRequest:
    return request(
        "adjust_stock",
        **{"target_item": "PART-3", "target_location": "WEST", **other},
        quantity_delta=str(new - old),
        expected_quantity=str(old),
        new_quantity=str(new),
        reason="count",
    )


def quantities(shop: Shop, order: Order) -> list[int]:
    return [line.quantity for line in shop.order(order.id).lines]


# ---- delivery --------------------------------------------------------------------------------


def test_a_shipped_order_is_delivered(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 2, 1)
    shop.move_fulfilment(shop.fulfil(order.id, "T-1"), "Shipped")
    correction = delivery(order)
    before = target().read(correction)
    assert (before.applied, before.precondition_met) == (False, True)
    outcome = target().apply(correction)
    assert (outcome.result, outcome.target_record_id) == (
        Result.OK,
        f"{order.id}/{order.lines[0].id}",
    )
    after = target().read(correction)
    assert (after.applied, after.precondition_met) == (True, False)
    # The package holds both lines: Vendure knows no delivery of one of them.
    assert shop.order(order.id).state == "Delivered"
    assert len(shop.order(order.id).fulfilments) == 1


def test_what_was_never_shipped_gets_a_fulfilment_of_its_own(
    shop: Shop, target: MakeTarget
) -> None:
    order = placed(shop, 3, 1)
    shop.move_fulfilment(shop.fulfil(order.id, "T-2", {order.lines[0].id: 1}), "Delivered")
    assert target().apply(delivery(order)).result is Result.OK
    held = shop.order(order.id)
    assert held.state == "PartiallyDelivered"
    assert list(held.fulfilments.values()) == ["Delivered", "Delivered"]
    assert not target().read(delivery(order, line=1)).applied


def test_a_delivery_is_no_longer_due(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 1)
    assert target().apply(delivery(order)).result is Result.OK
    again = target().apply(delivery(order))
    assert (again.result, again.code) == (Result.REFUSED, "version_conflict")
    undone = target().undo(delivery(order), None)
    assert (undone.result, undone.code) == (Result.REFUSED, "not_undoable")
    cancelled = placed(shop, 1)
    shop.cancel(cancelled.id)
    assert target().apply(delivery(cancelled)).code == "version_conflict"


def test_deliveries_at_once_make_one_fulfilment_each(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 2, 2)
    due = [delivery(order, line) for line in (0, 1) for _ in range(3)]
    with ThreadPoolExecutor(len(due)) as pool:
        outcomes = list(pool.map(lambda one: target().apply(one), due))
    assert [o.code for o in outcomes].count("http_200") == 2
    assert [o.code for o in outcomes].count("version_conflict") == 4
    held = shop.order(order.id)
    assert (held.state, len(held.fulfilments)) == ("Delivered", 2)


# ---- quantities ------------------------------------------------------------------------------


def test_a_quantity_is_lowered_once_and_raised_again(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 5, 1)
    correction = quantity(order, 5, 3)
    willing = target(additional_payment_method="on-account")
    assert willing.apply(correction).result is Result.OK
    assert quantities(shop, order) == [3, 1]
    repeated = willing.apply(correction)
    assert (repeated.result, repeated.code) == (Result.OK, "already_applied")
    assert quantities(shop, order) == [3, 1]
    state = willing.read(correction)
    assert (state.applied, state.applied_by_key) == (True, True)
    assert willing.undo(correction, None).result is Result.OK
    held = shop.order(order.id)
    assert (quantities(shop, order), held.state) == ([5, 1], "PaymentSettled")
    assert willing.undo(correction, None).code == "already_undone"


def test_a_raised_quantity_is_paid_once(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 1)
    correction = quantity(order, 1, 4)
    refused = target().apply(correction)
    assert (refused.result, refused.code) == (Result.REFUSED, "no_payment_method")
    assert shop.order(order.id).state == "PaymentSettled"
    willing = target(additional_payment_method="on-account")
    assert willing.apply(correction).result is Result.OK
    assert willing.apply(correction).code == "already_applied"
    held = shop.order(order.id)
    assert (quantities(shop, order), held.state) == ([4], "PaymentSettled")
    assert list(held.payments.values()) == ["Settled", "Settled"]


@pytest.mark.parametrize("broken_after", [1, 2, 3, 4, 5])
def test_a_raise_that_broke_off_is_finished(
    broken_after: int, shop: Shop, target: MakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after some of the steps; the next attempt goes on from there."""
    order = placed(shop, 2)
    correction = quantity(order, 2, 3)
    dying = target(additional_payment_method="on-account")
    send, sent = dying.send, count(1)

    def send_until_death(*arguments: Any, **more: Any) -> Any:
        outcome = send(*arguments, **more)
        if next(sent) == broken_after:
            raise KeyboardInterrupt
        return outcome

    monkeypatch.setattr(dying, "send", send_until_death)
    with pytest.raises(KeyboardInterrupt):
        dying.apply(correction)
    fresh = target(additional_payment_method="on-account")
    state = fresh.read(correction)
    assert state.applied == (broken_after == 5)
    assert state.begun == (broken_after in (2, 3, 4))
    outcome = fresh.apply(correction)
    held = shop.order(order.id)
    if broken_after == 1:
        # Nothing tells that the opened modification is ours: a person must close it.
        assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")
        assert held.state == "Modifying"
        return
    assert outcome.result is Result.OK
    assert (quantities(shop, order), held.state) == ([3], "PaymentSettled")
    assert list(held.payments.values()) == ["Settled", "Settled"]


def test_what_is_done_is_not_done_again_when_a_clerk_opens_the_order(
    shop: Shop, target: MakeTarget
) -> None:
    """Our answers were lost, and then somebody began a modification of his own."""
    willing = target(additional_payment_method="on-account")

    def twice(send: Callable[[], Outcome], code: str, order: Order, held: int) -> None:
        assert send().result is Result.OK
        shop.move_order(order.id, "Modifying")
        repeated = send()
        assert (repeated.result, repeated.code) == (Result.OK, code)
        assert (quantities(shop, order), shop.order(order.id).state) == ([held], "Modifying")

    for old, new in ((5, 3), (2, 3)):
        order = placed(shop, old)
        correction = quantity(order, old, new)
        twice(partial(willing.apply, correction), "already_applied", order, new)
        state = willing.read(correction)
        assert (state.applied, state.applied_by_key) == (True, True)
        shop.move_order(order.id, "PaymentSettled")
        twice(partial(willing.undo, correction, None), "already_undone", order, old)


def test_a_raise_that_vendure_refuses_leaves_the_order_as_it_was(
    shop: Shop, target: MakeTarget
) -> None:
    order = placed(shop, 5)
    willing = target(additional_payment_method="on-account")
    too_much = willing.apply(quantity(order, 5, 2000))
    assert (too_much.result, too_much.code) == (Result.REFUSED, "order_limit_error")
    assert shop.order(order.id).state == "PaymentSettled"
    # A modification that cost nothing closes the straight way back.
    lowered = quantity(order, 5, 3)
    assert willing.apply(lowered).result is Result.OK
    assert willing.undo(lowered, None).result is Result.OK
    too_much = willing.apply(quantity(order, 5, 2000))
    assert (too_much.code, "we left" in too_much.message) == ("order_limit_error", False)
    held = shop.order(order.id)
    assert (quantities(shop, order), held.state) == ([5], "PaymentSettled")


def test_a_quantity_that_is_not_there_is_not_touched(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 5)
    outcome = target().apply(quantity(order, 4, 3))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")
    half = request(
        "update_quantity",
        order_record=order.id,
        line_record=order.lines[0].id,
        quantity="2.5",
        old_quantity="5",
    )
    assert target().apply(half).code == "not_representable"
    assert quantities(shop, order) == [5]


# ---- cancellation ----------------------------------------------------------------------------


def test_a_line_and_then_the_order_are_cancelled(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 2, 1)
    one = request("cancel_line", order_record=order.id, line_record=order.lines[0].id)
    assert target().apply(one).result is Result.OK
    state = target().read(one)
    assert (state.applied, state.applied_by_key, state.precondition_met) == (True, True, False)
    assert quantities(shop, order) == [0, 1]
    assert target().apply(one).code == "version_conflict"
    whole = request("cancel_order", order_record=order.id)
    assert target().read(whole).precondition_met
    assert target().apply(whole).result is Result.OK
    state = target().read(whole)
    assert (state.applied, state.applied_by_key) == (True, True)
    assert shop.order(order.id).state == "Cancelled"
    for request_ in (one, whole):
        assert target().undo(request_, None).code == "not_undoable"


def test_what_is_on_its_way_is_not_cancelled(shop: Shop, target: MakeTarget) -> None:
    order = placed(shop, 1)
    shop.fulfil(order.id, "T-3")
    whole = request("cancel_order", order_record=order.id)
    one = request("cancel_line", order_record=order.id, line_record=order.lines[0].id)
    for correction in (whole, one):
        assert not target().read(correction).precondition_met
        assert target().apply(correction).code == "version_conflict"
    assert quantities(shop, order) == [1]


# ---- stock and notes -------------------------------------------------------------------------


def test_stock_is_set_and_set_back(shop: Shop, target: MakeTarget) -> None:
    shop.set_stock("PART-3", "WEST", 40)
    correction = stock(40, 37)
    assert target().read(correction).precondition_met
    assert target().apply(correction).result is Result.OK
    assert shop.stock("PART-3", "WEST") == 37
    assert target().apply(correction).code == "version_conflict"
    assert target().read(correction).applied
    assert target().undo(correction, None).result is Result.OK
    assert shop.stock("PART-3", "WEST") == 40
    assert target().undo(correction, None).code == "already_undone"
    shop.set_stock("PART-3", "WEST", 39)
    assert target().undo(correction, None).code == "version_conflict"
    assert shop.stock("PART-3", "WEST") == 39


def test_a_note_is_written_once(shop: Shop, target: MakeTarget, source: Any) -> None:
    order = placed(shop, 1)
    correction = request("add_note", order_record=order.id, note="Delivered as the carrier says.")
    assert target().apply(correction).result is Result.OK
    assert target().apply(correction).code == "already_applied"
    state = target().read(correction)
    assert (state.applied, state.applied_by_key) == (True, True)

    def notes() -> list[str]:
        entries = source().read_one("order_history", {"order_id": order.id})
        return [r.fields["note"] for r in entries if r.fields["entry_type"] == "ORDER_NOTE"]

    assert notes() == [f"Delivered as the carrier says.\n[Tallyman {correction.idempotency_key}]"]
    assert target().undo(correction, None).result is Result.OK
    assert target().undo(correction, None).code == "already_undone"
    assert notes() == []


# ---- what does not exist, and what is not allowed --------------------------------------------


@pytest.mark.parametrize(
    "correction",
    [
        request("cancel_order", order_record="999999"),
        request("set_delivered", order_record="999999", line_record="1", delivered_at="any"),
        stock(1, 2, target_item="NO-SUCH-PART"),
        stock(1, 2, target_location="NORTH"),
    ],
)
def test_what_does_not_exist_is_refused(correction: CorrectionRequest, target: MakeTarget) -> None:
    outcome = target().apply(correction)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "http_404")


def test_a_key_that_may_only_read_is_refused(shop: Shop, system: Any, target: MakeTarget) -> None:
    key = shop.create_limited_key(["ReadOrder", "ReadCatalog"])
    limited = make_target(system(), {"VENDURE_API_KEY": key})
    order = placed(shop, 1)
    outcome = limited.apply(request("cancel_order", order_record=order.id))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "forbidden")
    assert shop.order(order.id).state == "PaymentSettled"
