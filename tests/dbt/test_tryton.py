"""A Tryton warehouse and an EDI supplier: what was received, whether it was announced, and who and
where Tryton's own codes name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from build import Warehouse
from scenario import Scenario

ORDERED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
RECEIVED = ORDERED + timedelta(hours=2)
FIRST = ORDERED + timedelta(hours=3)
SECOND = FIRST + timedelta(hours=6)
ENVELOPE = {
    "partner": "acme",
    "interchange_id": "1",
    "group_control_number": "1",
    "set_control_number": "1",
    "uom": "EA",
    "base_factor": 1,
}


def say_order(scenario: Scenario, number: str, *items: str) -> None:
    """Ten of each item are ordered."""
    for position, item in enumerate(items, 1):
        scenario.say(
            "acme",
            "purchase_order_lines",
            po_number=number,
            line_number=str(position),
            purpose_code="00",
            quantity=Decimal(10),
            item=item,
            direction="outbound",
            set_code="850",
            written_at=ORDERED.replace(tzinfo=None),
            position=position,
            **ENVELOPE,
        )


def say_notice(scenario: Scenario, number: str, position: int, item: str, quantity: int) -> None:
    scenario.say(
        "acme",
        "shipment_notice_lines",
        shipment_number=f"N-{number}",
        line_id=str(position),
        purpose_code="00",
        po_number=number,
        line_number=str(position),
        quantity=Decimal(quantity),
        item=item,
        direction="inbound",
        set_code="856",
        written_at=(ORDERED + timedelta(hours=1)).replace(tzinfo=None),
        position=100 + position,
        **ENVELOPE,
    )


def say_receipt(
    scenario: Scenario, move: int, reference: str | None, item: str, **changes: Any
) -> None:
    """Ten of an item come in, on a shipment of its own."""
    receipt = {
        "shipment_id": move,
        "shipment_number": f"WG{move}",
        "reference": reference,
        "state": "received",
        "warehouse": "EAST",
        "supplier_code": "ACME",
        "received_at": RECEIVED,
        "modified_at": RECEIVED,
        "move_id": move,
        "product_code": item,
        "quantity": Decimal(10),
        "line_modified_at": RECEIVED,
    }
    scenario.say("wms", "receipt_lines", **(receipt | changes))


def say_masters(scenario: Scenario) -> None:
    known = {"active": True, "modified_at": ORDERED}
    for number, code in enumerate(("ACME", "C001", None), 1):
        scenario.say("wms", "parties", party_id=number, code=code, name=str(code), **known)
    places = (("EAST", "warehouse"), ("NORTH", "warehouse"), ("EAST", "storage"))
    for number, (code, kind) in enumerate(places, 1):
        scenario.say(
            "wms",
            "locations",
            location_id=number,
            code=code,
            name=code,
            location_type=kind,
            parent_id=1 if kind == "storage" else None,
            **known,
        )
    scenario.say(
        "wms",
        "count_lines",
        count_id=1,
        count_number="WC1",
        state="done",
        warehouse="EAST",
        date=RECEIVED.date(),
        done_at=RECEIVED,
        modified_at=RECEIVED,
        line_id=7,
        product_code="BOLT",
        expected_quantity=Decimal(10),
        quantity=Decimal(9),
        line_modified_at=RECEIVED,
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    """Between the two passes a receipt is cancelled, another one is put away."""
    scenario = Scenario({"wms": ("wms", "tryton", "UTC"), "acme": ("supplier", "x12", "UTC")})
    say_order(scenario, "PO1", "BOLT", "NUT", "NAIL")
    say_notice(scenario, "PO1", 1, "BOLT", 10)
    say_notice(scenario, "PO1", 2, "NUT", 8)
    for move, item in enumerate(("BOLT", "NUT", "NAIL"), 1):
        say_receipt(scenario, move, "PO1", item)
    say_receipt(scenario, 4, "BY-PHONE", "BOLT")
    say_receipt(scenario, 5, None, "BOLT")
    say_masters(scenario)
    scenario.read(FIRST)
    later = {"modified_at": FIRST + timedelta(minutes=5)}
    say_receipt(scenario, 1, "PO1", "BOLT", state="done", **later)
    say_receipt(scenario, 3, "PO1", "NAIL", state="cancelled", cancelled_at=RECEIVED, **later)
    scenario.read(SECOND)
    scenario.read(SECOND + timedelta(hours=1))
    built = Warehouse(tmp_path_factory.mktemp("tryton"), artefacts)
    scenario.write(built.path)
    return built.build()


def test_a_receipt_finds_the_line_of_the_order_by_its_item(warehouse: Warehouse) -> None:
    told = warehouse.rows(
        "select order_line_id, document, quantity::integer, location_id, occurred_at, "
        "reversed_to is not null from core.order_events where milestone = 'received'"
    )
    assert set(told) == {
        ("PO1/1", "WG1", 10, "EAST", RECEIVED, False),
        ("PO1/2", "WG2", 10, "EAST", RECEIVED, False),
        ("PO1/3", "WG3", 10, "EAST", RECEIVED, True),
        (None, "WG4", 10, "EAST", RECEIVED, False),
    }


def test_what_was_put_away_is_told_beside_its_receipt(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select order_line_id, quantity::integer, recorded_to from core.order_events "
        "where milestone = 'put_away'"
    ) == [("PO1/1", 10, FIRST + timedelta(minutes=5, milliseconds=500))]
    states = dict(warehouse.rows("select order_line_id, current_state from marts.order_lifecycle"))
    assert (states["PO1/1"], states["PO1/2"]) == ("put_away", "received")


def test_what_came_and_was_not_announced_in_full_is_found(warehouse: Warehouse) -> None:
    """Not what was announced, nor what the supplier was never sent an order for."""
    judged = warehouse.exceptions("open", "closed", "pending")
    assert {thing for rule, thing in judged if rule == "P03"} == {"PO1/2"}
    assert ("P03", "PO1/2") in warehouse.exceptions("open")


def test_parties_are_known_before_they_trade(warehouse: Warehouse) -> None:
    told = warehouse.rows(
        "select party_id, party_type, method, first_recorded_at from core.dim_parties "
        "where system = 'wms'"
    )
    assert set(told) == {
        ("ACME", "vendor", "same_code", ORDERED),
        ("C001", None, "same_code", ORDERED),
    }


def test_a_warehouse_that_no_seed_knows_is_work(warehouse: Warehouse) -> None:
    """And no other place is."""
    work = warehouse.rows(
        "select field, source_value from marts.unmapped_codes where entity = 'locations'"
    )
    assert work == [("code", "NORTH")]
    places = warehouse.rows(
        "select place_id, location_type, location_id from staging.stg_tryton__locations"
    )
    assert set(places) == {
        ("1", "warehouse", "EAST"),
        ("2", "warehouse", None),
        ("3", "storage", None),
    }


def test_a_count_is_told_beside_the_ledger_and_moves_nothing(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select count_number, sku, location_id, expected_quantity::integer, "
        "counted_quantity::integer, posted_at from staging.stg_tryton__count_lines"
    ) == [("WC1", "BOLT", "EAST", 10, 9, RECEIVED)]
    assert warehouse.rows("select count(*) from core.inventory_movements") == [(0,)]
