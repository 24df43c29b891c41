"""Reading a real Vendure: nothing that happens to an order is missed, though its time stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.base import SourceError
from connectors.cursors import instant
from connectors.vendure.source import VendureSource, make_source
from connectors.vendure.watch import Watch
from ingestion.extract import StartingPoint, extract_system
from real.processes import free_port
from real.vendure.server import Access
from real.vendure.shop import Item, Order, Shop
from registry.settings import Settings
from registry.systems import System
from writeback.clock import SystemClock

pytestmark = pytest.mark.real

OF_ORDERS = ("order_lines", "order_history", "fulfilment_lines", "payments", "refunds")
# Longer than the uncertainty of a clock that is measured by headers in whole seconds: what is older
# is not read again for its updatedAt.
SETTLED_SECONDS = 2.5

Fields = dict[str, Any]


def fields_of(source: VendureSource, entity: str, cursor: str | None = None) -> list[Fields]:
    return [dict(r.fields) for page in source.pages(entity, cursor) for r in page.records]


def cursors_of(source: VendureSource) -> dict[str, str | None]:
    return {entity: [*source.pages(entity, None)][-1].cursor for entity in OF_ORDERS}


@dataclass
class Happening:
    """Something that happens to an order between two passes, and the record that must show it."""

    before: Callable[[Shop, Order], None]
    happens: Callable[[Shop, Order], None]
    entity: str
    shown: Callable[[Fields], bool]
    moves_updated_at: bool = False
    settled: bool = True
    sees: list[Fields] = field(default_factory=list)
    order: Order | None = None
    updated_at: tuple[str, str] = ("", "")


def nothing(_shop: Shop, _order: Order) -> None:
    pass


def fulfilled(shop: Shop, order: Order) -> None:
    shop.fulfil(order.id, f"TRACK-{order.code}")


def shipped(shop: Shop, order: Order) -> None:
    fulfilled(shop, order)
    ship(shop, order)


def delivered(shop: Shop, order: Order) -> None:
    shipped(shop, order)
    deliver(shop, order)


def ship(shop: Shop, order: Order) -> None:
    for fulfilment in shop.order(order.id).fulfilments:
        shop.move_fulfilment(fulfilment, "Shipped")


def deliver(shop: Shop, order: Order) -> None:
    for fulfilment in shop.order(order.id).fulfilments:
        shop.move_fulfilment(fulfilment, "Delivered")


def refund(shop: Shop, order: Order) -> None:
    shop.refund(order.id, 100, "damaged")


def refund_pending(shop: Shop, order: Order) -> None:
    shop.refund(order.id, 100, "damaged", settled=False)


def note(shop: Shop, order: Order) -> None:
    shop.add_note(order.id, "called the customer")


def is_note(fields: Fields) -> bool:
    return fields["note"] == "called the customer"


def happenings() -> dict[str, Happening]:
    return {
        "settled": Happening(
            nothing,
            lambda shop, order: shop.settle_payments(order.id),
            "order_lines",
            lambda fields: fields["settled_at"] is not None,
            settled=False,
        ),
        "payment settled": Happening(
            nothing,
            lambda shop, order: shop.settle_payments(order.id),
            "payments",
            lambda fields: fields["state"] == "Settled",
            settled=False,
        ),
        "fulfilment made": Happening(
            nothing, fulfilled, "fulfilment_lines", lambda fields: fields["state"] == "Pending"
        ),
        "shipped": Happening(
            fulfilled, ship, "fulfilment_lines", lambda fields: fields["shipped_at"] is not None
        ),
        "line shipped": Happening(
            fulfilled, ship, "order_lines", lambda fields: fields["shipped_at"] is not None
        ),
        "delivered": Happening(
            shipped, deliver, "order_lines", lambda fields: fields["delivered_at"] is not None
        ),
        "transition in the history": Happening(
            shipped, deliver, "order_history", lambda fields: fields["to_state"] == "Delivered"
        ),
        "note": Happening(nothing, note, "order_history", is_note),
        "refund": Happening(shipped, refund, "refunds", lambda fields: fields["total"] == "1.00"),
        "refund that is not paid": Happening(
            shipped, refund_pending, "refunds", lambda fields: fields["state"] == "Pending"
        ),
        "line cancelled": Happening(
            nothing,
            lambda shop, order: shop.cancel(order.id, {order.lines[0].id: 1}),
            "order_lines",
            lambda fields: fields["quantity"] == 1 and fields["placed_quantity"] == 2,
            moves_updated_at=True,
        ),
        "order cancelled": Happening(
            nothing,
            lambda shop, order: shop.cancel(order.id),
            "order_lines",
            lambda fields: fields["cancelled_at"] is not None,
            moves_updated_at=True,
        ),
        "reference": Happening(
            nothing,
            lambda shop, order: shop.set_reference(order.id, f"PO-{order.code}"),
            "order_lines",
            lambda fields: fields["reference"] == f"PO-{fields['order_code']}",
            moves_updated_at=True,
        ),
    }


HAPPENINGS = happenings()


@dataclass
class Closed:
    """A refund and a note on an order that was closed before the first pass."""

    order: Order
    without_look_back: list[Fields]
    with_look_back: list[Fields]
    notes: list[Fields]


@pytest.fixture(scope="module")
def two_passes(shop: Shop, source: Callable[..., VendureSource]) -> Closed:
    """All happenings between one pass and the next.

    The source has no look-back and no settle window, so that an order is read again for nothing
    but what the connector does about Vendure's standing ``updatedAt``.
    """
    for happening in HAPPENINGS.values():
        happening.order = shop.place_order(
            [("PART-1", 2), ("PART-2", 1)], "buyer@example.test", settled=happening.settled
        )
        happening.before(shop, happening.order)
    closed = shop.place_order([("PART-1", 1)], "buyer@example.test")
    delivered(shop, closed)
    time.sleep(SETTLED_SECONDS)
    shop.place_order([("PART-1", 1)], "later@example.test")
    time.sleep(SETTLED_SECONDS)
    strict = source(look_back_days=0)
    cursors = cursors_of(strict)
    for happening in HAPPENINGS.values():
        assert happening.order is not None
        before = shop.order(happening.order.id).updated_at
        happening.happens(shop, happening.order)
        happening.updated_at = before, shop.order(happening.order.id).updated_at
        reached = Watch.parse(cursors[happening.entity]).reached
        moved = instant(happening.updated_at[1])
        assert reached is not None and moved is not None
        # Seen for its updatedAt it would prove nothing.
        assert happening.moves_updated_at or moved < reached
    refund(shop, closed)
    note(shop, closed)
    told = {entity: fields_of(strict, entity, cursors[entity]) for entity in OF_ORDERS}
    for happening in HAPPENINGS.values():
        assert happening.order is not None
        happening.sees = [
            fields
            for fields in told[happening.entity]
            if fields["order_code"] == happening.order.code
        ]
    return Closed(
        closed,
        told["refunds"],
        fields_of(source(), "refunds", cursors["refunds"]),
        fields_of(source(), "order_history", cursors["order_history"]),
    )


@pytest.mark.parametrize("name", HAPPENINGS)
def test_what_happens_to_an_open_order_is_seen_by_the_next_pass(
    name: str, two_passes: Closed
) -> None:
    happening = HAPPENINGS[name]
    assert any(happening.shown(fields) for fields in happening.sees)


@pytest.mark.parametrize("name", HAPPENINGS)
def test_vendure_moves_updated_at_only_so_far(name: str, two_passes: Closed) -> None:
    """The reason for reading open orders again. When a new version of Vendure breaks this test, the
    connector can do with less."""
    before, after = HAPPENINGS[name].updated_at
    assert (before != after) == HAPPENINGS[name].moves_updated_at


def test_refunds_and_notes_on_closed_orders_are_seen_within_the_look_back(
    two_passes: Closed,
) -> None:
    code = two_passes.order.code
    assert code not in {fields["order_code"] for fields in two_passes.without_look_back}
    assert code in {fields["order_code"] for fields in two_passes.with_look_back}
    notes = [fields for fields in two_passes.notes if fields["order_code"] == code]
    assert any(is_note(fields) for fields in notes)


def test_small_pages_tell_the_same_as_large_ones(
    two_passes: Closed, source: Callable[..., VendureSource]
) -> None:
    for entity in ("product_variants", "customers", "fulfilment_lines", "stock_levels"):
        large = [r for page in source().pages(entity, None) for r in page.records]
        small = [r for page in source({"page_size": 4}).pages(entity, None) for r in page.records]
        assert [r.record_id for r in small] == [r.record_id for r in large]
        assert [r.fields for r in small] == [r.fields for r in large]


def test_everything_keeps_the_contracts(
    two_passes: Closed,
    system: Callable[..., System],
    source: Callable[..., VendureSource],
    tmp_path: Path,
) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "systems.toml", {})
    reading = source()
    cursors: dict[str, str | None] = dict.fromkeys(reading.entities)
    extracted = extract_system(
        system(), reading, settings, "run", SystemClock(), StartingPoint(cursors)
    )
    told = {r.entity: (r.complete, r.records > 0, r.quarantined) for r in extracted.entities}
    assert told == dict.fromkeys(reading.entities, (True, True, 0))
    assert {notice for r in extracted.entities for notice in r.notices} == set()


def test_movements_are_read_once(two_passes: Closed, source: Callable[..., VendureSource]) -> None:
    pages = [*source().pages("stock_movements", None)]
    movements = [dict(r.fields) for page in pages for r in page.records]
    assert {m["movement_type"] for m in movements} >= {"ADJUSTMENT", "ALLOCATION", "SALE"}
    assert fields_of(source(), "stock_movements", pages[-1].cursor) == []


def test_point_reads(two_passes: Closed, shop: Shop, source: Callable[..., VendureSource]) -> None:
    order = two_passes.order
    for key in ({"order_code": order.code}, {"order_id": order.id}):
        (line,) = source().read_one("order_lines", key)
        assert line.record_id == f"{order.id}/{order.lines[0].id}"
        assert line.fields["unit_price"] == "10.01"
        assert line.fields["delivered_at"] is not None
        assert source().read_one("refunds", key)[0].fields["order_code"] == order.code
    shop.set_stock("PART-6", "WEST", 17)
    levels = source().read_one("stock_levels", {"sku": "PART-6"})
    held = {level.fields["location"]: level.fields["on_hand"] for level in levels}
    assert held == {"EAST": 1000, "WEST": 17}
    assert source().read_one("order_lines", {"order_code": "NONE"}) == []
    assert source().read_one("order_lines", {"order_id": "999999"}) == []
    with pytest.raises(SourceError) as wrong:
        source().read_one("order_lines", {"sku": "PART-1"})
    assert wrong.value.kind == "unknown_key"


def test_a_price_that_moves_no_time_is_seen(
    shop: Shop, source: Callable[..., VendureSource]
) -> None:
    shop.set_price("PART-5", 4321)
    (variant,) = source().read_one("product_variants", {"sku": "PART-5"})
    assert variant.fields["price"] == "43.21"
    assert variant.fields in [
        r.fields for p in source().pages("product_variants", None) for r in p.records
    ]


def test_a_deleted_item_is_swept(shop: Shop, source: Callable[..., VendureSource]) -> None:
    shop.add_items([Item("DOOMED", "Doomed", 100)], {"EAST": 1})
    (doomed,) = source().read_one("product_variants", {"sku": "DOOMED"})
    order = shop.place_order([("DOOMED", 1)], "buyer@example.test")
    shop.delete_item("DOOMED")
    left = {key for keys in source().keys("product_variants") for key in keys}
    assert left and doomed.record_id not in left
    # An order keeps naming an item that is no longer sold.
    (line,) = source().read_one("order_lines", {"order_id": order.id})
    assert line.fields["sku"] == "DOOMED"


@pytest.mark.parametrize(
    ("entity", "readable"), [("product_variants", True), ("order_lines", False)]
)
def test_a_key_without_the_right_is_told_so(
    entity: str, readable: bool, shop: Shop, system: Callable[..., System]
) -> None:
    key = shop.create_limited_key(["ReadCatalog"])
    limited = make_source(system(), {"VENDURE_API_KEY": key})
    if readable:
        assert fields_of(limited, entity)
        return
    with pytest.raises(SourceError, match=r"lacks a permission") as refused:
        fields_of(limited, entity)
    assert refused.value.kind == "forbidden"


def test_credentials(shop: Shop, access: Access, system: Callable[..., System]) -> None:
    secrets = {"username": "USER", "password": "PASSWORD"}
    right = {"USER": access.user, "PASSWORD": access.password}
    session = make_source(system({"secrets": secrets}), right)
    session.probe()
    assert fields_of(session, "customers")
    with pytest.raises(SourceError) as refused:
        make_source(system({"secrets": secrets}), {**right, "PASSWORD": "wrong"}).probe()
    assert refused.value.kind == "unauthorised"
    with pytest.raises(SourceError) as refused:
        make_source(system(), {"VENDURE_API_KEY": "no such key"}).probe()
    assert refused.value.kind == "unauthorised"


def test_a_vendure_that_is_not_there(system: Callable[..., System]) -> None:
    nowhere = system({"base_url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(SourceError) as unreachable:
        make_source(nowhere, {"VENDURE_API_KEY": "any"}).probe()
    assert unreachable.value.kind == "unreachable"
