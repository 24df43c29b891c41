"""SAP as the ERP: its documents in the canonical shapes, matched with the OMS and the warehouse."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from build import Warehouse
from scenario import NOW, SYSTEMS, Scenario, ago
from trade import Line, Order

LATER = NOW.replace(hour=13)


class SapOrder(Order):
    """An order whose ERP is SAP."""

    @property
    def sap_number(self) -> str:
        return f"{self.number:010}"

    def sap(self, after: float = 5, **changes: Any) -> SapOrder:
        moment = self.at(after)
        fields = {
            "sales_order": self.sap_number,
            "sales_order_item": "000010",
            "customer_reference": self.order_id,
            "sold_to_party": "1000006",
            "currency": "USD",
            "process_status": "A",
            "created_at": moment,
            "changed_at": moment,
            "material": "10-0001",
            "requested_quantity": 5,
            "requested_quantity_unit": "PC",
            "plant": "1710",
        }
        self.scenario.say("erp", "sales_order_items", **(fields | changes))
        return self

    def delivered(self, after: float = 60, **changes: Any) -> SapOrder:
        moment = self.at(after)
        fields = {
            "delivery": f"8{self.number:09}",
            "delivery_item": "000010",
            "goods_movement_status": "C",
            "goods_movement_at": moment,
            "created_at": moment,
            "changed_at": moment,
            "material": "10-0001",
            "delivered_quantity": 5,
            "quantity_unit": "PC",
            "plant": "1710",
            "sales_order": self.sap_number,
            "sales_order_item": "000010",
        }
        self.scenario.say("erp", "delivery_items", **(fields | changes))
        return self

    def billed(self, after: float = 90, **changes: Any) -> SapOrder:
        moment = self.at(after)
        fields = {
            "billing_document": f"9{self.number:09}",
            "billing_item": "000010",
            "posting_status": "C",
            "currency": "USD",
            "created_at": moment,
            "changed_at": moment,
            "billed_quantity": 5,
            "quantity_unit": "PC",
            "sales_order": self.sap_number,
            "sales_order_item": "000010",
        }
        self.scenario.say("erp", "billing_items", **(fields | changes))
        return self


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    """Two passes: in the second an invoice is cancelled, and a goods issue is taken back."""
    scenario = Scenario({**SYSTEMS, "erp": ("erp", "sap_odata", "UTC")})
    # One item number for all: the material.
    scenario.say(
        "oms",
        "products",
        sku="SKU-0001",
        gtin="10-0001",
        title="Widget",
        uom="EA",
        updated_at=ago(days=30),
        version=1,
    )
    scenario.say(
        "erp",
        "products",
        product="10-0001",
        base_unit="PC",
        created_at=ago(days=90),
        changed_at=ago(days=90),
    )
    scenario.say(
        "erp",
        "purchase_order_items",
        purchase_order="4500000101",
        purchase_order_item="00010",
        supplier="1000015",
        order_quantity=5,
        created_at=ago(days=9),
    )
    start = ago(days=2)
    kept = SapOrder(scenario, 700001, start).oms()
    kept.sap().delivered().billed()
    SapOrder(scenario, 700002, start).oms()  # unknown to SAP
    differs = SapOrder(scenario, 700003, start).oms()
    differs.sap(requested_quantity=4)
    taken_back = SapOrder(scenario, 700004, start).oms()
    taken_back.sap().delivered().billed()
    odd = SapOrder(scenario, 700005, start).oms()
    odd.sap(plant="9999").billed(posting_status="Z")
    # Five dozen are sixty; what a kilogram of it is nobody knows.
    dozens = SapOrder(scenario, 700006, start, [Line(1, 60)]).oms()
    dozens.sap(requested_quantity_unit="DZ")
    SapOrder(scenario, 700007, start).oms().sap(requested_quantity=9, requested_quantity_unit="KG")
    scenario.read(NOW)
    cancelled = ago(minutes=-30)
    taken_back.delivered(
        goods_movement_status="A", goods_movement_at=None, changed_at=cancelled
    ).billed(posting_status="E", changed_at=cancelled)
    scenario.read(LATER)
    built = Warehouse(tmp_path_factory.mktemp("sap"), artefacts)
    scenario.write(built.path)
    return built.build()


def _milestones(warehouse: Warehouse, order: str) -> dict[str, datetime | None]:
    """Milestone -> when it was taken back."""
    return dict(
        warehouse.rows(
            "select milestone, reversed_to from core.order_events "
            f"where system = 'erp' and order_line_id = '{order}/1'"
        )
    )


def test_documents_become_milestones_of_the_order_line(warehouse: Warehouse) -> None:
    assert _milestones(warehouse, "SO-700001") == dict.fromkeys(
        ["captured", "accepted", "released", "shipped", "invoiced"]
    )
    quantities = warehouse.rows(
        "select distinct quantity, item_id from core.order_events "
        "where system = 'erp' and order_line_id = 'SO-700001/1' and entity = 'delivery_items'"
    )
    assert [(int(quantity), item) for quantity, item in quantities] == [(5, "10-0001")]


def test_what_was_taken_back_is_reversed(warehouse: Warehouse) -> None:
    taken_back = _milestones(warehouse, "SO-700004")
    assert taken_back["released"] is None
    assert NOW < taken_back["shipped"] <= LATER  # type: ignore[operator]
    assert NOW < taken_back["invoiced"] <= LATER  # type: ignore[operator]


def test_the_oms_and_sap_are_compared(warehouse: Warehouse) -> None:
    found = warehouse.exceptions("open")
    assert ("O02", "SO-700002/1") in found
    assert ("O04", "SO-700003/1") in found
    assert not found & {(rule, "SO-700001/1") for rule in ("O02", "O03", "O04", "O05")}


def test_an_unknown_order_is_proposed_in_saps_own_terms(warehouse: Warehouse) -> None:
    ((payload, preconditions),) = warehouse.rows(
        "select payload, preconditions from reconciliation.correction_proposals "
        "where kind = 'create_order' and object_id = 'SO-700002'"
    )
    (line,) = json.loads(payload)["lines"]
    assert (line["target_item"], line["quantity"], line["line_no"]) == ("10-0001", "5", "1")
    absent = [c["key"] for c in json.loads(preconditions) if c["check"] == "absent"]
    assert absent == [
        {"customer_reference": "SO-700002", "process_status": status} for status in "ABC"
    ]


def test_unknown_codes_are_work_and_not_a_loss(warehouse: Warehouse) -> None:
    codes = warehouse.rows(
        "select field, source_value from marts.unmapped_codes where connector = 'sap_odata' "
        "order by all"
    )
    assert codes == [("plant", "9999"), ("posting_status", "Z"), ("requested_quantity_unit", "KG")]
    assert "unmapped" in _milestones(warehouse, "SO-700005")


def test_units_are_converted_or_refused(warehouse: Warehouse) -> None:
    quantities = warehouse.rows(
        "select distinct order_id, quantity from core.order_events where system = 'erp' "
        "and milestone = 'captured' and order_id in ('SO-700006', 'SO-700007') order by all"
    )
    assert quantities == [("SO-700006", 60), ("SO-700007", None)]
    judged = {(rule, line) for rule, line in warehouse.exceptions("open") if rule == "O04"}
    assert judged == {("O04", "SO-700003/1")}


def test_parties_and_items_have_their_place(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select source_party, party_type from core.dim_parties where system = 'erp' order by all"
    ) == [("1000006", "customer"), ("1000015", "supplier")]
    assert ("10-0001",) in warehouse.rows("select item_id from intermediate.int_items__sap_odata")
