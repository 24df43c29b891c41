"""What our connector reads of a real Tryton: nothing lost, whatever changes how."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tryton_company import SETTLE_SECONDS, TrytonCompany, fields_of

from connectors.base import Record, Source, SourceError
from connectors.cursors import instant
from connectors.factory import make_source
from registry.contracts import contract_of

ROLES = ("erp", "wms")


def read(source: Source, entity: str, cursor: str | None = None) -> tuple[list[Record], str | None]:
    """One extraction, and where the next goes on."""
    records: list[Record] = []
    for page in source.pages(entity, cursor):
        records += page.records
        cursor = page.cursor
    return records, cursor


def newest(records: list[Record], **wanted: Any) -> dict[str, Any]:
    """The last version of the one record with these fields."""
    found = [
        dict(record.fields)
        for record in records
        if all(record.fields[name] == value for name, value in wanted.items())
    ]
    assert found, wanted
    return found[-1]


@pytest.fixture(scope="module")
def traded(company: TrytonCompany) -> TrytonCompany:
    """The company after a little business."""
    company.trade()
    return company


@pytest.mark.parametrize("role", ROLES)
def test_every_entity_keeps_its_contract(traded: TrytonCompany, role: str) -> None:
    source = traded.source(role)
    for entity in source.entities:
        records, _ = read(source, entity)
        assert records, entity
        columns = contract_of("tryton", entity).columns
        for record in records:
            assert set(record.fields) == {column.name for column in columns}, entity
            for column in columns:
                if column.required:
                    assert record.fields[column.name] is not None, (entity, column.name)


@pytest.mark.parametrize("role", ROLES)
def test_small_pages_tell_the_same(traded: TrytonCompany, role: str) -> None:
    for entity in traded.source(role).entities:
        if entity == "stock":
            continue
        large, _ = read(traded.source(role), entity)
        small, _ = read(traded.source(role, page_size=2), entity)
        assert {r.record_id: r.raw for r in small} == {r.record_id: r.raw for r in large}


@pytest.mark.parametrize("role", ROLES)
def test_the_ids_of_a_sweep_are_those_of_the_records(traded: TrytonCompany, role: str) -> None:
    source = traded.source(role)
    assert source.swept  # type: ignore[attr-defined]
    for entity in source.swept:  # type: ignore[attr-defined]
        keys = {key for page in source.keys(entity) for key in page}  # type: ignore[attr-defined]
        records, _ = read(source, entity)
        assert keys == {record.record_id for record in records}, entity


def test_a_role_offers_its_own_entities(company: TrytonCompany) -> None:
    assert "sale_lines" in company.source("erp").entities
    assert "sale_lines" not in company.source("wms").entities
    with pytest.raises(SourceError, match="no entity 'sale_lines'"):
        list(company.source("wms").pages("sale_lines", None))


def test_times_are_those_of_the_transitions(company: TrytonCompany) -> None:
    _, sale, number = company.quoted(1)
    company.office.confirm([sale])
    line = fields_of(company.source("erp"), "sale_lines", sale_number=number)[0]
    moments = [instant(line[name]) for name in ("quoted_at", "confirmed_at", "processing_at")]
    assert None not in moments
    assert moments == sorted(moments)  # type: ignore[type-var]
    assert len(set(moments)) == 3
    assert line["line_state"] == "processing"


def test_a_line_written_without_its_sale_is_seen(company: TrytonCompany) -> None:
    _, sale, number = company.quoted(2)
    session = company.office.session
    session.click("sale.sale", "draft", [sale])
    _, cursor = read(company.source("erp"), "sale_lines")
    stamp = company.sale(sale, "last_modified_at")
    line = session.search("sale.line", ("sale", "=", sale))
    session.write("sale.line", line, {"quantity": 9.0})
    assert company.sale(sale, "last_modified_at") == stamp
    records, _ = read(company.source("erp", settle_seconds=0), "sale_lines", cursor)
    assert newest(records, sale_id=sale)["quantity"] == "9"
    assert number


def test_a_price_written_on_the_template_is_seen(company: TrytonCompany) -> None:
    _, cursor = read(company.source("erp"), "products")
    session = company.office.session
    (product,) = session.find("product.product", ["template"], ("code", "=", "SKU-011"))
    session.write("product.template", [product["template"]], {"list_price": Decimal("99.95")})
    records, _ = read(company.source("erp", settle_seconds=0), "products", cursor)
    assert newest(records, code="SKU-011")["list_price"] == "99.95"
    assert newest(records, code="SKU-011")["currency"] == "USD"


def test_an_archived_item_is_still_told(company: TrytonCompany) -> None:
    session = company.office.session
    ids = session.search("product.product", ("code", "=", "SKU-010"))
    _, cursor = read(company.source("erp"), "products")
    session.write("product.product", ids, {"active": False})
    records, _ = read(company.source("erp", settle_seconds=0), "products", cursor)
    assert newest(records, code="SKU-010")["active"] is False
    session.write("product.product", ids, {"active": True})


def test_a_line_that_was_deleted_is_missing_from_the_sweep(company: TrytonCompany) -> None:
    _, sale, _ = company.quoted(2, 1)
    session = company.office.session
    session.click("sale.sale", "draft", [sale])
    gone = session.search("sale.line", ("sale", "=", sale))[0]
    source = company.source("erp")
    before = {key for page in source.keys("sale_lines") for key in page}  # type: ignore[attr-defined]
    session("model.sale.line.delete", [gone])
    after = {key for page in source.keys("sale_lines") for key in page}  # type: ignore[attr-defined]
    assert before - after == {str(gone)}


def test_records_of_one_instant_are_all_read_across_pages(company: TrytonCompany) -> None:
    _, cursor = read(company.source("erp"), "sale_lines")
    orders = [company.order(1, 2) for _ in range(5)]
    sales = company.office.book(orders)
    records, _ = read(company.source("erp", page_size=2, settle_seconds=0), "sale_lines", cursor)
    assert {record.fields["sale_id"] for record in records} >= set(sales)
    assert len([r for r in records if r.fields["sale_id"] in sales]) == 10


def test_what_is_late_by_less_than_the_settle_window_is_read_again(
    company: TrytonCompany,
) -> None:
    _, sale, _ = company.quoted(1)
    source = company.source("erp", settle_seconds=SETTLE_SECONDS)
    _, cursor = read(source, "sale_lines")
    records, _ = read(source, "sale_lines", cursor)
    assert sale in {record.fields["sale_id"] for record in records}


def test_an_invoice_names_the_shipment_that_it_charges(traded: TrytonCompany) -> None:
    records, _ = read(traded.source("erp"), "invoice_lines")
    line = dict(records[0].fields)
    assert line["shipment_reference"] == f"WD-{line['sale_number']}"
    assert line["sequence"] == 1


def test_a_line_whose_moves_were_cancelled_and_ignored_is_cancelled(
    company: TrytonCompany,
) -> None:
    _, sale, number = company.released(2)
    office = company.office
    ((shipment,),) = office.open_shipments([sale])
    office.cancel_shipments([shipment])
    office.ignore_shipments(sale)
    line = fields_of(company.source("erp"), "sale_lines", sale_number=number)[0]
    assert (line["line_state"], line["state"]) == ("cancelled", "done")
    assert line["cancelled_at"]


def test_a_receipt_is_told_and_told_again_when_it_was_cancelled(company: TrytonCompany) -> None:
    floor, source = company.floor, company.source("wms")
    lines = company.order(4, 6).lines
    shipment = floor.unload("PO-RECEIPT", "S001", "WEST", lines)
    told, cursor = read(source, "receipt_lines")
    held = newest(told, reference="PO-RECEIPT", product_code="SKU-002")
    assert (held["state"], held["quantity"], held["warehouse"]) == ("received", "6", "WEST")
    assert (held["supplier_code"], held["cancelled_at"]) == ("S001", None)
    received = instant(held["received_at"])

    floor.session.click("stock.shipment.in", "cancel", [shipment])
    told, cursor = read(source, "receipt_lines", cursor)
    held = newest(told, reference="PO-RECEIPT", product_code="SKU-002")
    assert held["state"] == "cancelled"
    assert instant(held["received_at"]) == received
    assert instant(held["cancelled_at"]) > received  # type: ignore[operator]

    # Not yet there, a delivery is no receipt.
    floor.session.click("stock.shipment.in", "draft", [shipment])
    floor.session.write("stock.shipment.in", [shipment], {"reference": "PO-AGAIN"})
    told, cursor = read(source, "receipt_lines", cursor)
    assert newest(told, reference="PO-AGAIN", product_code="SKU-002")["state"] == "draft"
    floor.session.click("stock.shipment.in", "receive", [shipment])
    told, _ = read(source, "receipt_lines", cursor)
    again = newest(told, reference="PO-AGAIN", product_code="SKU-002")
    assert (again["state"], again["cancelled_at"]) == ("received", None)
    assert instant(again["received_at"]) > received  # type: ignore[operator]


@pytest.mark.parametrize(("role", "document"), [("erp", "ASN-1"), ("wms", "WC")])
def test_movements_are_those_that_cross_a_wall(
    traded: TrytonCompany, role: str, document: str
) -> None:
    records, _ = read(traded.source(role), "stock_movements")
    told = [dict(record.fields) for record in records]
    assert [m for m in told if str(m["document"]).startswith(document)]
    # Picking moves goods inside the warehouse: only what went to the customer is told.
    assert {m["movement_type"] for m in told} <= {"customer", "supplier", "lost_found"}
    for movement in told:
        assert (Decimal(movement["quantity"]) < 0) == (movement["side"] == "out")


@pytest.mark.parametrize("role", ROLES)
def test_balances_are_what_the_movements_add_up_to(traded: TrytonCompany, role: str) -> None:
    movements, _ = read(traded.source(role), "stock_movements")
    balances, _ = read(traded.source(role), "stock")
    sums: dict[tuple[str, str], Decimal] = {}
    for record in movements:
        key = (record.fields["product_code"], record.fields["warehouse"])
        sums[key] = sums.get(key, Decimal(0)) + Decimal(record.fields["quantity"])
    held = {
        (r.fields["product_code"], r.fields["warehouse"]): Decimal(r.fields["quantity"])
        for r in balances
    }
    assert held == sums


def test_a_wrong_key_is_named(company: TrytonCompany) -> None:
    source = make_source(company.system("erp"), {"KEY": "wrong"})
    with pytest.raises(SourceError) as error:
        source.probe()
    assert error.value.kind == "unauthorised"
    assert "KEY" in str(error.value)


def test_a_user_without_rights_reads_nothing_for_certain(company: TrytonCompany) -> None:
    source = make_source(company.system("erp"), company.environment("erp", "nobody"))
    with pytest.raises(SourceError) as error:
        list(source.pages("sale_lines", None))
    assert error.value.kind == "refused"
    assert "not allowed to access" in str(error.value)
