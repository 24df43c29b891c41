"""The four dialects: paging without gaps or doubles, access, clocks, misbehaviour."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from sandbox_checker import WMS_FAST
from sandbox_reader import Reader, Row

from sandbox.clock import local_naive
from sandbox.distributor import Distributor
from sandbox.server import running_sandbox
from sandbox.settings import Settings

ITEMS = Settings().items


def named_by(reader: Reader, kinds: set[str], key: str) -> set[str]:
    """What faults and decoys of some kinds name under a key, those that concern several too."""
    keys = [row["entity_keys"] for row in reader.truth() if row["fault_type"] in kinds]
    return {one[key] for found in keys for one in (found, *found.get("others", ()))}


def new_items(reader: Reader) -> set[str]:
    """Items that came later than the others: the WMS then kept each of them twice."""
    return named_by(reader, {"M3"}, "sku")


def test_oms_cursor_paging(reader: Reader) -> None:
    rows = reader.oms_all("orders", limit=197)
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) >= 700
    assert [(row["updatedAt"], row["id"]) for row in rows] == sorted(
        (row["updatedAt"], row["id"]) for row in rows
    )
    middle = rows[350]["updatedAt"]
    later = reader.oms_all("orders", limit=197, updatedAfter=middle)
    assert [row["id"] for row in later] == [r["id"] for r in rows if r["updatedAt"] > middle]
    products = reader.oms_all("products", limit=7)
    assert len({row["sku"] for row in products}) == len(products)
    assert len(products) == ITEMS + len(new_items(reader))


def test_oms_point_reads(reader: Reader) -> None:
    row = reader.oms_all("orders")[5]
    (found,) = reader.oms.get("/v1/orders", params={"orderNumber": row["orderNumber"]}).json()[
        "orders"
    ]
    one = reader.oms.get(f"/v1/orders/{row['id']}")
    assert found == one.json() == row
    assert one.headers["etag"] == f'"v{row["version"]}"'
    assert reader.oms.get("/v1/orders/ord_1").status_code == 404
    assert reader.oms.get("/v1/orders", params={"cursor": "?"}).status_code == 400
    assert reader.oms.get("/v1/orders", params={"updatedAfter": "soon"}).status_code == 400


@pytest.mark.parametrize(
    ("entity", "identity"),
    [
        ("sales_orders", "doc_no"),
        ("fulfilments", "ful_no"),
        ("invoices", "inv_no"),
        ("stock_movements", "mv_no"),
        ("items", "item_no"),
    ],
)
def test_erp_pages_by_number(reader: Reader, entity: str, identity: str) -> None:
    rows = reader.erp_all(entity, per_page=293)
    ids = [row[identity] for row in rows]
    assert len(ids) == len(set(ids))
    order = [(row["modified"], row[identity]) for row in rows]
    assert order == sorted(order)
    middle = rows[len(rows) // 2]["modified"]
    later = reader.erp_all(entity, per_page=293, modified_from=middle)
    assert later == [row for row in rows if row["modified"] >= middle]
    (one,) = reader.erp_all(entity, **{identity: str(ids[3])})
    assert one == rows[3]


def test_erp_stock_is_a_snapshot(reader: Reader) -> None:
    rows = reader.erp_all("stock", per_page=50)
    positions = {(row["item_no"], row["whs"]) for row in rows}
    assert len(positions) == len(rows) == 2 * (ITEMS + len(new_items(reader)))
    now = local_naive(time.time())
    assert all(abs(int(row["as_of"][14:16]) - int(now[14:16])) <= 1 for row in rows)
    found = reader.erp_all("stock", item_no=rows[0]["item_no"], whs=rows[0]["whs"])
    assert [row["qoh"] for row in found] == [rows[0]["qoh"]]
    assert reader.erp.get("/api/stock?colour=red").status_code == 400
    assert reader.erp.get("/api/unicorns").status_code == 404
    assert reader.erp.get("/api/items?modified_from=2026-11-01T00:00:00Z").status_code == 400


def test_erp_wall_clock_repeats_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr("sandbox.clock.now", lambda: end)
    # How much was posted in that hour is chance: a world in which it was in both runs of it.
    turns = (_turns_back(tmp_path / str(seed), seed) for seed in range(1, 9))
    assert next(count for count in turns if count) == 1


def _turns_back(home: Path, seed: int) -> int:
    """How often the wall clock went back while what was posted in the doubled hour was numbered."""
    distributor = Distributor(home, Settings(seed=seed, orders=3000, days=22, peak_days=0))
    texts = distributor.erp.movements.page_from("2026-11-01 01:00:00", 0, 200)[0]
    distributor.close()
    rows = [row for row in map(json.loads, texts) if row["posted"] < "2026-11-01 02:00:00"]
    rows.sort(key=lambda row: row["mv_no"])
    return sum(a["posted"] > b["posted"] for a, b in itertools.pairwise(rows))


@pytest.mark.parametrize("entity", ["orders", "shipments", "transactions", "items"])
def test_wms_feeds_by_offset(reader: Reader, entity: str) -> None:
    rows = reader.wms_feed(entity, limit=389)
    assert [row["Seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert reader.wms_feed(entity, offset=50, limit=389) == rows[50:]
    page = reader.wms.get(f"/feed/{entity}", params={"offset": len(rows)}).json()
    assert page == {"records": [], "next_offset": len(rows), "high_water": len(rows)}


def test_wms_feed_tells_every_version(reader: Reader) -> None:
    versions: dict[str, list[Row]] = {}
    for row in reader.wms_feed("orders"):
        versions.setdefault(row["OrderNbr"], []).append(row)
    told_again = set()
    for number, rows in versions.items():
        first: dict[int, Row] = {}
        for row in rows:
            told = {name: value for name, value in row.items() if name != "Seq"}
            if first.setdefault(row["Version"], told) is not told:
                # What comes again says what it said the first time.
                assert told == first[row["Version"]]
                told_again.add(number)
        assert list(first) == list(range(1, len(first) + 1))
        changes = [row["UpdatedMs"] for row in first.values()]
        assert changes == sorted(changes)
    for number in told_again:
        newest = max(row["Version"] for row in versions[number])
        assert reader.wms.get(f"/orders/{number}").json()["Version"] == newest
    assert told_again == named_by(reader, {"T5", "batch_resent"}, "wms_order")


def test_wms_inventory_and_point_reads(reader: Reader) -> None:
    rows = reader.wms_inventory(limit=31)
    positions = {(row["Sku"], row["Whse"]) for row in rows}
    assert len(positions) == len(rows) == 2 * (ITEMS + len(new_items(reader)))
    (one,) = reader.wms.get("/inventory", params={"sku": "A0003", "whse": "WEST"}).json()["records"]
    assert (one["Sku"], one["Whse"]) == ("A0003", "WEST")
    shipment = reader.wms_feed("shipments")[-1]
    assert reader.wms.get(f"/shipments/{shipment['ShipNbr']}").json() == shipment
    found = reader.wms.get("/transactions", params={"ref": shipment["ShipNbr"]}).json()["records"]
    assert len(found) == len(shipment["Lines"])
    order = reader.wms.get(f"/orders/{shipment['OrderNbr']}").json()
    by_host = reader.wms.get("/orders", params={"host_order": shipment["HostOrder"]}).json()
    assert by_host["records"] == [order]
    assert reader.wms.get("/items/A0001").json()["Sku"] == "A0001"
    assert reader.wms.get("/items/A9999").status_code == 404


def test_carrier_links(reader: Reader) -> None:
    rows = reader.scans(limit=401)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    told: dict[str, list[Row]] = {}
    for row in rows:
        scan = {name: value for name, value in row.items() if name != "seq"}
        told.setdefault(row["event-id"], []).append(scan)
    again = [scans for scans in told.values() if len(scans) > 1]
    # What comes again under its number says what it said the first time.
    assert all(scans == [scans[0]] * 2 for scans in again)
    resent = [scans[0]["tracking-number"] for scans in again]
    assert len(resent) == len(set(resent))
    assert set(resent) == named_by(reader, {"T2"}, "tracking")
    codes = {row["code"] for row in rows}
    unknown = {code for code in codes if code.startswith("Z")}
    assert {"OC", "PU", "DP", "AR", "OD", "DL", "EX"} == codes - unknown
    assert unknown
    tracking = rows[-1]["tracking-number"]
    one = reader.carrier.get(f"/track/v2/shipments/{tracking}").json()["events"]
    assert one == [row for row in rows if row["tracking-number"] == tracking]
    assert reader.carrier.get("/track/v2/shipments/TRK9").status_code == 404


def test_wrong_credentials_are_refused(reader: Reader) -> None:
    for client, path in (
        (reader.oms, "/v1/orders"),
        (reader.erp, "/api/items"),
        (reader.wms, "/inventory"),
        (reader.carrier, "/track/v2/events"),
    ):
        bare = httpx.get(f"{client.base_url}{path}", headers={"Authorization": "Bearer no"})
        assert bare.status_code == 401
        assert bare.headers["content-type"] == "application/problem+json"
        assert httpx.get(f"{client.base_url}/health").json()["status"] == "ok"
    token = reader.carrier.post("/oauth/token", auth=("tallyman", "wrong"))
    assert token.status_code == 401
    unsupported = reader.carrier.post(
        "/oauth/token", auth=("tallyman", "pretend-carrier-secret"), data={"grant_type": "password"}
    )
    assert unsupported.json() == {"error": "unsupported_grant_type"}


def test_every_system_tells_its_own_time(reader: Reader) -> None:
    for client, ahead in ((reader.oms, 0), (reader.erp, 0), (reader.wms, WMS_FAST)):
        date = parsedate_to_datetime(client.get("/health").headers["date"]).timestamp()
        assert abs(date - time.time() - ahead) < 2.0


def test_misbehaviour_happens_as_often_as_ordered(small: Reader) -> None:
    def page() -> httpx.Response:
        return small.erp.get("/api/sales_orders")

    small.settle()
    healthy = page().json()
    for mode, status in (("status_503", 503), ("status_429", 429), ("status_401", 401)):
        small.misbehave("erp", mode, 2)
        answers = [page() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert (answers[0].headers.get("retry-after") == "1") is (status == 429)
    small.misbehave("erp", "cut_page")
    with pytest.raises(ValueError):
        page().json()
    small.misbehave("erp", "silent")
    assert page().json() == {"data": [], "page": 1, "pages": 1, "total": 0}
    first = healthy["data"][0]
    broken = {
        "wrong_type": {**first, "row_version": "a dozen"},
        "missing_column": {name: value for name, value in first.items() if name != "cust_no"},
        "unknown_status": {**first, "stat": 77},
    }
    for mode, record in broken.items():
        small.misbehave("erp", mode)
        assert page().json()["data"] == [record, *healthy["data"][1:]]
    small.misbehave("erp", "duplicate_record", entity="invoices")
    assert page().json() == healthy
    small.misbehave("erp", "status_503", entity="invoices")
    assert page().json() == healthy
    assert small.erp.get("/api/invoices").status_code == 503
    small.misbehave("erp", "off")
    assert page().json() == healthy


def test_too_many_requests_are_put_off(tmp_path: Path) -> None:
    settings = Settings(orders=20, faults_per_kind=0, decoys_per_kind=0, requests_per_second=5)
    with running_sandbox(tmp_path, settings=settings) as handle:
        reader = Reader(handle)
        answers = [reader.oms.get("/v1/products?limit=1") for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200, 429}
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        reader.close()
