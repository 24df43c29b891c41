"""What is SAP's own: tokens, dates, decimals, entity tags, changesets, locks; against mock-sap.

What every connector keeps is in contract/.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faulty_proxy import Answer, CutBody, FaultyProxy
from mock_sap import ENVIRONMENT, MockSap, running_mock_sap

from connectors.base import CorrectionRequest, Result, SourceError
from connectors.factory import make_source, make_target
from connectors.sap_odata.client import SapClient, moment, text_literal, time_literal
from connectors.sap_odata.source import SapSource
from ingestion.extract import StartingPoint, extract_system
from registry.settings import Settings
from writeback.clock import SystemClock


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockSap]:
    with running_mock_sap(tmp_path_factory.mktemp("mock_sap")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(mock: MockSap) -> Iterator[None]:
    yield
    mock.clear_faults()


def quantity_change(mock: MockSap, **changes: str) -> CorrectionRequest:
    number = mock.order(quantity="5.000")["SalesOrder"]
    payload = {
        "order_record": number,
        "line_record": "000010",
        "quantity": "7",
        "old_quantity": "5",
    }
    return request("update_quantity", payload | changes)


def new_order(mock: MockSap, **changes: Any) -> CorrectionRequest:
    lines = [
        {"line_no": number, "target_item": "TG31", "quantity": "2", "uom": "EA", "unit_price": "3"}
        for number in (1, 2)
    ]
    payload = {
        "order_number": mock.reference(),
        "customer_ref": "1000006",
        "currency": "EUR",
        "lines": lines,
    }
    return request("create_order", payload | changes)


def request(kind: str, payload: dict[str, Any]) -> CorrectionRequest:
    key = f"tly-{uuid.uuid4().hex}"
    return CorrectionRequest(kind, "object", payload, {}, key, datetime.now(UTC))


def held(mock: MockSap, wanted: CorrectionRequest) -> str:
    number = wanted.payload["order_record"]
    item = mock.get(
        f"API_SALES_ORDER_SRV/A_SalesOrderItem(SalesOrder='{number}',SalesOrderItem='000010')"
    )
    return str(item["RequestedQuantity"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/Date(1754611200000)/", datetime(2025, 8, 8, tzinfo=UTC)),
        # The offset says in which zone it is shown; the number is UTC all the same.
        ("/Date(1754611200123+0120)/", datetime(2025, 8, 8, 0, 0, 0, 123000, UTC)),
        ("/Date(1754611200000-0300)/", datetime(2025, 8, 8, tzinfo=UTC)),
        ("/Date(-86400000)/", datetime(1969, 12, 31, tzinfo=UTC)),
        ("/Date(99999999999999999)/", None),
        ("2025-08-08", None),
        (None, None),
    ],
)
def test_dates_are_milliseconds_in_utc(text: Any, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_literals_are_quoted_and_typed_by_the_name_of_their_field() -> None:
    at = datetime(2026, 11, 25, 19, 0, 0, 5000, UTC)
    assert text_literal("O'Neil") == "'O''Neil'"
    assert time_literal("LastChangeDate", at) == "datetime'2026-11-25T19:00:00.005'"
    assert time_literal("LastChangeDateTime", at) == "datetimeoffset'2026-11-25T19:00:00.005Z'"


def test_everything_lands_typed(mock: MockSap, tmp_path: Path) -> None:
    mock.order()
    settings = Settings(tmp_path / "home", tmp_path / "systems.toml", {})
    system = mock.system()
    source = make_source(system, ENVIRONMENT)
    extracted = extract_system(system, source, settings, "run", SystemClock(), StartingPoint({}))
    reports = {report.entity: report for report in extracted.entities}
    assert all(report.complete and report.records for report in reports.values()), reports
    assert {report.quarantined for report in reports.values()} == {0}
    assert {report.notices for report in reports.values()} == {()}


def test_a_token_is_fetched_once_and_again_when_it_has_run_out(mock: MockSap) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    with FaultyProxy(mock.url) as proxy:
        target = make_target(mock.system(base_url=proxy.url), ENVIRONMENT)
        assert target is not None
        for _ in range(2):
            assert target.apply(quantity_change(mock)).result is Result.OK
        assert len([a for a in proxy.seen if a.headers.get("X-CSRF-Token") == "Fetch"]) == 1
        # The mock forgets all tokens, as a system does when the session ends.
        mock.fault(match=r"\$batch", scenario="csrf", count=1)
        wanted = quantity_change(mock)
        assert target.apply(wanted).result is Result.OK
        assert held(mock, wanted) == "7.000"
        assert len([a for a in proxy.seen if a.headers.get("X-CSRF-Token") == "Fetch"]) == 2


def test_a_token_that_is_never_good_enough_is_a_refusal_and_no_endless_loop(
    mock: MockSap,
) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    wanted = quantity_change(mock)
    mock.fault(match=r"\$batch", scenario="csrf")
    outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "forbidden")
    assert held(mock, wanted) == "5.000"


@pytest.mark.parametrize(
    ("scenario", "result", "code"),
    [
        ("lock", Result.RETRY, "locked"),
        ("busy", Result.RETRY, "unavailable"),
        ("forbidden", Result.REFUSED, "forbidden"),
        ("precondition", Result.REFUSED, "version_conflict"),
        ("auth", Result.REFUSED, "unauthorised"),
        ("error", Result.UNKNOWN, "http_500"),
    ],
)
@pytest.mark.parametrize("kind", ["create_order", "update_quantity"])
def test_the_mocks_own_failures(
    mock: MockSap, kind: str, scenario: str, result: Result, code: str
) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    wanted = new_order(mock) if kind == "create_order" else quantity_change(mock)
    mock.fault(method="POST", match="API_SALES_ORDER_SRV", scenario=scenario)
    outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (result, code), outcome
    mock.clear_faults()
    assert not target.read(wanted).applied
    assert target.apply(wanted).result is Result.OK


@pytest.mark.parametrize(
    ("code", "result", "judged"),
    [("ZZ/042", Result.RETRY, "locked"), ("ZZ/043", Result.REFUSED, "http_400")],
)
def test_a_lock_told_as_a_business_error_is_tried_again(
    mock: MockSap, code: str, result: Result, judged: str
) -> None:
    """A system may tell a lock by the number of a message in a 400, which the mock does not."""
    options = {**mock.system().options, "lock_messages": ["ZZ/042"]}
    body = {"error": {"code": code, "message": {"lang": "en", "value": "currently locked"}}}
    with FaultyProxy(mock.url) as proxy:
        target = make_target(mock.system(base_url=proxy.url, options=options), ENVIRONMENT)
        assert target is not None
        wanted = new_order(mock)
        answer = Answer(400, {}, json.dumps(body).encode())
        with proxy.fault(answer, lambda asked: asked.method == "POST"):
            outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (result, judged)
    assert "currently locked" in outcome.message


def test_a_business_error_is_told_in_saps_words(mock: MockSap) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    outcome = target.apply(new_order(mock, currency={"not": "a text"}))
    assert outcome.result is not Result.OK
    assert outcome.message


def test_a_change_of_the_order_in_between_stops_the_whole_changeset(mock: MockSap) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    wanted = quantity_change(mock)
    number = wanted.payload["order_record"]
    read_order = target._order_and_item  # type: ignore[attr-defined]

    def then_somebody_changes_it(asked: CorrectionRequest) -> Any:
        found = read_order(asked)
        mock.patch(f"API_SALES_ORDER_SRV/A_SalesOrder('{number}')", {"ShippingCondition": "02"})
        return found

    target._order_and_item = then_somebody_changes_it  # type: ignore[attr-defined]
    outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")
    assert held(mock, wanted) == "5.000"


def test_a_changed_quantity_is_read_after_the_cursor(mock: MockSap) -> None:
    """Writing an item alone moves no time of change: the header is written with it."""
    target, source = (
        make(mock.system(settle_seconds=0), ENVIRONMENT) for make in (make_target, make_source)
    )
    assert target is not None and source is not None
    wanted = quantity_change(mock)
    cursor = list(source.pages("sales_order_items", None))[-1].cursor
    assert target.apply(wanted).result is Result.OK
    record_id = f"{wanted.payload['order_record']}/000010"
    told = {
        record.record_id: record.fields["requested_quantity"]
        for page in source.pages("sales_order_items", cursor)
        for record in page.records
    }
    assert told[record_id] == "7.000"


def test_an_old_number_that_changed_last_is_read_once(mock: MockSap) -> None:
    source = make_source(mock.system(settle_seconds=0, page_size=1), ENVIRONMENT)
    cursor = list(source.pages("sales_order_items", None))[-1].cursor
    numbers = [mock.order()["SalesOrder"] for _ in range(3)]
    mock.patch(f"API_SALES_ORDER_SRV/A_SalesOrder('{numbers[0]}')", {"ShippingCondition": "02"})
    told = [
        record.fields["sales_order"]
        for page in source.pages("sales_order_items", cursor)
        for record in page.records
    ]
    assert told[-3:] == [numbers[1], numbers[2], numbers[0]]
    assert len(told) == len(set(told))


def test_a_batch_whose_answer_is_cut_is_unknown(mock: MockSap) -> None:
    with FaultyProxy(mock.url) as proxy:
        target = make_target(mock.system(base_url=proxy.url), ENVIRONMENT)
        assert target is not None
        wanted = quantity_change(mock)
        with proxy.fault(CutBody(), lambda asked: asked.method == "POST"):
            assert target.apply(wanted).result is Result.UNKNOWN
        assert target.read(wanted).applied


def test_a_batch_that_answers_for_too_few_is_unknown(mock: MockSap) -> None:
    with FaultyProxy(mock.url) as proxy:
        target = make_target(mock.system(base_url=proxy.url), ENVIRONMENT)
        assert target is not None
        wanted = quantity_change(mock)
        partial = (
            b"--a\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n--a--"
        )
        answer = Answer(202, {"Content-Type": "multipart/mixed; boundary=a"}, partial)
        with proxy.fault(answer, lambda asked: "$batch" in asked.path):
            outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, "bad_page")
    assert "1 of 2" in outcome.message


def test_a_created_order_numbers_its_items_by_line_and_carries_the_key(mock: MockSap) -> None:
    target = make_target(mock.system(), ENVIRONMENT)
    assert target is not None
    wanted = new_order(mock)
    outcome = target.apply(wanted)
    order = mock.get(
        f"API_SALES_ORDER_SRV/A_SalesOrder('{outcome.target_record_id}')",
        expand="to_Item,to_Text",
    )
    assert [item["SalesOrderItem"] for item in order["to_Item"]["results"]] == ["000010", "000020"]
    assert [item["RequestedQuantity"] for item in order["to_Item"]["results"]] == ["2.000"] * 2
    assert order["to_Text"]["results"][0]["LongText"] == wanted.idempotency_key
    assert target.apply(wanted).code == "already_applied"
    assert target.apply(new_order(mock, **wanted.payload)).code == "version_conflict"


def test_what_an_order_needs_and_the_systems_file_lacks_is_named(mock: MockSap) -> None:
    system = mock.system(options={})
    target = make_target(system, ENVIRONMENT)
    assert target is not None
    outcome = target.apply(new_order(mock))
    assert outcome.result is Result.REFUSED
    assert "options.sales_order_type" in outcome.message


def test_point_reads_answer_every_key(mock: MockSap) -> None:
    source = make_source(mock.system(), ENVIRONMENT)
    order = mock.order()
    delivery = mock.delivery(order["SalesOrder"])
    billing = mock.get("API_BILLING_DOCUMENT_SRV/A_BillingDocumentItem", top="1")["results"][0]
    purchase = mock.get("API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder", top="1")["results"][0]
    for entity, key in [
        ("products", {"product": "TG31"}),
        ("sales_order_items", {"sales_order": order["SalesOrder"]}),
        ("sales_order_items", {"customer_reference": order["PurchaseOrderByCustomer"]}),
        ("delivery_items", {"delivery": delivery["DeliveryDocument"]}),
        ("delivery_items", {"sales_order": order["SalesOrder"]}),
        ("billing_items", {"billing_document": billing["BillingDocument"]}),
        ("billing_items", {"sales_order": billing["SalesDocument"]}),
        ("purchase_order_items", {"purchase_order": purchase["PurchaseOrder"]}),
    ]:
        ((name, value),) = key.items()
        found = source.read_one(entity, key)
        assert {record.fields[name] for record in found} == {value}, (entity, key)
        assert source.read_one(entity, {name: "NOTHING"}) == [], (entity, key)


def test_a_sweep_that_shows_fewer_than_announced_is_refused(mock: MockSap) -> None:
    with FaultyProxy(mock.url) as proxy:
        source = make_source(mock.system(base_url=proxy.url), ENVIRONMENT)
        assert isinstance(source, SapSource)
        more = Answer(200, {"Content-Type": "text/plain"}, b"100000")
        with (
            proxy.fault(more, lambda asked: "$count" in asked.path),
            pytest.raises(SourceError, match="announces 100,000") as raised,
        ):
            list(source.keys("sales_order_items"))
    assert raised.value.kind == "unstable_pages"


class Paged:
    """A server that cuts pages itself, which the mock does not: two entities a page, ``__next``."""

    def __init__(self, circle: bool = False) -> None:
        self.circle = circle
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "eq null" in request.url.params.get("$filter", ""):
            return httpx.Response(200, json={"d": {"results": []}})
        self.asked.append(str(request.url))
        start = int(request.url.params.get("$skiptoken", "0"))
        rows = [
            {
                "Product": f"P{number}",
                "LastChangeDateTime": f"/Date({1754611200000 + number}+0000)/",
            }
            for number in range(start, min(start + 2, 5))
        ]
        content: dict[str, Any] = {"results": rows}
        if start + 2 < 5 or self.circle:
            following = 0 if self.circle else start + 2
            content["__next"] = f"http://sap.example/x?$skiptoken={following}"
        return httpx.Response(200, json={"d": content})


def paged_source(server: Any, **changes: Any) -> SapSource:
    system = MockSap("http://sap.example").system(**changes)
    return SapSource(system, SapClient(system, ENVIRONMENT, transport=httpx.MockTransport(server)))


def test_pages_that_the_server_cuts_are_followed() -> None:
    server = Paged()
    source = paged_source(server, options={"change_field": "LastChangeDateTime"})
    (page,) = source.pages("products", "2026-01-01T00:00:00.000Z")
    assert [record.record_id for record in page.records] == ["P0", "P1", "P2", "P3", "P4"]
    assert page.records[4].fields["changed_at"] == "2025-08-08T00:00:00.004Z"
    first = httpx.URL(server.asked[0]).params
    assert first["$filter"] == "LastChangeDateTime ge datetimeoffset'2025-12-31T23:59:00.000Z'"
    assert "LastChangeDateTime" in first["$select"].split(",")


def test_links_in_a_circle_are_an_error_and_no_endless_loop() -> None:
    with pytest.raises(SourceError, match="circle"):
        list(paged_source(Paged(circle=True)).pages("products", None))


class NeverChanged:
    """A server as S/4HANA is: no time of change until the first change. Asked for documents with
    one it has none; else it shows, one a page, those created since, as the filter says."""

    def __init__(self, *days: str) -> None:
        self.days = days

    def __call__(self, request: httpx.Request) -> httpx.Response:
        condition = request.url.params.get("$filter", "")
        rows: list[dict[str, Any]] = []
        if "LastChangeDate eq null" in condition:
            after = re.search(r"Product gt '(\w+)'", condition)
            since = re.search(r"CreationDate ge datetime'([\d-]+)", condition)
            rows = [
                {
                    "Product": f"P{number}",
                    "CreationDate": f"/Date({milliseconds(day)})/",
                    "LastChangeDate": None,
                }
                for number, day in enumerate(self.days)
                if (not after or f"P{number}" > after[1]) and (not since or day >= since[1])
            ]
        return httpx.Response(200, json={"d": {"results": rows[:1]}})


def milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)


def test_documents_that_were_never_changed_are_read_in_every_pass() -> None:
    source = paged_source(NeverChanged("2026-01-01", "2026-03-09", "2026-03-10"), page_size=1)
    records = [r for page in source.pages("products", None) for r in page.records]
    assert [record.record_id for record in records] == ["P0", "P1", "P2"]
    assert records[2].fields["changed_at"] == "2026-03-10T00:00:00.000Z"
    # The day of creation is the system's own: one day more is asked for.
    pages = list(source.pages("products", "2026-03-10T15:00:00.000Z"))
    assert [r.record_id for page in pages for r in page.records] == ["P1", "P2"]
    assert {page.cursor for page in pages} == {"2026-03-10T15:00:00.000Z"}


def test_a_document_without_its_key_is_told_and_not_passed_over() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        row = {"Product": "P1", "LastChangeDate": None}
        has_time = " ge " in request.url.params["$filter"]
        return httpx.Response(200, json={"d": {"results": [row] if has_time else []}})

    with pytest.raises(SourceError, match="without LastChangeDate"):
        list(paged_source(server, page_size=1).pages("products", None))


def test_what_is_shown_after_the_first_document_of_the_next_day_is_read() -> None:
    days = {"P1": "2026-03-09", "P2": "2026-03-10"}

    def server(request: httpx.Request) -> httpx.Response:
        condition = request.url.params["$filter"]
        since = re.search(r"LastChangeDate ge datetime'([\d-]+T[\d:.]+)'", condition)
        rows = [
            {"Product": name, "LastChangeDate": f"/Date({milliseconds(day)})/"}
            for name, day in days.items()
            if since and f"{day}T00:00:00.000" >= since[1]
        ]
        return httpx.Response(200, json={"d": {"results": rows}})

    source = paged_source(server)
    *_, last = source.pages("products", None)
    assert last.cursor == "2026-03-10T00:00:00.000Z"
    # Stamped just before midnight, and committed after it.
    days["P3"] = "2026-03-09"
    told = [r.record_id for page in source.pages("products", last.cursor) for r in page.records]
    assert "P3" in told


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ({"results": []}, []),
        ({"results": [{"SalesOrderItem": "000010"}]}, ["1/000010"]),
        ({"__deferred": {"uri": "x"}}, ["1/"]),
        (None, ["1/"]),
    ],
)
def test_a_document_without_items_says_nothing_and_one_whose_items_are_not_shown_is_broken(
    items: Any, told: list[str]
) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        row = {"SalesOrder": "1", "LastChangeDate": "/Date(1754611200000)/", "to_Item": items}
        has_time = " ge " in request.url.params["$filter"]
        return httpx.Response(200, json={"d": {"results": [row] if has_time else []}})

    pages = paged_source(server).pages("sales_order_items", None)
    assert [record.record_id for page in pages for record in page.records] == told
