"""Feeds that go wrong for a while, records that are told otherwise, targets that do not obey: each
is a part of the world, so it is there again after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_reader import Reader, Row

from sandbox import clock
from sandbox.server import running_sandbox
from sandbox.settings import Settings

HEALTHY = Settings(
    orders=80,
    faults_per_kind=0,
    decoys_per_kind=0,
    live_after_seconds=0.0,
    live_spread_seconds=0.1,
    hang_seconds=0.3,
    # Every document is asked for, one after the other.
    requests_per_second=100_000.0,
)


class World:
    """A world that can be left and entered again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.open()

    def open(self) -> None:
        self._running = running_sandbox(self.home, settings=HEALTHY)
        self.reader = Reader(self._running.__enter__())

    def close(self) -> None:
        self.reader.close()
        self._running.__exit__(None, None, None)

    def restart(self) -> Reader:
        self.close()
        self.open()
        return self.reader


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with clock.skips_forgotten():
        opened = World(tmp_path / "home")
        yield opened
        opened.close()


def written(world: World) -> list[Row]:
    """The expected correction's writes that the ledger holds."""
    return [row for row in world.reader.effects() if row["idempotency_key"]]


def bill(reader: Reader, row: Row, key: str) -> httpx.Response:
    """Send the invoice that a truth row expects, or that it expects to be tried."""
    correction = row["expected_attempt"] or row["expected_correction"]
    payload = correction["payload"]
    lines = [{"pos": int(one["line_record"]), "qty": one["quantity"]} for one in payload["lines"]]
    body = {"doc_no": payload["order_record"], "ship_ref": payload["document"], "lines": lines}
    return reader.erp.post("/api/invoices", json=body, headers={"Idempotency-Key": key})


def reprice(reader: Reader, row: Row, key: str) -> httpx.Response:
    """Send the price that a truth row expects, with the version that is read right before."""
    payload = (row["expected_attempt"] or row["expected_correction"])["payload"]
    path = f"/v1/orders/{payload['order_record']}"
    tag = reader.oms.get(path).headers["ETag"]
    return reader.oms.patch(
        f"{path}/lines/{payload['line_record']}",
        json={"unitPrice": payload["unit_price"]},
        headers={"Idempotency-Key": key, "If-Match": tag},
    )


def has_new_field(reader: Reader) -> bool:
    return all("new_version" in row for row in reader.oms_all("products"))


def has_no_quantity(reader: Reader) -> bool:
    return all("OnHand" not in row for row in reader.wms_inventory())


def breaks_off(reader: Reader) -> bool:
    try:
        reader.wms.get("/feed/items").json()
    except json.JSONDecodeError:
        return True
    return False


def tells_no_stock(reader: Reader) -> bool:
    return reader.erp_all("stock") == []


def is_away(reader: Reader) -> bool:
    return reader.carrier.get("/track/v2/events").status_code == 503


def has_no_shipments(reader: Reader) -> bool:
    return reader.wms.get("/feed/shipments").status_code == 503


def tells_days_only(reader: Reader) -> bool:
    orders = reader.oms_all("orders")
    times = {order["placedAt"][11:] for order in orders}
    assert any(order["updatedAt"][11:] != "00:00:00.000Z" for order in orders)
    return times == {"00:00:00.000Z"}


def comes_backwards(reader: Reader) -> bool:
    page = reader.erp.get("/api/invoices").json()["data"]
    times = [row["modified"] for row in page]
    return times != sorted(times) and times == sorted(times, reverse=True)


def is_fast(reader: Reader) -> bool:
    told = httpx.Headers(reader.carrier.get("/track/v2/events?limit=1").headers)["date"]
    return abs(parsedate_to_datetime(told).timestamp() - clock.now() - 25 * 60) < 5


def is_slow(reader: Reader) -> bool:
    told = httpx.Headers(reader.carrier.get("/track/v2/events?limit=1").headers)["date"]
    return abs(parsedate_to_datetime(told).timestamp() - clock.now() + 25 * 60) < 5


def is_in_windows_letters(reader: Reader) -> bool:
    answer = reader.erp.get("/api/items?per_page=1000")
    assert answer.headers["content-type"] == "application/json"
    return b"K\xfchlmittel" in answer.content


def has_mark(reader: Reader) -> bool:
    return reader.erp.get("/api/items").content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("kind", "goes_wrong"),
    [
        ("S1", has_new_field),
        ("S2", has_no_quantity),
        ("S8", has_mark),
        ("T7", breaks_off),
        ("T9", tells_no_stock),
        ("T10", has_no_shipments),
        ("short_outage", is_away),
        ("C3", tells_days_only),
        ("T12", comes_backwards),
        ("C1", is_fast),
        ("C1S", is_slow),
        ("S8L", is_in_windows_letters),
    ],
)
def test_a_whole_feed_goes_wrong_for_a_while(
    world: World, kind: str, goes_wrong: Callable[[Reader], bool]
) -> None:
    assert not goes_wrong(world.reader)
    (row,) = world.reader.inject(kind)
    assert row["detectable"] is not row["decoy"]
    assert goes_wrong(world.reader)
    # Without the carrier there is no token to read anything with.
    assert kind == "short_outage" or goes_wrong(world.restart())
    clock.skip(3.1 * clock.HOUR)
    assert not goes_wrong(world.reader)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("S3", lambda reader, keys: reader.wms.get(f"/items/{keys['sku']}").json()["WeightGrams"]),
        ("S6", lambda reader, keys: product(reader, keys["sku"])["listPrice"]),
        ("S7", lambda reader, keys: reader.erp_all("invoices", inv_no=keys["invoice"])[0]["amt"]),
        ("M4", lambda reader, keys: reader.wms.get(f"/orders/{keys['wms_order']}").json()["Whse"]),
    ],
)
def test_one_record_is_told_otherwise(
    world: World, kind: str, told: Callable[[Reader, Row], Any]
) -> None:
    (row,) = world.reader.inject(kind)
    (system,) = row["systems"]
    assert told(world.reader, row["entity_keys"]) == row["truth"][system]
    assert told(world.restart(), row["entity_keys"]) == row["truth"][system]


def product(reader: Reader, sku: str) -> Row:
    return next(row for row in reader.oms_all("products") if row["sku"] == sku)


def test_an_order_without_its_lines(world: World) -> None:
    (row,) = world.reader.inject("S10")
    (order,) = world.reader.oms_all("orders", orderNumber=row["entity_keys"]["order_number"])
    assert order["lines"] == []


def test_a_feed_skips_a_document_and_tells_it_later(world: World) -> None:
    (row,) = world.reader.inject("T8")
    number = row["entity_keys"]["shipment"]

    def in_the_feed() -> bool:
        return any(found["ShipNbr"] == number for found in world.reader.wms_feed("shipments"))

    assert not in_the_feed()
    assert world.reader.wms.get(f"/shipments/{number}").status_code == 200
    world.restart()
    assert not in_the_feed()
    clock.skip(21 * clock.MINUTE)
    assert in_the_feed()


def test_old_versions_come_again_and_change_nothing(world: World) -> None:
    for kind, entity in (
        ("T5", "orders"),
        ("batch_resent", "orders"),
        ("batch_resent", "shipments"),
    ):
        before = world.reader.wms_feed(entity)
        world.reader.inject(kind)
        told = world.reader.wms_feed(entity)[len(before) :]
        key = {"orders": "OrderNbr", "shipments": "ShipNbr"}[entity]
        versions = [(row[key], row["Version"]) for row in told]
        assert len(versions) > len(set(versions))
        for number, _ in versions:
            newest = max(version for found, version in versions if found == number)
            now = world.reader.wms.get(f"/{entity}/{number}").json()
            assert now["Version"] == newest
            if entity == "orders":
                assert now["Status"] == "SHIPPED"
    wanted = current_orders(world.reader)
    assert current_orders(world.restart()) == wanted


def current_orders(reader: Reader) -> dict[str, Row]:
    """Every warehouse order as the WMS has it now, by its number."""
    numbers = {row["OrderNbr"] for row in reader.wms_feed("orders")}
    return {
        number: reader.wms.get(f"/orders/{number}").raise_for_status().json() for number in numbers
    }


def test_a_target_that_refuses(world: World) -> None:
    (row,) = world.reader.inject("X1")
    assert row["expected_correction"] is None and row["expected_states"] == ["refused"]
    assert bill(world.reader, row, "one").status_code == 422
    assert bill(world.restart(), row, "two").status_code == 422
    assert written(world) == []


def test_what_a_target_did_is_known_once_a_write_met_it(world: World) -> None:
    (row,) = world.reader.inject("X8")
    (behaviour,) = row["expected_behaviours"]
    assert behaviour["mode"] == "comes_first"
    assert world.reader.admin.get("/admin/behaviours").json() == {"met": []}
    bill(world.reader, row, "one")
    assert world.restart().admin.get("/admin/behaviours").json() == {"met": [behaviour["name"]]}


def test_the_documents_of_an_entity_are_told_whole(world: World) -> None:
    (row,) = world.reader.inject("X8")
    told = world.reader.admin.get("/admin/documents/erp/sales_orders").json()["documents"]
    (order,) = world.reader.erp_all("sales_orders", doc_no=row["entity_keys"]["doc_no"])
    assert order in told
    assert world.reader.admin.get("/admin/documents/erp/nothing").status_code == 404


def test_a_target_that_applies_it_and_never_answers(world: World) -> None:
    (row,) = world.reader.inject("T11")
    with pytest.raises(httpx.HTTPError):
        bill(world.reader, row, "one")
    assert len(written(world)) == 1
    again = bill(world.restart(), row, "one")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert len(written(world)) == 1


@pytest.mark.parametrize(("kind", "send", "status"), [("T11R", bill, 429), ("T11U", reprice, 503)])
def test_a_target_that_applies_it_and_says_that_it_did_not(
    world: World, kind: str, send: Callable[[Reader, Row, str], httpx.Response], status: int
) -> None:
    (row,) = world.reader.inject(kind)
    assert send(world.reader, row, "one").status_code == status
    assert len(written(world)) == 1
    # The denial is not kept: who sends again without a look, does it twice.
    assert send(world.restart(), row, "one").status_code != status


def test_a_target_that_says_yes_and_ignores_it(world: World) -> None:
    (row,) = world.reader.inject("X4")
    for key in ("one", "two"):
        reader = world.restart()
        answer = reprice(reader, row, key)
        assert answer.status_code == 200
        order = reader.oms.get(f"/v1/orders/{answer.json()['id']}").json()
        assert order["version"] < answer.json()["version"]
        assert row["truth"]["oms"] in [line["unitPrice"] for line in order["lines"]]
    assert written(world) == []


def test_a_user_who_edits_right_before(world: World) -> None:
    (row,) = world.reader.inject("X5")
    assert reprice(world.reader, row, "one").status_code == 412
    assert reprice(world.restart(), row, "two").status_code == 200
    assert len(written(world)) == 1


def test_a_target_that_bills_it_itself(world: World) -> None:
    (row,) = world.reader.inject("X8")
    assert bill(world.reader, row, "one").status_code == 422
    payload = row["expected_attempt"]["payload"]
    (invoice,) = world.restart().erp_all("invoices", ship_ref=payload["document"])
    assert invoice["origin"] is None
    assert written(world) == []


def test_a_target_that_posts_it_twice(world: World) -> None:
    (row,) = world.reader.inject("X3")
    payload = row["expected_correction"]["payload"]
    body = {
        "item_no": payload["target_item"],
        "whs": payload["target_location"],
        "mv_type": payload["movement_type"],
        "qty": payload["quantity"],
        "ref": payload["document"],
    }
    world.restart().erp.post("/api/stock_movements", json=body, headers={"Idempotency-Key": "one"})
    posted = world.reader.erp_all("stock_movements", ref=payload["document"])
    assert [movement["origin"] for movement in posted] == ["one", "one"]
    assert [effect["idempotency_key"] for effect in written(world)] == ["one", "one"]


def test_a_target_that_drops_a_field(world: World) -> None:
    (row,) = world.reader.inject("X2")
    record = row["expected_attempt"]["payload"]["order_record"]
    reader = world.restart()
    tag = reader.oms.get(f"/v1/orders/{record}").headers["ETag"]
    answer = reader.oms.patch(
        f"/v1/orders/{record}/lines/1",
        json={"deliveredAt": "2026-11-02T10:00:00Z"},
        headers={"If-Match": tag, "Idempotency-Key": "one"},
    )
    assert answer.status_code == 200
    (line,) = reader.oms.get(f"/v1/orders/{record}").json()["lines"]
    assert (line["status"], line["deliveredAt"]) == ("DELIVERED", None)
    assert len(written(world)) == 1


def test_a_target_that_is_away_for_a_while(world: World) -> None:
    (row,) = world.reader.inject("X9")
    assert [bill(world.reader, row, f"k{n}").status_code for n in range(3)] == [503] * 3
    reader = world.restart()
    assert [bill(reader, row, f"k{n}").status_code for n in range(3, 7)] == [503] * 3 + [201]
    assert len(written(world)) == 1
