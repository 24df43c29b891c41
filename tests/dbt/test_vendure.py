"""Recorded orders of a real Vendure in the canonical shapes, and the correction they lead to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from build import Warehouse
from scenario import Scenario

from connectors.documents import DocumentReader
from connectors.vendure.orders import fulfilment_documents, order_lines_document
from registry.contracts import contract_of

RECORDED = Path(__file__).parent.parent / "connectors" / "recorded" / "vendure_orders.json"
FIRST = datetime(2026, 11, 25, 20, 3, tzinfo=UTC)
SECOND = FIRST + timedelta(hours=6)
PART_DELIVERED, DELIVERED, CANCELLED, AUTHORISED = "1", "2", "3", "4"


def say_orders(scenario: Scenario, orders: list[dict[str, Any]]) -> None:
    documents = {
        "order_lines": [order_lines_document(o, 2, "externalReference") for o in orders],
        "fulfilment_lines": [d for o in orders for d in fulfilment_documents(o)],
    }
    for entity, told in documents.items():
        for record in DocumentReader(contract_of("vendure", entity)).records(told):
            scenario.say("oms", entity, **record.fields)


def say_level(scenario: Scenario, location: str, on_hand: int) -> None:
    scenario.say(
        "oms",
        "stock_levels",
        variant_id="1",
        sku="PART-1",
        stock_location_id=location,
        location=location,
        on_hand=on_hand,
        allocated=5,
        updated_at=FIRST,
    )


@pytest.fixture(scope="module")
def codes() -> dict[str, str]:
    orders = json.loads(RECORDED.read_text(encoding="utf-8"))
    return {order["id"]: order["code"] for order in orders}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    """Between the first two passes a fulfilment is cancelled, a quantity is lowered, and the
    carrier delivers a package."""
    scenario = Scenario(
        {"oms": ("oms", "vendure", "UTC"), "carrier": ("carrier", "demo_carrier", "UTC")}
    )
    orders = json.loads(RECORDED.read_text(encoding="utf-8"))
    say_orders(scenario, orders)
    say_level(scenario, "EAST", 95)
    say_level(scenario, "NORTH", 1)
    scenario.say(
        "oms",
        "product_variants",
        variant_id="1",
        sku="PART-1",
        name="Part 1",
        is_enabled=True,
        price="10.01",
        currency="USD",
        created_at=FIRST,
        updated_at=FIRST,
    )
    scenario.say(
        "oms",
        "customers",
        customer_id="1",
        email="a@example.test",
        created_at=FIRST,
        updated_at=FIRST,
    )
    scenario.read(FIRST)
    fulfilments = orders[1]["fulfillments"]
    fulfilments[0]["state"] = "Cancelled"
    orders[1]["state"] = "Shipped"
    orders[3]["state"] = "OnHold"
    orders[0]["lines"][1]["quantity"] = 1
    say_orders(scenario, orders)
    scenario.say(
        "carrier",
        "tracking_events",
        seq=1,
        event_id="EV1",
        tracking_number="TRACK-2",
        code="DL",
        timestamp=FIRST + timedelta(hours=1),
        reported_at=FIRST + timedelta(hours=1),
        reference="any",
    )
    scenario.read(SECOND)
    # A correction waits until everybody has been read after its reason was seen.
    scenario.read(SECOND + timedelta(hours=1))
    built = Warehouse(tmp_path_factory.mktemp("vendure"), artefacts)
    scenario.write(built.path)
    return built.build()


def milestones(warehouse: Warehouse, order: str) -> set[tuple[Any, ...]]:
    return set(
        warehouse.rows(
            "select milestone, split_part(order_line_id, '/', 2)::integer, quantity::integer, "
            f"reversed_to is not null from core.order_events "
            f"where system = 'oms' and order_id = '{order}'"
        )
    )


def test_milestones_of_a_partly_delivered_order(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    assert milestones(warehouse, codes[PART_DELIVERED]) == {
        ("captured", 1, 5, False),
        ("captured", 2, 1, False),
        ("captured", 3, 1, False),
        ("accepted", 1, 5, False),
        ("accepted", 2, 1, False),
        ("accepted", 3, 1, False),
        ("cancelled", 3, 1, False),
        # One a fulfilment and line.
        ("shipped", 1, 3, False),
        ("shipped", 1, 2, False),
        ("shipped", 2, 2, False),
    }


def test_what_a_cancelled_fulfilment_takes_back(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    order = codes[DELIVERED]
    assert milestones(warehouse, order) == {
        ("captured", 1, 1, False),
        ("accepted", 1, 1, False),
        ("shipped", 1, 1, True),
        ("delivered", 1, 1, True),
    }
    taken_back = warehouse.rows(
        "select distinct reversed_from, reversed_to from core.order_events "
        f"where order_id = '{order}' and milestone in ('shipped', 'delivered')"
    )
    # Vendure does not say when: after the first pass (less what settles late) and by the second.
    assert len({after for after, _ in taken_back}) == 1
    for after, by in taken_back:
        assert FIRST - timedelta(seconds=5) < after <= FIRST
        assert SECOND <= by < SECOND + timedelta(seconds=1)


def test_an_order_that_is_not_paid_is_not_accepted(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    assert milestones(warehouse, codes[AUTHORISED]) == {("captured", 1, 2, False)}
    assert milestones(warehouse, codes[CANCELLED]) == {
        ("captured", 1, 2, False),
        ("accepted", 1, 2, False),
        ("cancelled", 1, 2, False),
    }


def test_events_carry_party_reference_and_records(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    (row,) = warehouse.rows(
        "select party_id, party_reference, item_id, own_document, line_record, unit_price, currency"
        " from core.order_events"
        f" where order_line_id = '{codes[PART_DELIVERED]}/1' and milestone = 'captured'"
    )
    assert [str(value) for value in row] == [
        "a@example.test",
        "PO-1",
        "PART-1",
        "1",
        "1",
        "10.010000",
        "USD",
    ]


def test_a_lowered_quantity_is_a_version_between_the_passes(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    versions = warehouse.rows(
        "select value::integer, valid_from_earliest, valid_from_latest from core.attribute_versions"
        f" where object_id = '{codes[PART_DELIVERED]}/2' and field = 'quantity' order by 3"
    )
    assert [value for value, _, _ in versions] == [2, 1]
    earliest, latest = versions[1][1:]
    assert FIRST - timedelta(seconds=5) < earliest <= FIRST
    assert SECOND <= latest < SECOND + timedelta(seconds=1)


def test_items_parties_positions_and_unknown_codes(warehouse: Warehouse) -> None:
    items = "select item_id, source_item, list_price::varchar, currency from core.dim_items"
    assert warehouse.rows(items) == [("PART-1", "PART-1", "10.010000", "USD")]
    assert warehouse.rows("select party_id from core.dim_parties") == [("a@example.test",)]
    positions = warehouse.rows(
        "select location_id, state, quantity::integer from core.inventory_positions order by all"
    )
    assert positions == [
        ("EAST", "allocated", 5),
        ("EAST", "on_hand", 95),
        (None, "allocated", 5),
        (None, "on_hand", 1),
    ]
    unknown = "select entity, source_value from marts.unmapped_codes order by all"
    assert warehouse.rows(unknown) == [("order_lines", "OnHold"), ("stock_levels", "NORTH")]


def test_packages_lead_to_order_lines(warehouse: Warehouse, codes: dict[str, str]) -> None:
    links = warehouse.rows(
        "select object_key, order_line_id, quantity::integer, certainty from core.object_links"
        " where object_type = 'package' order by all"
    )
    order = codes[PART_DELIVERED]
    assert links == [
        ("TRACK-1", f"{order}/1", 3, "certain"),
        ("TRACK-2", f"{order}/1", 2, "certain"),
        ("TRACK-2", f"{order}/2", 2, "certain"),
    ]


def test_a_delivery_that_vendure_does_not_know_is_to_be_told(
    warehouse: Warehouse, codes: dict[str, str]
) -> None:
    assert warehouse.exceptions() == {
        ("S05", f"{codes[PART_DELIVERED]}/2"),
        # A state and a place of this shop that no seed knows.
        ("D03", "oms.order_lines.order_state=OnHold"),
        ("M01", "oms.stock_levels.location=NORTH"),
    }
    (proposal,) = warehouse.rows(
        "select kind, target_system, payload, preconditions"
        " from reconciliation.correction_proposals"
    )
    assert proposal[:2] == ("set_delivered", "oms")
    payload = json.loads(proposal[2])
    assert (payload["order_record"], payload["line_record"]) == ("1", "2")
    keys = [c["key"] for c in json.loads(proposal[3]) if c["system"] == "oms"]
    assert {"order_id": "1", "line_id": "2"} in keys
