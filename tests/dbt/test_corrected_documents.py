"""A warehouse that corrects what it shipped by EDI, beside an ERP that corrects its posting."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from build import Warehouse
from scenario import SYSTEMS, Scenario, ago, erp_local
from trade import ITEM, erp_movement, say_erp_item

ENVELOPE = {
    "partner": "den",
    "direction": "inbound",
    "interchange_id": "1",
    "group_control_number": "1",
    "set_control_number": "1",
    "base_factor": Decimal(1),
    "item": ITEM,
    "location": "EAST",
}


def test_balances_that_follow_the_corrections_agree(tmp_path: Path, artefacts: Path) -> None:
    scenario = Scenario({"erp": SYSTEMS["erp"], "den": ("wms", "x12", "UTC")})
    say_erp_item(scenario, "10-0001", ITEM, 12)
    _read(scenario, ago(days=3), 100)
    _shipped(scenario, 10, ago(days=2))
    erp_movement(scenario, 1, "601", -10, "SHP-1", ago(days=2))
    _read(scenario, ago(hours=40), 90)
    _read(scenario, ago(hours=36), 90)
    _shipped(scenario, 8, ago(days=1))
    erp_movement(scenario, 2, "602", 2, "SHP-1", ago(days=1))
    for hours in (3, 2, 1):
        _read(scenario, ago(hours=hours), 92)
    warehouse = Warehouse(tmp_path, artefacts)
    scenario.write(warehouse.path)
    warehouse.build()
    judged = warehouse.rows(
        "select rule_id, count(*), max(abs(residual_quantity)), max(abs(explained_quantity)) "
        "from reconciliation.balance_judgements where state = 'on_hand' group by all order by all"
    )
    assert [(rule, residual, explained) for rule, _, residual, explained in judged] == [
        ("I01", 0, 0),
        ("I05", 0, 0),
    ]
    assert all(count >= 3 for _, count, _, _ in judged)
    assert {rule for rule, _ in warehouse.exceptions("open", "closed")} & {"I01", "I05"} == set()


def _shipped(scenario: Scenario, quantity: int, written: datetime) -> None:
    scenario.say(
        "den",
        "shipment_lines",
        shipment_number="SHP-1",
        line_id="1",
        host_order="E1",
        host_line="10",
        status_code="F",
        quantity=Decimal(quantity),
        shipped_on=ago(days=2).date(),
        set_code="945",
        written_at=written.replace(tzinfo=None),
        position=written.timestamp(),
        **ENVELOPE,
    )


def _read(scenario: Scenario, at: datetime, on_hand: int) -> None:
    """Both show the balance, and all feeds are read."""
    scenario.say("erp", "stock", item_no="10-0001", whs="E1", qoh=on_hand, as_of=erp_local(at))
    scenario.say(
        "den",
        "inventory",
        quantity_qualifier="33",
        state="on_hand",
        quantity=Decimal(on_hand),
        as_of=at.replace(tzinfo=None),
        set_code="846",
        written_at=at.replace(tzinfo=None),
        position=at.timestamp(),
        **ENVELOPE,
    )
    scenario.read(at)
