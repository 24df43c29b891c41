"""Paging while the source changes: every dialect's way to lose or repeat a record."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.base import SourceError
from connectors.demo_carrier.client import CarrierClient
from connectors.demo_carrier.source import CarrierSource
from connectors.demo_erp.client import ErpClient
from connectors.demo_erp.source import ErpSource
from connectors.demo_oms.client import OmsClient
from connectors.demo_oms.source import OmsSource
from connectors.demo_wms.client import WmsClient
from connectors.demo_wms.source import WmsSource
from registry.systems import System

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ENVIRONMENT = {"A": "a", "B": "b"}


def system(connector: str, page_size: int = 3, **more: Any) -> System:
    return System(
        name=connector,
        role="erp",
        connector=connector,
        base_url="http://source.example",
        page_size=page_size,
        requests_per_second=100_000,
        settle_seconds=60,
        secrets={
            "token": "A",
            "api_key": "A",
            "user": "A",
            "password": "B",
            "client_id": "A",
            "client_secret": "B",
        },
        **more,
    )


def seams(handler: Any) -> dict[str, Any]:
    return {
        "transport": httpx.MockTransport(handler),
        "now": lambda: NOW,
        "sleep": lambda _: None,
    }


class Erp:
    """Numbered pages over rows ordered by (modified, id); ``between`` runs before each request."""

    def __init__(self, rows: dict[int, str], between: Any = None) -> None:
        self.rows = rows
        self.between = between
        self.requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        assert self.requests < 500, "reading does not end"
        if self.between:
            self.between(self)
        asked = request.url.params
        start, size, number = (
            asked.get("modified_from", ""),
            int(asked["per_page"]),
            int(asked["page"]),
        )
        matching = sorted((m, n) for n, m in self.rows.items() if m >= start)
        part = matching[(number - 1) * size : number * size]
        data = [
            {
                "mv_no": n,
                "item_no": "10-0001",
                "whs": "E1",
                "mv_type": "101",
                "qty": "1.000",
                "posted": m,
                "modified": m,
            }
            for m, n in part
        ]
        pages = max(1, -(-len(matching) // size))
        content = {"data": data, "page": number, "pages": pages, "total": len(matching)}
        return httpx.Response(200, json=content)


def read_erp(
    erp: Erp, cursor: str | None = None, page_size: int = 3
) -> tuple[list[str], str | None]:
    configured = system("demo_erp", page_size, time_zone="America/New_York")
    source = ErpSource(configured, ErpClient(configured, ENVIRONMENT, **seams(erp)))
    pages = list(source.pages("stock_movements", cursor))
    return [record.record_id for page in pages for record in page.records], pages[-1].cursor


def minute(number: int) -> str:
    return f"{datetime(2026, 11, 20, 9, 0) + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}"


def test_erp_reads_every_row_once_when_nothing_changes():
    erp = Erp({number: minute(number) for number in range(20)})
    found, cursor = read_erp(erp)
    assert sorted(found, key=int) == [str(number) for number in range(20)]
    assert len(found) == len(set(found))
    assert cursor == minute(19)
    assert erp.requests <= 10  # each page begins with the last row of the one before


@pytest.mark.parametrize("ties", [1, 4, 10])
@pytest.mark.parametrize("seed", range(10))
def test_erp_rows_changed_while_paging_make_us_skip_none(seed, ties):
    chance = random.Random(seed)
    rows = {number: minute(number // ties) for number in range(40)}
    changed: set[int] = set()

    def change_one(erp: Erp) -> None:
        if len(changed) < 15:
            number = chance.choice(sorted(set(erp.rows) - changed))
            changed.add(number)
            erp.rows[number] = minute(100 + len(changed))

    found, cursor = read_erp(Erp(rows, change_one))
    assert {int(identity) for identity in found} == set(range(40))
    assert cursor == minute(115)


def test_erp_a_change_after_the_last_page_is_in_the_next_pass():
    erp = Erp({number: minute(number) for number in range(10)})
    _, cursor = read_erp(erp)
    erp.rows[4] = minute(9)  # same second as the last one seen
    found, _ = read_erp(erp, cursor)
    assert "4" in found


def test_erp_a_row_dated_2031_hides_nothing():
    erp = Erp({1: minute(1), 2: minute(2), 3: "2031-01-01 00:00:00"})
    found, cursor = read_erp(erp)
    assert sorted(found) == ["1", "2", "3"]
    assert cursor == minute(2)


def test_erp_rows_of_the_repeated_hour_are_read():
    erp = Erp({1: "2026-11-01 00:10:00", 2: "2026-11-01 01:50:00"})
    _, cursor = read_erp(erp)
    erp.rows[3] = "2026-11-01 01:05:00"  # an hour and a quarter after row 1: the clock went back
    found, _ = read_erp(erp, cursor)
    assert "3" in found


def test_erp_a_snapshot_that_changes_is_read_again_and_then_refused():
    sizes = iter([5, 6, 6, 6])
    total = [5]

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        total[0] = next(sizes, total[0])
        row = {"item_no": "10-0001", "whs": "E1", "qoh": "1.000", "as_of": minute(0)}
        count = min(3, total[0] - (number - 1) * 3)
        content = {"data": [row] * count, "page": number, "pages": 2, "total": total[0]}
        return httpx.Response(200, json=content)

    configured = system("demo_erp")
    source = ErpSource(configured, ErpClient(configured, ENVIRONMENT, **seams(answer)))
    [page] = source.pages("stock", None)
    assert len(page.records) == 6

    def unstable(request: httpx.Request) -> httpx.Response:
        total[0] += 1
        return answer(request)

    source = ErpSource(configured, ErpClient(configured, ENVIRONMENT, **seams(unstable)))
    with pytest.raises(SourceError, match="partial snapshot proves nothing") as raised:
        list(source.pages("stock", None))
    assert raised.value.kind == "unstable_pages"


def test_erp_an_announced_page_that_is_empty_is_no_quiet_day():
    content = {"data": [], "page": 1, "pages": 4, "total": 12}
    with pytest.raises(SourceError, match="announces 12 stock_movements and sends none"):
        read_erp(lambda request: httpx.Response(200, json=content))  # type: ignore[arg-type]


class Feed:
    """A WMS feed of items; ``gap`` makes positions and records disagree."""

    def __init__(self, ages: list[float], gap: int = 0) -> None:
        self.ages = ages
        self.gap = gap
        self.offsets: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        self.offsets.append(offset)
        records = [
            {
                "Sku": f"A{number}",
                "Gtin": "1" * 14,
                "CasePack": 1,
                "Version": 1,
                "UpdatedMs": int((NOW.timestamp() - age) * 1000),
                "Seq": number + 1,
            }
            for number, age in enumerate(self.ages)
        ][offset : offset + limit]
        end = offset + len(records)
        content = {"records": records, "next_offset": end, "high_water": len(self.ages) + self.gap}
        return httpx.Response(200, json=content)


def read_feed(feed: Feed, cursor: str | None = None) -> tuple[list[str], str | None]:
    configured = system("demo_wms")
    source = WmsSource(configured, WmsClient(configured, ENVIRONMENT, **seams(feed)))
    pages = list(source.pages("items", cursor))
    return [record.record_id for page in pages for record in page.records], pages[-1].cursor


def test_wms_goes_on_after_what_is_settled():
    feed = Feed([900, 800, 700, 600, 50, 40, 30])
    found, cursor = read_feed(feed)
    assert found == [f"A{number}" for number in range(7)]
    assert cursor == "4"
    assert read_feed(feed, cursor)[0] == ["A4", "A5", "A6"]


def test_wms_records_that_come_while_reading_wait_for_the_next_pass():
    feed = Feed([900] * 7)
    busy = iter(range(1000))

    def answer(request: httpx.Request) -> httpx.Response:
        next(busy)
        feed.ages += [0.0] * 5
        return feed(request)

    configured = system("demo_wms")
    source = WmsSource(configured, WmsClient(configured, ENVIRONMENT, **seams(answer)))
    found = [record for page in source.pages("items", None) for record in page.records]
    assert 12 <= len(found) <= 14


def test_wms_an_announced_record_that_does_not_come_is_an_error():
    with pytest.raises(SourceError, match="does not move on"):
        read_feed(Feed([900, 800], gap=3))


def test_wms_an_empty_feed_is_complete_and_keeps_its_cursor():
    assert read_feed(Feed([]), "0") == ([], "0")


def oms_order(number: int, updated: str) -> dict[str, Any]:
    return {
        "id": f"ord_{number}",
        "orderNumber": f"SO-{number}",
        "updatedAt": updated,
        "lines": [{"lineNo": 1}, {"lineNo": 2}],
    }


def test_oms_cursor_overlaps_and_is_never_in_the_future():
    asked: list[str | None] = []
    pages = {
        None: {
            "orders": [oms_order(1, "2026-11-21T08:59:00.000Z")],
            "nextCursor": "c1",
        },
        "c1": {
            "orders": [
                oms_order(2, "2026-11-21T08:59:30.500Z"),
                oms_order(3, "2031-01-01T00:00:00.000Z"),
            ],
            "nextCursor": None,
        },
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("updatedAfter"))
        return httpx.Response(200, json=pages[request.url.params.get("cursor")])

    configured = system("demo_oms")
    source = OmsSource(configured, OmsClient(configured, ENVIRONMENT, **seams(answer)))
    read = list(source.pages("order_lines", None))
    assert [record.record_id for page in read for record in page.records] == [
        "ord_1/1",
        "ord_1/2",
        "ord_2/1",
        "ord_2/2",
        "ord_3/1",
        "ord_3/2",
    ]
    assert read[-1].cursor == "2026-11-21T08:59:30.500Z"
    list(source.pages("order_lines", read[-1].cursor))
    assert asked == [None, None, "2026-11-21T08:58:30.500Z", "2026-11-21T08:58:30.500Z"]


def test_oms_a_cursor_that_repeats_is_an_error_and_no_endless_loop():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"orders": [], "nextCursor": "c1"})

    configured = system("demo_oms")
    source = OmsSource(configured, OmsClient(configured, ENVIRONMENT, **seams(answer)))
    with pytest.raises(SourceError, match="repeats the cursor"):
        list(source.pages("order_lines", None))


def test_carrier_follows_links_and_stops_at_a_circle():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 300})
        since = int(request.url.params["since-seq"])
        events = [
            {
                "seq": since + n,
                "event-id": f"EV{since + n}",
                "tracking-number": "TRK1",
                "code": "PU",
                "timestamp": "2026-11-20T10:00:00-05:00",
                "reported-at": "2026-11-20T10:00:00-05:00",
            }
            for n in (1, 2)
        ]
        headers = {}
        if since < 4 or answer.circle:  # type: ignore[attr-defined]
            following = 0 if answer.circle else since + 2  # type: ignore[attr-defined]
            link = f"/track/v2/events?since-seq={following}&limit=2"
            headers = {"Link": f'<{link}>; rel="next"'}
        return httpx.Response(200, content=json.dumps({"events": events}), headers=headers)

    configured = system("demo_carrier")
    source = CarrierSource(configured, CarrierClient(configured, ENVIRONMENT, **seams(answer)))
    answer.circle = False  # type: ignore[attr-defined]
    pages = list(source.pages("tracking_events", None))
    assert [record.record_id for page in pages for record in page.records] == [
        f"EV{number}" for number in range(1, 7)
    ]
    assert pages[-1].cursor == "6"
    assert pages[0].records[0].reference == "TRK1"
    answer.circle = True  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="circle"):
        list(source.pages("tracking_events", None))
