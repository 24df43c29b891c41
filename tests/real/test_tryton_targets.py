"""Every kind of correction over Tryton's own interface: its effect, its repetition, its undo."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tryton_company import TrytonCompany, correction, fields_of

from connectors.base import CorrectionRequest, Outcome, Result, Target
from connectors.factory import make_target
from real.tryton.people import Office
from real.tryton.rpc import Tryton


def applied(target: Target, request: CorrectionRequest) -> Outcome:
    """Apply a correction that must succeed and show; what the target says before and after."""
    before = target.read(request)
    assert (before.applied, before.precondition_met) == (False, True), before
    outcome = target.apply(request)
    assert outcome.result is Result.OK, outcome
    after = target.read(request)
    assert after.applied, after
    return outcome


def undone(target: Target, request: CorrectionRequest, outcome: Outcome) -> None:
    """Take it back, twice: the second time finds its work done."""
    first = target.undo(request, outcome.target_record_id)
    assert first.result is Result.OK, first
    again = target.undo(request, outcome.target_record_id)
    assert again.result is Result.OK, again
    assert not target.read(request).applied


@pytest.fixture
def erp(company: TrytonCompany) -> Target:
    return company.target("erp")


@pytest.fixture
def wms(company: TrytonCompany) -> Target:
    return company.target("wms")


# ---- sales -----------------------------------------------------------------------------------


def order_payload(reference: str, **changes: Any) -> dict[str, Any]:
    line = {
        "line_no": "1",
        "item": "SKU-001",
        "target_item": "SKU-001",
        "quantity": "3",
        "uom": "EA",
        "unit_price": "12.5",
    }
    return {
        "order_number": reference,
        "customer_ref": "C002",
        "customer_po": None,
        "currency": "USD",
        "lines": [line, {**line, "line_no": "2", "target_item": "SKU-002", "quantity": "1"}],
        **changes,
    }


def test_an_order_is_entered_once_and_cancelled_by_its_undo(
    company: TrytonCompany, erp: Target
) -> None:
    order = company.order(1)
    request = correction("create_order", **order_payload(order.reference))
    outcome = applied(erp, request)
    assert erp.read(request).applied_by_key is True
    assert erp.apply(request).result is Result.OK
    assert list(map(len, company.office.sales_of([order.reference]).values())) == [1]
    lines = fields_of(company.source("erp"), "sale_lines", reference=order.reference)
    assert [
        (line["sequence"], line["product_code"], line["quantity"], line["unit_price"])
        for line in lines
    ] == [(1, "SKU-001", "3", "12.5"), (2, "SKU-002", "1", "12.5")]
    assert {line["line_state"] for line in lines} == {"quotation"}
    assert {line["party_code"] for line in lines} == {"C002"}
    undone(erp, request, outcome)


def test_an_order_that_was_cut_off_as_a_draft_is_finished(
    company: TrytonCompany, erp: Target
) -> None:
    order, sale, _ = company.quoted(2)
    request = correction("create_order", **order_payload(order.reference))
    session = company.office.session
    session.click("sale.sale", "draft", [sale])
    session.write("sale.sale", [sale], {"description": request.idempotency_key})
    applied(erp, request)
    assert company.sale(sale, "state")["state"] == "quotation"


def test_an_order_is_not_entered_beside_another(company: TrytonCompany, erp: Target) -> None:
    order, _, number = company.quoted(2)
    outcome = erp.apply(correction("create_order", **order_payload(order.reference)))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")
    assert number in outcome.message


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"customer_ref": "C999"}, "party C999"),
        ({"currency": "XXX"}, "currency XXX"),
    ],
)
def test_what_tryton_does_not_know_is_named(
    company: TrytonCompany, erp: Target, change: dict[str, Any], names: str
) -> None:
    payload = order_payload(company.order(1).reference, **change)
    outcome = erp.apply(correction("create_order", **payload))
    assert outcome.result is Result.REFUSED
    assert names in outcome.message


def test_a_price_that_tryton_cannot_hold_is_refused(company: TrytonCompany, erp: Target) -> None:
    payload = order_payload(company.order(1).reference)
    payload["lines"][0]["unit_price"] = "1.123456"
    outcome = erp.apply(correction("create_order", **payload))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "not_representable")


def test_a_duplicate_is_cancelled_and_reopened(company: TrytonCompany, erp: Target) -> None:
    order, _, _ = company.quoted(2)
    (twin,) = company.office.book([order])
    number = company.office.numbers([twin])[0]
    request = correction("cancel_order", order_record=number)
    outcome = applied(erp, request)
    assert company.sale(twin, "state")["state"] == "cancelled"
    lines = fields_of(company.source("erp"), "sale_lines", sale_number=number)
    assert all(line["cancelled_at"] for line in lines)
    undone(erp, request, outcome)
    assert company.sale(twin, "state")["state"] == "quotation"


def test_a_line_is_cancelled_and_reopened_with_its_quantity(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.quoted(2, 5)
    request = correction("cancel_line", order_record=number, line_record="2")
    outcome = applied(erp, request)
    lines = fields_of(company.source("erp"), "sale_lines", sale_number=number)
    assert [line["line_state"] for line in lines] == ["quotation", "cancelled"]
    undone(erp, request, outcome)
    lines = fields_of(company.source("erp"), "sale_lines", sale_number=number)
    assert [(line["line_state"], line["quantity"]) for line in lines] == [
        ("quotation", "2"),
        ("quotation", "5"),
    ]


@pytest.mark.parametrize(
    ("kind", "field", "old", "new"),
    [("update_quantity", "quantity", "2", "7"), ("update_price", "unit_price", "6", "5.75")],
)
def test_a_line_takes_another_value_until_the_sale_is_confirmed(
    company: TrytonCompany, erp: Target, kind: str, field: str, old: str, new: str
) -> None:
    _, sale, number = company.quoted(2)
    request = correction(
        kind, order_record=number, line_record="1", **{field: new, f"old_{field}": old}
    )
    outcome = applied(erp, request)
    line = fields_of(company.source("erp"), "sale_lines", sale_number=number)[0]
    assert (line[field], line["line_state"]) == (new, "quotation")
    undone(erp, request, outcome)
    company.office.confirm([sale])
    refused = erp.apply(request)
    assert (refused.result, refused.code) == (Result.REFUSED, "version_conflict")
    assert "processing" in refused.message


def cut_off_as_draft(company: TrytonCompany, number: str, **values: Any) -> int:
    """A quotation that our user took back and changed, and did not get to quote again; its id."""
    database = company.databases["erp"]
    ours = Tryton(database.url, database.user, database.password)
    (sale,) = ours.search("sale.sale", ("number", "=", number))
    ours.click("sale.sale", "draft", [sale])
    if values:
        ours.write("sale.line", ours.search("sale.line", ("sale", "=", sale)), values)
    return sale


def test_an_undo_that_was_cut_off_before_it_quoted_is_finished(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.quoted(2)
    request = correction("cancel_line", order_record=number, line_record="1")
    outcome = applied(erp, request)
    sale = cut_off_as_draft(company, number, quantity=2.0, note=None)
    assert erp.undo(request, outcome.target_record_id).code == "line_reopened"
    assert company.sale(sale, "state")["state"] == "quotation"
    undone(erp, request, outcome)


def test_a_change_that_was_cut_off_before_it_quoted_is_finished(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.quoted(2)
    request = correction(
        "update_quantity", order_record=number, line_record="1", quantity="5", old_quantity="2"
    )
    sale = cut_off_as_draft(company, number, quantity=5.0)
    assert erp.read(request).begun
    applied(erp, request)
    assert company.sale(sale, "state")["state"] == "quotation"


@pytest.mark.parametrize(
    ("kind", "change"),
    [("update_quantity", {"quantity": "5", "old_quantity": "2"}), ("cancel_line", {})],
)
def test_a_draft_of_a_person_is_changed_and_stays_a_draft(
    company: TrytonCompany, erp: Target, kind: str, change: dict[str, str]
) -> None:
    _, sale, number = company.quoted(2)
    company.office.session.click("sale.sale", "draft", [sale])
    request = correction(kind, order_record=number, line_record="1", **change)
    outcome = applied(erp, request)
    assert company.sale(sale, "state")["state"] == "draft"
    undone(erp, request, outcome)
    assert company.sale(sale, "state")["state"] == "draft"


def test_a_draft_that_was_cancelled_is_a_draft_again(company: TrytonCompany, erp: Target) -> None:
    _, sale, number = company.quoted(2)
    company.office.session.click("sale.sale", "draft", [sale])
    request = correction("cancel_order", order_record=number)
    undone(erp, request, applied(erp, request))
    assert company.sale(sale, "state")["state"] == "draft"


# ---- shipments -------------------------------------------------------------------------------


def fulfilment(number: str, document: str, *quantities: str) -> CorrectionRequest:
    return correction(
        "create_fulfilment",
        order_record=number,
        document=document,
        location="EAST",
        target_location="EAST",
        lines=[
            {"line_record": str(line), "quantity": quantity}
            for line, quantity in enumerate(quantities, 1)
        ],
    )


def test_a_shipment_is_posted_under_its_number_and_taken_back(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.released(2, 3)
    request = fulfilment(number, f"WD-{number}", "2", "3")
    outcome = applied(erp, request)
    assert erp.apply(request).code == "version_conflict"
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert [(line["sequence"], line["quantity"], line["status"]) for line in lines] == [
        (1, "2", "done"),
        (2, "3", "done"),
    ]
    assert {line["sale_number"] for line in lines} == {number}
    undone(erp, request, outcome)
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert {line["status"] for line in lines} == {"returned"}
    assert all(line["returned_at"] for line in lines)


def test_what_left_is_posted_and_the_rest_stays_open(company: TrytonCompany, erp: Target) -> None:
    _, sale, number = company.released(4, 3)
    applied(erp, fulfilment(number, f"WD-{number}", "1"))
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert [(line["sequence"], line["quantity"]) for line in lines] == [(1, "1")]
    ((rest,),) = company.office.open_shipments([sale])
    moves = company.office.session.find(
        "stock.move",
        ["product.code", "quantity"],
        ("shipment", "=", f"stock.shipment.out,{rest}"),
        ("to_location.type", "=", "customer"),
    )
    assert sorted((m["product."]["code"], m["quantity"]) for m in moves) == [
        ("SKU-001", 3.0),
        ("SKU-002", 3.0),
    ]


def test_a_shipment_left_although_the_erp_believes_in_no_stock(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.released(100_000, first=12)
    applied(erp, fulfilment(number, f"WD-{number}", "100000"))


def test_a_fulfilment_that_was_cut_off_is_finished(company: TrytonCompany, erp: Target) -> None:
    _, sale, number = company.released(2)
    ((shipment,),) = company.office.open_shipments([sale])
    company.office.session.write("stock.shipment.out", [shipment], {"reference": f"WD-{number}"})
    company.office.assign([shipment])
    company.office.pick([shipment])
    applied(erp, fulfilment(number, f"WD-{number}", "2"))


def test_an_assigned_shipment_is_posted_with_what_left(company: TrytonCompany, erp: Target) -> None:
    _, sale, number = company.released(4, 3)
    ((shipment,),) = company.office.open_shipments([sale])
    company.office.assign([shipment])
    applied(erp, fulfilment(number, f"WD-{number}", "3"))
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert [(line["sequence"], line["quantity"]) for line in lines] == [(1, "3")]


def test_a_shipment_picked_with_other_quantities_is_left_alone(
    company: TrytonCompany, erp: Target
) -> None:
    _, sale, number = company.released(4)
    ((shipment,),) = company.office.open_shipments([sale])
    company.office.assign([shipment])
    company.office.pick([shipment])
    outcome = erp.apply(fulfilment(number, f"WD-{number}", "3"))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "other_quantities")
    held = company.office.session.read("stock.shipment.out", [shipment], "state", "reference")[0]
    assert (held["state"], held["reference"]) == ("picked", None)


def test_a_fulfilment_that_was_cut_off_after_its_quantities_is_finished_with_them(
    company: TrytonCompany, erp: Target
) -> None:
    _, sale, number = company.released(4)
    ((shipment,),) = company.office.open_shipments([sale])
    session = company.office.session
    session.write("stock.shipment.out", [shipment], {"reference": f"WD-{number}"})
    moves = session.search(
        "stock.move",
        ("shipment", "=", f"stock.shipment.out,{shipment}"),
        ("to_location.type", "=", "customer"),
    )
    session.write("stock.move", moves, {"quantity": 1.0})
    applied(erp, fulfilment(number, f"WD-{number}", "1"))
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert [line["quantity"] for line in lines] == ["1"]


def test_a_line_that_left_in_two_parts_is_posted_as_their_sum(
    company: TrytonCompany, erp: Target
) -> None:
    _, _, number = company.released(5)
    request = fulfilment(number, f"WD-{number}", "1")
    parts = [{"line_record": "1", "quantity": quantity} for quantity in ("3", "1")]
    applied(erp, replace(request, payload={**request.payload, "lines": parts}))
    lines = fields_of(company.source("erp"), "fulfilment_lines", reference=f"WD-{number}")
    assert [line["quantity"] for line in lines] == ["4"]


@pytest.mark.parametrize(("left", "code"), [("12", "completed"), ("18", "not_representable")])
def test_what_left_is_written_in_the_unit_of_the_sale(
    company: TrytonCompany, erp: Target, left: str, code: str
) -> None:
    number = company.released_in_dozens(3)
    outcome = erp.apply(fulfilment(number, f"WD-{number}", left))
    assert outcome.code == code, outcome
    lines = fields_of(company.source("erp"), "fulfilment_lines", sale_number=number)
    assert [line["quantity"] for line in lines] == (["12"] if code == "completed" else [])


def test_a_fulfilment_no_shipment_backs_is_received_back(
    company: TrytonCompany, erp: Target
) -> None:
    _, sale, number, document = company.fulfilled(2)
    own = fields_of(company.source("erp"), "fulfilment_lines", reference=document)
    request = correction("reverse_fulfilment", fulfilment_record=own[0]["shipment_number"])
    before = company.office.on_hand("EAST")["SKU-001"]
    outcome = applied(erp, request)
    assert erp.apply(request).code == "version_conflict"
    assert company.office.on_hand("EAST")["SKU-001"] == before + 2
    assert erp.undo(request, outcome.target_record_id).code == "not_reversible"
    assert company.sale(sale, "number")["number"] == number


def test_a_release_is_sent_again_once(company: TrytonCompany, wms: Target) -> None:
    host_order = f"SO-{company.order(1).reference}"
    request = correction(
        "create_warehouse_order",
        host_order=host_order,
        location="WEST",
        lines=[
            {"host_line": "1", "target_item": "SKU-003", "quantity": "4", "uom": "EA"},
            {"host_line": "2", "target_item": "SKU-004", "quantity": "1", "uom": "EA"},
        ],
    )
    outcome = applied(wms, request)
    assert wms.apply(request).code == "version_conflict"
    lines = fields_of(company.source("wms"), "warehouse_order_lines", reference=host_order)
    assert sorted((line["product_code"], line["quantity"]) for line in lines) == [
        ("SKU-003", "4"),
        ("SKU-004", "1"),
    ]
    assert {(line["state"], line["warehouse"]) for line in lines} == {("waiting", "WEST")}
    undone(wms, request, outcome)


@pytest.mark.parametrize(("ordered", "code"), [(4, "created"), (9, "other_draft")])
def test_a_draft_is_released_only_if_it_is_what_is_to_be_released(
    company: TrytonCompany, wms: Target, ordered: int, code: str
) -> None:
    draft = company.order(ordered, warehouse="WEST")
    (shipment,) = company.floor.create_orders([draft])
    company.floor.session.click("stock.shipment.out", "draft", [shipment])
    request = correction(
        "create_warehouse_order",
        host_order=draft.reference,
        location="WEST",
        lines=[{"host_line": "1", "target_item": "SKU-001", "quantity": "4", "uom": "EA"}],
    )
    assert wms.apply(request).code == code
    state = company.floor.session.read("stock.shipment.out", [shipment], "state")[0]["state"]
    assert state == ("waiting" if code == "created" else "draft")


def test_a_warehouse_that_knows_no_customer_says_so(company: TrytonCompany) -> None:
    request = correction(
        "create_warehouse_order",
        host_order="SO-NOBODY",
        location="WEST",
        lines=[{"host_line": "1", "target_item": "SKU-003", "quantity": "4"}],
    )
    outcome = company.target("wms", options={}).apply(request)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "no_customer")


# ---- invoices --------------------------------------------------------------------------------


def invoice(number: str, document: str, *quantities: str) -> CorrectionRequest:
    return replace(fulfilment(number, document, *quantities), kind="create_invoice")


def test_a_shipment_is_invoiced_once_and_credited(company: TrytonCompany, erp: Target) -> None:
    _, _, number, document = company.fulfilled(2, 1)
    request = invoice(number, document, "2", "1")
    outcome = applied(erp, request)
    assert erp.read(request).applied_by_key is True
    assert erp.apply(request).code == "version_conflict"
    lines = fields_of(company.source("erp"), "invoice_lines", shipment_reference=document)
    assert [
        (line["sequence"], line["quantity"], line["state"], line["sale_number"]) for line in lines
    ] == [(1, "2", "posted", number), (2, "1", "posted", number)]
    undone(erp, request, outcome)
    lines = fields_of(company.source("erp"), "invoice_lines", shipment_reference=document)
    assert {line["state"] for line in lines if Decimal(line["quantity"]) > 0} == {"cancelled"}


def test_an_invoice_of_other_quantities_is_not_posted(company: TrytonCompany, erp: Target) -> None:
    _, _, number, document = company.fulfilled(2)
    outcome = erp.apply(invoice(number, document, "1"))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "no_draft_invoice")


def test_a_doubled_invoice_is_credited_and_issued_again(
    company: TrytonCompany, erp: Target
) -> None:
    _, sale, _, document = company.fulfilled(2)
    ((draft,),) = company.office.draft_invoices([sale])
    company.office.post_invoices([draft])
    twin = company.office.invoice_again(draft)
    number = company.office.session.read("account.invoice", [twin], "number")[0]["number"]
    request = correction("void_invoice", invoice_record=number)
    outcome = applied(erp, request)
    assert erp.apply(request).code == "version_conflict"
    assert erp.undo(request, outcome.target_record_id).result is Result.OK
    again = erp.undo(request, outcome.target_record_id)
    assert (again.result, again.code) == (Result.OK, "already_undone")
    lines = fields_of(company.source("erp"), "invoice_lines", shipment_reference=document)
    charged = [line["state"] for line in lines if Decimal(line["quantity"]) > 0]
    assert sorted(charged) == ["cancelled", "posted", "posted"]


# ---- references ------------------------------------------------------------------------------


def test_a_shipment_that_left_gets_the_number_of_the_warehouse(
    company: TrytonCompany, erp: Target
) -> None:
    _, sale, number = company.released(2)
    ((shipment,),) = company.office.open_shipments([sale])
    company.office.complete([shipment])
    source = company.source("erp")
    (line,) = fields_of(source, "fulfilment_lines", sale_number=number)
    assert not line["reference"]
    request = correction(
        "set_reference", fulfilment_record=line["shipment_number"], reference=f"WD-{number}"
    )
    outcome = applied(erp, request)
    (line,) = fields_of(source, "fulfilment_lines", reference=f"WD-{number}")
    assert line["sale_number"] == number
    assert erp.apply(request).code == "already_there"
    undone(erp, request, outcome)
    assert fields_of(source, "fulfilment_lines", reference=f"WD-{number}") == []


def test_a_purchase_gets_another_reference_than_it_was_given(
    company: TrytonCompany, erp: Target
) -> None:
    office = company.office
    purchase = office.buy("SO-TYPO", "S001", "EAST", company.order(1).lines)
    number = office.purchase_number(purchase)
    change = {"reference": "SO-4711", "old_reference": "SO-TYPO"}
    request = correction("set_reference", purchase_record=number, **change)
    undone(erp, request, applied(erp, request))
    assert fields_of(company.source("erp"), "purchase_lines", reference="SO-TYPO")


def test_a_reference_that_somebody_gave_or_took_is_left_alone(
    company: TrytonCompany, erp: Target
) -> None:
    taken, _, holder = company.quoted(1)
    order = company.order(1)
    (sale,) = company.office.book([replace(order, reference="")])
    number = company.sale(sale, "number")["number"]

    double = correction("set_reference", order_record=number, reference=taken.reference)
    assert not erp.read(double).precondition_met
    refused = erp.apply(double)
    assert (refused.result, refused.code) == (Result.REFUSED, "version_conflict")
    assert holder in refused.message

    request = correction("set_reference", order_record=number, reference=order.reference)
    company.office.session.write("sale.sale", [sale], {"reference": "BY-HAND"})
    assert not erp.read(request).precondition_met
    for refused in (erp.apply(request), erp.undo(request, number)):
        assert (refused.result, refused.code) == (Result.REFUSED, "version_conflict")
        assert "BY-HAND" in refused.message
    assert company.sale(sale, "reference")["reference"] == "BY-HAND"

    company.office.session.write("sale.sale", [sale], {"reference": None})
    company.office.cancel([sale])
    assert not erp.read(request).precondition_met
    assert erp.apply(request).code == "version_conflict"


def test_it_must_be_clear_what_gets_which_reference(erp: Target) -> None:
    for payload in (
        {"order_record": "SO1"},
        {"reference": "WEB-1"},
        {"order_record": "SO1", "purchase_record": "PO1", "reference": "WEB-1"},
    ):
        assert erp.apply(correction("set_reference", **payload)).code == "inconsistent_payload"


# ---- stock -----------------------------------------------------------------------------------


def test_a_balance_is_set_once_and_back(company: TrytonCompany, erp: Target) -> None:
    held = company.office.on_hand("EAST")["SKU-005"]
    request = correction(
        "adjust_stock",
        target_item="SKU-005",
        target_location="EAST",
        quantity_delta="-3",
        expected_quantity=str(held),
        new_quantity=str(held - 3),
        reason="RECONCILE",
    )
    outcome = applied(erp, request)
    assert erp.read(request).applied_by_key is True
    assert erp.apply(request).code == "already_there"
    assert company.office.on_hand("EAST")["SKU-005"] == held - 3
    posting = fields_of(company.source("erp"), "stock_movements", posting=outcome.target_record_id)
    assert [(line["quantity"], line["movement_type"]) for line in posting if line["side"] == "out"]
    for _ in range(2):
        assert erp.undo(request, outcome.target_record_id).result is Result.OK
    assert company.office.on_hand("EAST")["SKU-005"] == held


def test_a_balance_that_moved_is_left_alone(company: TrytonCompany, erp: Target) -> None:
    held = company.office.on_hand("EAST")["SKU-006"]
    request = correction(
        "adjust_stock",
        target_item="SKU-006",
        target_location="EAST",
        quantity_delta="2",
        expected_quantity=str(held + 1),
        new_quantity=str(held + 3),
        reason="RECONCILE",
    )
    assert not erp.read(request).precondition_met
    assert erp.apply(request).code == "version_conflict"
    assert company.office.on_hand("EAST")["SKU-006"] == held


@pytest.mark.parametrize("quantity", ["4", "-4"])
def test_a_movement_is_posted_under_its_document_and_taken_back(
    company: TrytonCompany, erp: Target, quantity: str
) -> None:
    held = company.office.on_hand("WEST")["SKU-007"]
    request = correction(
        "post_movement",
        target_item="SKU-007",
        target_location="WEST",
        movement_type="lost_found",
        quantity=quantity,
        document=f"WC{quantity}-{company.order(1).reference}",
        reason=None,
    )
    outcome = applied(erp, request)
    assert erp.apply(request).code == "version_conflict"
    assert company.office.on_hand("WEST")["SKU-007"] == held + int(quantity)
    for _ in range(2):
        assert erp.undo(request, outcome.target_record_id).result is Result.OK
    assert company.office.on_hand("WEST")["SKU-007"] == held


def drafted(company: TrytonCompany, reference: str, sku: str, *changes: int) -> list[int]:
    """An internal shipment that nobody went on with, to lose or find units of an item in EAST."""
    place = company.office.warehouses["EAST"]
    ends = (place["storage_location"], place["lost_found_location"])
    source, target = ends if changes[0] < 0 else ends[::-1]
    return company.office.session.create(
        "stock.shipment.internal",
        {
            "reference": reference,
            "from_location": source,
            "to_location": target,
            "moves": [
                (
                    "create",
                    [
                        {
                            "product": company.office.products[sku],
                            "quantity": float(abs(change)),
                            "unit": company.office.unit,
                            "from_location": source,
                            "to_location": target,
                        }
                        for change in changes
                    ],
                )
            ],
        },
    )


def test_an_adjustment_that_was_cut_off_is_finished(company: TrytonCompany, erp: Target) -> None:
    reference = f"WC-{company.order(1).reference}"
    held = company.office.on_hand("EAST")["SKU-008"]
    request = correction(
        "post_movement",
        target_item="SKU-008",
        target_location="EAST",
        movement_type="lost_found",
        quantity="-1",
        document=reference,
        reason=None,
    )
    (shipment,) = drafted(company, reference, "SKU-008", -1)
    applied(erp, request)
    assert company.office.on_hand("EAST")["SKU-008"] == held - 1
    state = company.office.session.read("stock.shipment.internal", [shipment], "state")[0]["state"]
    assert state == "done"


@pytest.mark.parametrize("changes", [(1,), (-1, -1)])
def test_a_shipment_of_something_else_under_the_document_is_left_alone(
    company: TrytonCompany, erp: Target, changes: tuple[int, ...]
) -> None:
    reference = f"WC-{company.order(1).reference}"
    held = company.office.on_hand("EAST")["SKU-010"]
    (shipment,) = drafted(company, reference, "SKU-010", *changes)
    request = correction(
        "post_movement",
        target_item="SKU-010",
        target_location="EAST",
        movement_type="lost_found",
        quantity="-1",
        document=reference,
        reason=None,
    )
    applied(erp, request)
    assert company.office.on_hand("EAST")["SKU-010"] == held - 1
    state = company.office.session.read("stock.shipment.internal", [shipment], "state")[0]["state"]
    assert state == "draft"


# ---- answers ---------------------------------------------------------------------------------


def test_a_stranger_is_refused(company: TrytonCompany) -> None:
    _, _, number = company.quoted(1)
    request = correction("cancel_order", order_record=number)
    secrets = {**company.environment("erp"), "PASSWORD": "wrong"}
    target = make_target(company.system("erp"), secrets)
    assert target is not None
    outcome = target.apply(request)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "unauthorised")


def test_a_target_that_is_down_is_tried_again_later(company: TrytonCompany) -> None:
    _, _, number = company.quoted(1)
    target = company.target("erp", base_url="http://127.0.0.1:9/erp")
    outcome = target.apply(correction("cancel_order", order_record=number))
    assert outcome.result is Result.RETRY


def test_a_session_that_was_forgotten_is_begun_again(company: TrytonCompany, erp: Target) -> None:
    for _ in range(2):
        _, _, number = company.quoted(1)
        assert erp.apply(correction("cancel_order", order_record=number)).result is Result.OK
        company.forget_sessions("erp")
        company.office = Office(company.databases["erp"].admin())
