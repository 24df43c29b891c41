"""Scale mode: how much is written, that it is whole, the same each time, and can be read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from connectors.demo_carrier.source import make_source as carrier_source
from connectors.demo_erp.source import make_source as erp_source
from connectors.demo_oms.source import make_source as oms_source
from connectors.demo_wms.source import make_source as wms_source
from connectors.files.source import FilesSource
from orchestration.cli import app
from registry.settings import load_settings
from registry.systems import System, load_registry
from sandbox import clock
from sandbox.carrier import issue_token
from sandbox.clock import local_naive
from sandbox.errors import SandboxError
from sandbox.scale.draw import NEVER
from sandbox.scale.feed_files import HOME
from sandbox.scale.plan import DAY_MS, HOUR_MS, ScalePlan
from sandbox.scale.serve import ScaleApp, running_scale
from sandbox.scale.text import local, local_with_offset
from sandbox.scale.write import write_scale
from sandbox.settings import WMS_CLOCK_FAST_SECONDS, Credentials

PLAN = ScalePlan(30_000, items=300, block_orders=900)
GIVEN = Credentials()
BASIC = base64.b64encode(f"{GIVEN.wms_user}:{GIVEN.wms_password}".encode()).decode()

Row = dict[str, Any]


class Data:
    """What a folder holds, read as plain files."""

    def __init__(self, folder: Path, manifest: Row) -> None:
        self.folder = folder
        self.manifest = manifest
        self.products = self._documents("oms/products")
        self.orders = self._documents("oms/orders")
        self.items = self._documents("wms/items")
        self.wms_orders = self._documents("wms/orders")
        self.shipments = self._documents("wms/shipments")
        self.sales_orders = self._documents("erp/sales_orders")
        self.fulfilments = self._documents("erp/fulfilments")
        self.invoices = self._documents("erp/invoices")
        self.scans = self._documents("carrier/events")
        parts = sorted((folder / "order_events").glob("*.parquet"))
        self.events: list[Row] = [row for part in parts for row in pq.read_table(part).to_pylist()]

    def _documents(self, entity: str) -> list[Row]:
        return [
            json.loads(line)
            for part in sorted((self.folder / entity).glob("*.ndjson"))
            for line in part.read_text().splitlines()
        ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("scale") / "out"
    return Data(folder, write_scale(PLAN, folder, workers=1))


@pytest.fixture(scope="module")
def served(data: Data) -> Iterator[str]:
    with running_scale(data.folder) as url:
        yield url


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


def new_york(moment: datetime) -> str:
    return local_naive(moment.timestamp())


def test_what_is_written_is_what_was_wanted_and_what_the_manifest_says(data: Data) -> None:
    counts = data.manifest["counts"]
    assert 30_000 <= len(data.events) <= 33_000
    assert counts["order_events"] == len(data.events)
    assert counts["oms.orders"] == len(data.orders) == PLAN.orders
    assert counts["wms.orders"] == len(data.wms_orders)
    assert counts["wms.shipments"] == len(data.shipments)
    assert counts["erp.sales_orders"] == len(data.sales_orders)
    assert counts["erp.fulfilments"] == counts["erp.invoices"] == len(data.shipments)
    assert counts["carrier.events"] == 6 * len(data.shipments)
    assert counts["oms.products"] == counts["erp.items"] == counts["wms.items"] == PLAN.items
    assert counts["order_lines"] == sum(len(order["lines"]) for order in data.orders)
    assert sum(data.manifest["states"].values()) == len(data.orders)
    # No block holds more than it may, so memory does not grow with the number of events.
    sizes = [
        len(part.read_text().splitlines()) for part in (data.folder / "oms/orders").glob("*.ndjson")
    ]
    assert len(sizes) == 3 and max(sizes) == 900


@pytest.mark.parametrize("events", [1, 500, 8_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_least_as_many_events_as_wanted(tmp_path: Path, events: int, seed: int) -> None:
    plan = ScalePlan(events, seed=seed, items=50)
    counts = write_scale(plan, tmp_path, workers=1)["counts"]
    assert events <= counts["order_events"] <= 1.25 * events + 100


def test_equal_plans_give_equal_bytes_and_other_seeds_others(data: Data, tmp_path: Path) -> None:
    write_scale(PLAN, tmp_path / "again", workers=2)
    assert digests(tmp_path / "again") == digests(data.folder)
    write_scale(replace(PLAN, seed=7), tmp_path / "other", workers=1)
    changed = digests(tmp_path / "other").items() - digests(data.folder).items()
    assert {name.split("/")[0] for name, _ in changed} >= {
        "oms",
        "erp",
        "wms",
        "carrier",
        "order_events",
    }


def test_states_are_shared_as_in_the_small_world(data: Data) -> None:
    ages = [
        (PLAN.until / 1000 - utc(order["updatedAt"]).timestamp()) * 1000 for order in data.orders
    ]
    older = [
        order["status"] for order, age in zip(data.orders, ages, strict=True) if age > 3 * DAY_MS
    ]
    assert set(older) == {"DELIVERED", "CANCELLED"}
    assert 0.03 < older.count("CANCELLED") / len(older) < 0.07
    young = {
        order["status"] for order, age in zip(data.orders, ages, strict=True) if age < 2 * HOUR_MS
    }
    assert young == {"PLACED"}
    statuses = Counter(order["status"] for order in data.orders)
    assert set(statuses) == {"PLACED", "ACCEPTED", "DELIVERED", "CANCELLED"}
    assert statuses["DELIVERED"] / len(data.orders) > 0.9
    lines = Counter(len(order["lines"]) for order in data.orders)
    assert set(lines) == {1, 2, 3, 4, 5}
    assert lines[1] / len(data.orders) == pytest.approx(0.35, abs=0.04)
    cases = [line["Uom"] for order in data.wms_orders for line in order["Lines"]]
    assert 0.04 < cases.count("CS") / len(cases) < 0.12


def test_every_reference_leads_somewhere(data: Data) -> None:
    orders = {order["orderNumber"]: order for order in data.orders}
    assert len(orders) == len(data.orders) == len({order["id"] for order in data.orders})
    skus = {row["sku"]: row["gtin"] for row in data.products}
    stock = {row["Sku"]: row for row in data.items}
    assert set(skus.values()) == {row["Gtin"] for row in data.items}
    wms_orders = {row["OrderNbr"]: row for row in data.wms_orders}
    for order in data.wms_orders:
        sold = orders["SO-1" + order["HostOrder"][2:]]
        assert sold["acceptedAt"] is not None
        by_line = {line["lineNo"]: line for line in sold["lines"]}
        assert {line["HostLine"] // 10 for line in order["Lines"]} == set(by_line)
        for line in order["Lines"]:
            twin = by_line[line["HostLine"] // 10]
            item = stock[line["Sku"]]
            assert item["Gtin"] == skus[twin["sku"]]
            assert line["OrdQty"] * (item["CasePack"] if line["Uom"] == "CS" else 1) == twin["qty"]
        assert (order["Status"] == "SHIPPED") is (sold["status"] == "DELIVERED")
    for shipment in data.shipments:
        order = wms_orders[shipment["OrderNbr"]]
        assert order["HostOrder"] == shipment["HostOrder"]
        ordered = {line["HostLine"]: (line["OrdQty"], line["Uom"]) for line in order["Lines"]}
        sent = {line["HostLine"]: (line["Qty"], line["Uom"]) for line in shipment["Lines"]}
        assert sent == ordered
    booked = {row["doc_no"]: row for row in data.sales_orders}
    assert {order["HostOrder"] for order in data.wms_orders} <= booked.keys()
    for order in booked.values():
        sold = orders[order["ext_ref"]]
        assert order["cust_po"] == sold["customerPo"]
        assert "C" + order["cust_no"] == sold["customerRef"]
        assert (order["stat"] == 90) is (sold["status"] == "CANCELLED")
        assert (order["stat"] == 50) is (sold["status"] == "DELIVERED")
        assert [
            (line["ext_line"], line["item_no"][3:], line["ord_qty"], line["prc"])
            for line in order["lines"]
        ] == [
            (line["lineNo"], line["sku"][4:], f"{line['qty']}.000", line["unitPrice"] + "00")
            for line in sold["lines"]
        ]
        for line in order["lines"]:
            parts = ("open_qty", "bo_qty", "shp_qty", "can_qty")
            assert sum(Decimal(line[part]) for part in parts) == Decimal(line["ord_qty"])
    packed = {row["ShipNbr"]: row for row in data.shipments}
    billed = {row["ship_ref"]: row for row in data.invoices}
    assert packed.keys() == billed.keys() == {row["ship_ref"] for row in data.fulfilments}
    for posted in data.fulfilments:
        order, bill = booked[posted["doc_no"]], billed[posted["ship_ref"]]
        assert packed[posted["ship_ref"]]["HostOrder"] == bill["doc_no"] == posted["doc_no"]
        quantities = [(line["pos"], line["ord_qty"]) for line in order["lines"]]
        assert [(line["pos"], line["qty"]) for line in posted["lines"]] == quantities
        assert [(line["pos"], line["qty"]) for line in bill["lines"]] == quantities
        worth = sum(Decimal(line["ord_qty"]) * Decimal(line["prc"]) for line in order["lines"])
        assert Decimal(bill["amt"]) == worth
    parcels = {row["TrackingNbr"]: row["ShipNbr"] for row in data.shipments}
    assert {row["tracking-number"]: row["reference"] for row in data.scans} == parcels
    assert {row["order_number"] for row in data.events} == set(orders)
    parcels = {row["document"] for row in data.events if row["kind"] == "shipped"}
    assert parcels == {row["ShipNbr"] for row in data.shipments}
    for order in data.orders:
        items = [line["sku"] for line in order["lines"]]
        assert len(set(items)) == len(items)


def test_events_and_documents_tell_the_same_story(data: Data) -> None:
    assert len({row["event_id"] for row in data.events}) == len(data.events)
    by_order: dict[str, dict[str, Row]] = {}
    until = datetime.fromtimestamp(PLAN.until / 1000, UTC)
    for row in data.events:
        name = row["scan_code"] or row["kind"]
        assert by_order.setdefault(row["order_number"], {}).setdefault(name, row) is row
        heard = [row[f"seen_{system}"] for system in ("oms", "erp", "wms", "carrier")]
        told = [moment for moment in heard if moment is not None]
        assert told and min(told) >= row["occurred_at"]
        assert max(told) <= until + timedelta(hours=1)
    shipped = {row["OrderNbr"][2:]: row for row in data.shipments}
    for order in data.orders:
        steps = by_order[order["orderNumber"]]
        assert steps["order_placed"]["seen_oms"] == utc(order["placedAt"])
        heard = [row["seen_oms"] for row in steps.values() if row["seen_oms"]]
        assert max(heard) == utc(order["updatedAt"]) and len(heard) == order["version"]
        assert ("order_accepted" in steps) is (order["acceptedAt"] is not None)
        assert ("lines_cancelled" in steps) is (order["status"] == "CANCELLED")
        if order["status"] == "DELIVERED":
            assert steps["DL"]["occurred_at"] == utc(order["lines"][0]["deliveredAt"])
            left = shipped[order["orderNumber"][4:]]["ShippedMs"] / 1000 - WMS_CLOCK_FAST_SECONDS
            assert steps["shipped"]["seen_wms"].timestamp() == pytest.approx(left, abs=0.001)
            course = ("order_placed", "order_accepted", "order_released", "order_picked")
            course += ("order_packed", "shipped", "PU", "DP", "AR", "OD", "DL")
            moments = [steps[name]["occurred_at"] for name in course]
            assert moments == sorted(moments)
            assert steps["invoiced"]["occurred_at"] > steps["shipped"]["occurred_at"]
    by_number = {order["ext_ref"]: order for order in data.sales_orders}
    posted = {row["doc_no"]: row["posted"] for row in data.fulfilments}
    billed = {row["doc_no"]: row["posted"] for row in data.invoices}
    for number, order in by_number.items():
        steps = by_order[number]
        heard = [row["seen_erp"] for row in steps.values() if row["seen_erp"]]
        assert order["modified"] == new_york(max(heard)) and order["row_version"] == len(heard)
        for name, told in (
            ("order_accepted", order["booked"]),
            ("order_released", order["released"]),
            ("lines_cancelled", order["cancelled"]),
            ("lines_cancelled", order["lines"][0]["cancelled"]),
            ("shipped", posted.get(order["doc_no"])),
            ("invoiced", billed.get(order["doc_no"])),
        ):
            assert told == (new_york(steps[name]["seen_erp"]) if name in steps else None)
    for scan in data.scans:
        step = by_order["SO-1" + scan["reference"][5:]][scan["code"]]
        assert utc(scan["timestamp"]) == step["occurred_at"].replace(microsecond=0)
        assert utc(scan["reported-at"]) == step["seen_carrier"].replace(microsecond=0)
        assert scan["timestamp"][:19] == new_york(step["occurred_at"]).replace(" ", "T")
        assert (scan["expected-delivery"] is None) is (scan["code"] != "OC")


def test_lists_and_feeds_are_in_the_order_in_which_they_are_read(data: Data) -> None:
    updated = [order["updatedAt"] for order in data.orders]
    assert updated == sorted(updated)
    for rows in (data.items, data.wms_orders, data.shipments):
        sequence = [row["Seq"] for row in rows]
        assert sequence == sorted(set(sequence))
    sequence = [scan["seq"] for scan in data.scans]
    assert sequence == sorted(set(sequence))


def system(folder: Path, name: str, url: str | None = None) -> System:
    """A system of the folder's own systems file, at another address and with small pages."""
    (found,) = [one for one in load_registry(folder / "systems.toml").systems if one.name == name]
    return found.model_copy(update={"base_url": url, "page_size": 700}) if url else found


def test_what_lies_in_parts_that_overlap_is_read_in_the_order_of_its_changes(
    data: Data, served: str
) -> None:
    """The ERP's changes of two days lie in several blocks: they must come as from one list."""
    written = [row["modified"] for row in data.sales_orders]
    assert written != sorted(written)
    headers = {"X-Api-Key": GIVEN.erp_api_key}
    with httpx.Client(base_url=served, headers=headers) as client:

        def read(limit: int, **given: str) -> list[Row]:
            rows, number = [], 1
            while True:
                asked = {"page": number, "per_page": limit, **given}
                page = client.get("/api/sales_orders", params=asked).json()
                assert page["page"] == number and page["pages"] == -(-page["total"] // limit)
                rows += page["data"]
                if number >= page["pages"]:
                    assert len(rows) == page["total"]
                    return rows
                number += 1

        rows = read(301)
        assert [row["modified"] for row in rows] == sorted(written)
        assert {row["doc_no"] for row in rows} == {row["doc_no"] for row in data.sales_orders}
        since = rows[1000]["modified"]
        later = read(1000, modified_from=since)
        assert later == [row for row in rows if row["modified"] >= since]
        assert client.get("/api/stock", params={"page": 1}).json()["total"] == 0
        for refused in (
            {"modified_from": "yesterday"},
            {"per_page": 0},
            {"per_page": 1001},
            {"page": "9" * 5000},
            {"doc_no": rows[0]["doc_no"]},
        ):
            assert client.get("/api/sales_orders", params=refused).status_code == 400


def test_clocks_in_new_york_are_shown_as_they_stand() -> None:
    moments = [datetime(2026, month, 15, 12, tzinfo=UTC).timestamp() for month in (1, 7)]
    columns = [round(moment * 1000) + 999 for moment in moments]
    assert local([*columns, NEVER]).to_pylist() == [*map(local_naive, moments), None]
    assert local_with_offset([*columns, NEVER]).to_pylist() == [
        "2026-01-15T07:00:00-05:00",
        "2026-07-15T08:00:00-04:00",
        None,
    ]


def test_the_files_connector_reads_all_events(data: Data) -> None:
    source = FilesSource(system(data.folder, "scale_files"))
    source.probe()
    assert source.entities == ("order_events",)
    records = [record for page in source.pages("order_events", None) for record in page.records]
    assert len({record.record_id for record in records}) == len(records) == len(data.events)
    first, row = records[0], data.events[0]
    assert first.reference == row["order_number"]
    assert first.fields["kind"] == "order_placed" and first.fields["scan_code"] is None
    assert utc(str(first.fields["occurred_at"])) == row["occurred_at"]


def test_the_products_own_connectors_read_what_is_served(data: Data, served: str) -> None:
    environment = load_settings(data.folder / HOME).environment
    oms = oms_source(system(data.folder, "scale_oms", served), environment)
    oms.probe()
    lines = [record for page in oms.pages("order_lines", None) for record in page.records]
    assert len(lines) == data.manifest["counts"]["order_lines"]
    assert len([record for page in oms.pages("products", None) for record in page.records]) == 300
    wms = wms_source(system(data.folder, "scale_wms", served), environment)
    wms.probe()
    pages = list(wms.pages("shipment_lines", None))
    sent = [record for page in pages for record in page.records]
    assert len({record.record_id for record in sent}) == len(sent)
    assert len(sent) == sum(len(row["Lines"]) for row in data.shipments)
    later = list(wms.pages("shipment_lines", pages[-1].cursor))
    assert [record for page in later for record in page.records] == []
    picked = [record for page in wms.pages("order_lines", None) for record in page.records]
    assert len(picked) == sum(len(row["Lines"]) for row in data.wms_orders)
    assert [page.records for page in wms.pages("transactions", None)] == [[]]
    assert [page.records for page in wms.pages("inventory", None)] == [[]]
    erp = erp_source(system(data.folder, "scale_erp", served), environment)
    erp.probe()
    for entity, rows in (
        ("sales_order_lines", data.sales_orders),
        ("fulfilment_lines", data.fulfilments),
        ("invoice_lines", data.invoices),
    ):
        pages = list(erp.pages(entity, None))
        read = {record.record_id for page in pages for record in page.records}
        assert len(read) == sum(len(row["lines"]) for row in rows)
        assert pages[-1].cursor == max(row["modified"] for row in rows)
    carrier = carrier_source(system(data.folder, "scale_carrier", served), environment)
    carrier.probe()
    pages = list(carrier.pages("tracking_events", None))
    assert len(pages) > 1
    scans = [record.record_id for page in pages for record in page.records]
    assert len(set(scans)) == len(scans) == len(data.scans)
    later = list(carrier.pages("tracking_events", pages[-1].cursor))
    assert [record for page in later for record in page.records] == []


def test_reading_goes_on_strictly_after_a_change(data: Data, served: str) -> None:
    with httpx.Client(
        base_url=served, headers={"Authorization": f"Bearer {GIVEN.oms_token}"}
    ) as client:
        for position in (0, 899, 900, 1500, len(data.orders) - 1):
            after = data.orders[position]["updatedAt"]
            later = [order for order in data.orders if order["updatedAt"] > after]
            page = client.get("/v1/orders", params={"updatedAfter": after, "limit": 10}).json()
            assert page["orders"][:3] == later[:3]
            assert (page["nextCursor"] is None) is (len(page["orders"]) == len(later))


@pytest.mark.parametrize(
    ("path", "access", "status"),
    [
        ("/health", "", 200),
        ("/v1/orders", "Bearer wrong", 401),
        ("/v1/orders", f"Basic {BASIC}", 401),
        ("/feed/orders", f"Bearer {GIVEN.oms_token}", 401),
        ("/feed/orders", f"Basic {BASIC}", 200),
        ("/feed/nothing", f"Basic {BASIC}", 404),
        ("/api/items", "", 401),
        ("/api/nothing", "", 404),
        ("/v1/orders?orderNumber=SO-100000001", f"Bearer {GIVEN.oms_token}", 400),
        ("/v1/orders?cursor=SW5maW5pdHk=", f"Bearer {GIVEN.oms_token}", 400),
        ("/feed/orders?offset=1&OrderNbr=W300000001", f"Basic {BASIC}", 400),
        ("/feed/orders?off%FFset=1", f"Basic {BASIC}", 400),
        ("/feed/orders", "Basic é", 401),
        ("/oauth/token", f"Basic {BASIC}", 405),
        ("/track/v2/events", "{token}", 401),
        ("/track/v2/events", "bearer {token}", 200),
        ("/track/v2/events", "Bearer 9999999999.wrong", 401),
        ("/track/v1/events", "", 404),
        ("/v1/../orders", f"Bearer {GIVEN.oms_token}", 404),
        ("/v1/orders?cursor=nonsense", f"Bearer {GIVEN.oms_token}", 400),
        ("/v1/orders?updatedAfter=yesterday", f"Bearer {GIVEN.oms_token}", 400),
        ("/v1/orders?limit=0", f"Bearer {GIVEN.oms_token}", 400),
        ("/v1/orders?limit=1001", f"Bearer {GIVEN.oms_token}", 400),
        ("/feed/orders?offset=-1", f"Basic {BASIC}", 400),
    ],
)
def test_access_and_questions_are_checked(served: str, path: str, access: str, status: int) -> None:
    access = access.replace("{token}", issue_token(GIVEN, clock.now()))
    answer = httpx.get(served + path, headers={"Authorization": access.encode("latin-1")})
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_scale_data_cannot_be_written_to(served: str) -> None:
    headers = {"Authorization": f"Basic {BASIC}"}
    assert httpx.post(f"{served}/feed/orders", headers=headers, json={}).status_code == 405


def test_the_carrier_grants_a_token_to_whom_it_knows(served: str) -> None:
    known = (GIVEN.carrier_client_id, GIVEN.carrier_client_secret)
    wanted = {"grant_type": "client_credentials"}
    place = f"{served}/oauth/token"
    assert httpx.post(place, auth=("somebody", "else"), data=wanted).status_code == 401
    assert httpx.post(place, auth=known, data={"grant_type": "password"}).status_code == 400
    token = httpx.post(place, auth=known, data=wanted).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{served}/track/v2/events", headers=headers).status_code == 200


def test_a_folder_in_use_or_incomplete_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("mine")
    with pytest.raises(SandboxError, match="is not empty"):
        write_scale(ScalePlan(10), tmp_path, workers=1)
    with pytest.raises(SandboxError, match="holds no complete scale data"):
        ScaleApp(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(SandboxError, match="of another version"):
        ScaleApp(tmp_path)


def test_the_command_writes_and_says_how_fast(tmp_path: Path) -> None:
    out = tmp_path / "data"
    done = CliRunner().invoke(
        app, ["sandbox", "scale", "--events", "2000", "--seed", "5", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    said = done.output.replace("\n", "")  # a narrow terminal breaks a long path in two
    assert "order events a second" in said and "systems.toml" in said
    assert json.loads((out / "manifest.json").read_text())["plan"]["seed"] == 5
    assert CliRunner().invoke(app, ["sandbox", "scale", "--out", str(out)]).exit_code == 2
