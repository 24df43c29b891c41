"""A Tryton warehouse and an EDI supplier: what was received, and whether it was announced."""

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


def test_what_came_and_was_not_announced_in_full_is_found(warehouse: Warehouse) -> None:
    """Not what was announced, nor what the supplier was never sent an order for."""
    judged = warehouse.exceptions("open", "closed", "pending")
    assert {thing for rule, thing in judged if rule == "P03"} == {"PO1/2"}
    assert ("P03", "PO1/2") in warehouse.exceptions("open")
