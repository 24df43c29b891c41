"""The page over HTTP: what it marks, how one finds an order, and breaking things by button."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_checker import read_books, violations
from sandbox_reader import Reader, Row

from sandbox.distributor import Distributor
from sandbox.kinds import catalogue
from sandbox.page.breaking import HERE
from sandbox.page.cells import from_local
from sandbox.page.stock import TrueStock
from sandbox.page.story import order_story, purchase_story
from sandbox.server import running_sandbox
from sandbox.settings import CARRIERS, PARTNERS, PROCESSES, REGIONS, Settings
from sandbox.world import KINDS

VARIANTS = string.ascii_uppercase
"""What the name of a kind has after the type of fault that it injects."""

NASTY = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


class Page(HTMLParser):
    """What a test needs of the page: its text, links, ids, and the buttons of each form."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[str] = []
        self.here: list[str] = []
        self.fresh: list[str] = []
        self.chips: list[str] = []
        self._section = ""
        self._in_chip = False
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._in_chip = given.get("class") == "chip"
        if "id" in given:
            self.ids.append(given["id"])
            if tag in ("section", "details", "main"):
                self._section = given["id"]
        if tag == "a":
            self.links.append(given["href"])
        if tag == "label":
            self.labelled.add(given["for"])
        if tag == "input" and given.get("type") != "hidden":
            self.fields.append(given["id"])
        if tag == "button" and given.get("name") == "kind":
            (self.here if self._section == "break-here" else self.fresh).append(given["value"])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_chip:
            self.chips.append(data)
            self._in_chip = False

    @property
    def is_wrong(self) -> bool:
        """Whether it says of what it shows that a system believes what is not so."""
        return re.search(r"\d+ beliefs? (is|are) wrong", self.text) is not None


RIGHT_ABOUT_EACH_ORDER = {"F7", "P7"}
"""What is wrong only with two orders side by side, which the page of one of them does not show."""


def look(reader: Reader, **query: str) -> Page:
    answer = reader.admin.get("/", params=query)
    assert answer.status_code == 200, answer.text[:500]
    return Page(answer)


def story(reader: Reader, number: str) -> dict[str, Any]:
    found: dict[str, Any] = reader.admin.get(f"/admin/orders/{number}").raise_for_status().json()
    return found


def marks(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(row, system, text) of all that is marked as wrong."""
    return [
        (row["name"], system, entry["text"])
        for grid in told["grids"]
        for row in grid["rows"]
        for system, entries in row["cells"].items()
        for entry in entries
        if entry["state"] in ("missing", "differs", "extra")
    ]


def names_of(keys: dict[str, Any], row: str) -> bool:
    """Whether a row of an item's page is about the place or a document of a truth row's keys."""
    documents = [keys.get("ref"), keys.get("transfer"), *keys.get("refs", ())]
    places = [place for name in ("location", "from", "to") if (place := keys.get(name))]
    return any(row.split()[0] == name for name in documents) or any(
        re.search(rf"(in|from|to) {place}\b", row) for place in places
    )


def press(reader: Reader, **form: str) -> httpx.Response:
    return reader.admin.post("/break", data=form)


def test_in_the_hour_that_comes_twice_nothing_is_posted_before_it_happened() -> None:
    shipped = datetime(2026, 11, 1, 6, 20, tzinfo=UTC).timestamp()
    for wall, minutes in (("01:57:53", 38), ("01:19:58", 0), ("02:05:00", 45), ("01:21:00", 1)):
        posted = from_local(f"2026-11-01 {wall}", shipped)
        assert round((posted - shipped) / 60) == minutes, wall


def test_nothing_is_marked_in_a_healthy_world(tmp_path: Path) -> None:
    settings = Settings(orders=200, faults_per_kind=0, decoys_per_kind=0)
    with running_sandbox(tmp_path, settings=settings) as handle:
        opened = Reader(handle)
        numbers = [order["orderNumber"] for order in opened.oms_all("orders")]
        assert len(numbers) == 200
        for number in numbers:
            told = story(opened, number)
            assert marks(told) == []
            assert told["wrong"] == told["wrong_beside"] == told["coming"] == 0
        assert "All systems tell the truth" in look(opened, order=numbers[0]).text
        opened.close()


def opens(keys: Row) -> dict[str, str]:
    """What is to be looked at of a fault; nothing where the page has no place for it."""
    for what, key in (("order", "order_number"), ("purchase", "purchase"), ("item", "gtin")):
        if isinstance(keys.get(key), str):
            return {what: keys[key]}
    return {}


def test_nothing_is_marked_in_a_healthy_world_with_all_that_there_is(tmp_path: Path) -> None:
    settings = Settings(
        orders=150,
        items=40,
        faults_per_kind=0,
        decoys_per_kind=0,
        processes=PROCESSES,
        partners=PARTNERS,
        regions=REGIONS,
        carriers=CARRIERS,
    )
    distributor = Distributor(tmp_path, settings)
    stock = TrueStock(distributor.store)
    placed = distributor.store.events_after(0, ("order_placed",))
    stories = [order_story(distributor, stock, event.subject) for _, event in placed]
    ordered = distributor.store.events_after(0, ("purchase_ordered",))
    purchases = [event.subject for _, event in ordered]
    stories += [purchase_story(distributor, number) for number in purchases]
    told = [one for one in stories if one is not None]
    assert purchases
    assert len(told) == len(stories)
    assert [one.title for one in told if one.wrong or one.wrong_beside or one.coming] == []
    titles = {grid.title.split()[0] for one in told for grid in one.grids}
    assert {"Return", "Payments", "Accounting", "Stock", "Steps"} <= titles
    facts = {row.name for one in told for grid in one.grids for row in grid.rows}
    assert {"Drop-shipped by", "Shipped to the customer"} <= facts
    speakers = {tuple(one.labels.values()) for one in told}
    assert speakers == {(), ("ERP of the north",), ("Third-party warehouse",)}
    distributor.close()


# What is told late, begins later or is written otherwise is no wrong belief about what happened.
ONLY_WRITTEN_OTHERWISE = {
    *("T4", "T6", "T8", "T10", "C4", "C5", "M1", "M2", "M4", "M8", "S3", "S6", "S7", "S10", "X7"),
}
# Their date truly is another one, which the page says and no rule minds.
DATED_OTHERWISE = {"day_only", "entered_late"}

# What the page does not show of an item, an order line or a promise, by kind and field.
BESIDE_THE_PAGE = {
    *(("M6", "weight"), ("M6", "status"), ("O5", "ship_to")),
    *(("O3", None), ("O6", None), ("H9", None), ("I7", None)),
}


def is_marked(row: Row, page: Page) -> bool:
    """Whether the page says of a fault that beliefs are wrong, if they are and it shows them."""
    if (row["fault_type"], row["truth"].get("field")) in BESIDE_THE_PAGE:
        return True
    only_late = any("late" in str(value) for value in row["truth"].values())
    return only_late or row["fault_type"] in ONLY_WRITTEN_OTHERWISE or page.is_wrong


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Reader]:
    """A world with everything that there is, and some of every kind that a history holds."""
    settings = Settings(
        orders=300,
        faults_per_kind=1,
        decoys_per_kind=2,
        processes=PROCESSES,
        partners=PARTNERS,
        regions=REGIONS,
        carriers=CARRIERS,
        live_after_seconds=0.0,
        live_spread_seconds=0.1,
    )
    with running_sandbox(tmp_path / "home", settings=settings) as handle:
        opened = Reader(handle)
        yield opened
        opened.close()


@pytest.mark.parametrize("world", ["reader", "full"])
def test_every_fault_is_marked_and_no_decoy_is(world: str, request: pytest.FixtureRequest) -> None:
    reader: Reader = request.getfixturevalue(world)
    reader.settle()
    for row in reader.truth():
        keys = row["entity_keys"]
        name = opens(keys)
        if not name:
            continue
        page = look(reader, **name)
        assert row["fault_id"] in page.text
        if row["decoy"]:
            assert row["truth"]["why"] in page.text
            if "order" in name and row["fault_type"] not in DATED_OTHERWISE:
                assert story(reader, name["order"])["wrong"] == 0, row["fault_type"]
            if "item" in name:
                told = reader.admin.get(f"/admin/items/{name['item']}").raise_for_status().json()
                # An order with a fault may have spoilt another place of the same item.
                wrong = [mark for mark in marks(told) if names_of(keys, mark[0])]
                assert wrong == [], row["fault_type"]
        elif row["fault_type"] not in RIGHT_ABOUT_EACH_ORDER:
            assert is_marked(row, page), row["fault_type"]


def test_a_mark_stands_where_the_fault_is(reader: Reader) -> None:
    reader.settle()
    rows = {row["fault_type"]: row for row in reversed(reader.truth())}

    def marked(kind: str) -> set[tuple[str, str]]:
        told = story(reader, rows[kind]["entity_keys"]["order_number"])
        told["grids"] = [grid for grid in told["grids"] if not grid["shared"]]
        return {(name, system) for name, system, _ in marks(told)}

    assert marked("O1") == {("Accepted", "erp")}
    assert marked("O2") == {("Accepted", "erp")}
    assert marked("O4") == {("Cancelled", "erp")}
    assert marked("T1") == {("Released", "wms")}
    assert marked("H2") == {
        ("Left the warehouse", "erp"),
        ("Invoiced", "erp"),
        ("Shipped", "erp"),
    }
    assert marked("H5") == {("Shipped", "erp")}
    assert marked("H4") == {("Shipped", "wms")}
    assert marked("H6") == {("Item", "wms")}
    assert marked("O9") == {("Ordered", "erp")}
    assert marked("O6") == {("Released", "erp")}
    assert marked("O8") == {("Item", "erp")}
    assert marked("H1") == {("Left the warehouse", "carrier")}
    assert marked("H7") == {("Left the warehouse", "carrier")}
    assert marked("H9") == {("Delivered", "oms")}
    assert marked("F1") == {("Invoiced", "erp")}
    assert marked("S4") == {("Scans", "carrier")}


def test_every_number_of_an_order_finds_it(reader: Reader) -> None:
    shipment = next(row for row in reader.wms_feed("shipments") if row["Lines"][0]["Uom"] == "EA")
    (booked,) = reader.erp_all("sales_orders", doc_no=shipment["HostOrder"])
    number = booked["ext_ref"]
    (order,) = [row for row in reader.oms_all("orders") if row["orderNumber"] == number]
    invoices = reader.erp_all("invoices", doc_no=booked["doc_no"])
    texts = [number, number.lower(), number[3:], order["id"], order["customerPo"]]
    texts += [booked["doc_no"], shipment["ShipNbr"], shipment["OrderNbr"], shipment["TrackingNbr"]]
    texts += [invoice["inv_no"] for invoice in invoices] + [f"  {number} "]
    for text in texts:
        assert f"/?order={number}" in look(reader, find=text).links, text
    (item,) = reader.erp_all("items", item_no="10-0007")
    for text in (item["gtin"], item["item_no"], item["descr"].upper(), "A0007", "sku-0007"):
        assert f"/?item={item['gtin']}" in look(reader, find=text).links, text


@pytest.mark.parametrize("text", ["SO-999999", "x", '"lineNo"', NASTY])
def test_a_search_without_result_says_what_can_be_found(reader: Reader, text: str) -> None:
    page = look(reader, find=text)
    assert f"Nothing found for “{text}”" in page.text
    assert "tracking number" in page.text


@pytest.mark.parametrize("where", ["find", "order", "item", "did"])
def test_what_people_type_is_text_and_never_markup(reader: Reader, where: str) -> None:
    answer = reader.admin.get("/", params={where: NASTY})
    assert answer.status_code == (404 if where in ("order", "item") else 200)
    assert "<img" not in answer.text
    for part in ("&lt;img src=x", "{{7*7}}"):
        assert (part in answer.text) is (where != "did")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["content-type"].startswith("text/html")


def test_a_form_is_text_too(small: Reader) -> None:
    before = len(small.truth())
    for form in ({"kind": NASTY}, {"kind": "H2", "order": NASTY}):
        answer = press(small, **form)
        assert answer.status_code in (409, 422)
        assert "<img" not in answer.text
        assert "&lt;img src=x" in answer.text
    assert press(small).status_code == 422
    assert len(small.truth()) == before


def test_an_unknown_order_is_a_page_and_a_problem(reader: Reader) -> None:
    answer = reader.admin.get("/", params={"order": "SO-1"})
    assert answer.status_code == 404
    assert "There is no order “SO-1”." in Page(answer).text
    answer = reader.admin.get("/admin/orders/SO-1")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert reader.admin.get("/admin/items/00000000000000").status_code == 404


def test_every_kind_has_a_button_that_breaks_something_fresh(full: Reader) -> None:
    full.settle()
    general = {entry.kind_id: entry.title for entry in catalogue()}
    assert set(look(full).fresh) == set(KINDS)
    for kind in KINDS:
        before = full.truth()
        answer = press(full, kind=kind)
        assert answer.status_code == 303
        row, *others = full.truth()[len(before) :]
        if others:
            # O5-H2 and T1x4 are several faults at once.
            types = {one["fault_type"] for one in (row, *others)}
            assert types <= set(re.split("[-x]", kind)), kind
        else:
            # O5Q and O5 are two ways to the same type of fault.
            assert kind in (row["fault_type"], *(row["fault_type"] + letter for letter in VARIANTS))
        page = Page(full.admin.get(answer.headers["location"]).raise_for_status())
        fault_type = row["fault_type"]
        is_varied = any(fault_type + letter in KINDS for letter in VARIANTS)
        title = general[fault_type] if is_varied else KINDS[fault_type].title
        assert f"{row['fault_id']}, {title}" in page.text
        name = next(iter(opens(row["entity_keys"]).values()), None)
        if name is None:
            # It is on a whole feed, or on an item that nobody stocks: there is nothing to open.
            assert KINDS[kind].whole_feed or kind == "M3"
            continue
        assert name in page.text
        if not row["decoy"] and kind not in RIGHT_ABOUT_EACH_ORDER:
            assert is_marked(row, page), kind


def test_a_kind_that_the_world_has_no_means_for_is_refused(small: Reader) -> None:
    before = small.truth()
    lacking = [kind.name for kind in KINDS.values() if kind.needs]
    assert {"I8", "I9", "P1"} <= set(lacking)
    for kind in lacking:
        answer = press(small, kind=kind)
        assert answer.status_code == 409
        assert "Not done: this world has no" in Page(answer).text
    assert small.truth() == before


@pytest.mark.parametrize(("world", "lacks"), [("small", True), ("full", False)])
def test_what_the_world_has_no_means_for_is_grey_and_says_so(
    world: str, lacks: bool, request: pytest.FixtureRequest
) -> None:
    page = request.getfixturevalue(world).admin.get("/").text
    button = '<button name="kind" value="M7"'
    assert (f'{button} disabled title="This world has no north">' in page) is lacks
    assert (f"{button}>" in page) is not lacks
    assert ("tallyman sandbox up --world full" in page) is lacks


def test_an_order_is_broken_as_far_as_its_state_allows(reader_to_break: Reader) -> None:
    reader = reader_to_break
    reader.settle()
    waiting = set(HERE)
    booked = {row["ext_ref"]: row["stat"] for row in reader.erp_all("sales_orders")}
    orders = [order["orderNumber"] for order in reader.oms_all("orders")]
    complete = [number for number in orders if booked.get(number) == 50]
    for number in [*complete[:3], *(number for number in orders if booked.get(number) != 50)]:
        offered = look(reader, order=number).here
        kind = next((kind for kind in offered if kind in waiting), None)
        if kind is None:
            continue
        assert story(reader, number)["wrong"] == 0
        answer = press(reader, kind=kind, order=number)
        assert answer.status_code == 303
        assert f"order={number}" in answer.headers["location"]
        row = reader.truth()[-1]
        assert (row["fault_type"], row["entity_keys"]["order_number"]) == (kind, number)
        told = story(reader, number)
        assert told["wrong"] > 0, kind
        assert [fault["fault_id"] for fault in told["faults"]] == [row["fault_id"]]
        waiting.discard(kind)
    assert waiting == set()
    reader.settle()
    rows = reader.truth()
    expected = {(item["rule"], item["object"]) for row in rows for item in row["expected"]}
    # Documents are entered late, so a delivery told now counts by when it was told.
    assert violations(read_books(reader), entered_late_from=0.0) == expected


@pytest.fixture
def reader_to_break(tmp_path: Path) -> Iterator[Reader]:
    """Enough orders in every state, and no faults but those of the test."""
    # Close together: an order waits only minutes for its acceptance, hours for its release.
    settings = Settings(orders=900, days=8, peak_days=0, faults_per_kind=0, decoys_per_kind=0)
    with running_sandbox(tmp_path / "home", settings=settings) as handle:
        opened = Reader(handle)
        yield opened
        opened.close()


def test_a_kind_that_does_not_fit_is_refused(small: Reader) -> None:
    small.settle()
    number = next(
        order["orderNumber"] for order in small.oms_all("orders") if order["status"] == "PLACED"
    )
    before = len(small.truth())
    answer = press(small, kind="F3", order=number)
    assert answer.status_code == 409
    assert f"F3 cannot happen to {number} as it stands; possible: O1" in Page(answer).text
    assert press(small, kind="ZZ", order=number).status_code == 422
    assert len(small.truth()) == before


def test_a_correction_shows_at_once(small: Reader) -> None:
    (row,) = small.inject("O5")
    number, line = row["entity_keys"]["order_number"], row["entity_keys"]["line"]
    assert (["Unit price", "oms", row["truth"]["oms"]]) in [
        list(m) for m in marks(story(small, number))
    ]
    record = row["expected_correction"]["payload"]["order_record"]
    tag = small.oms.get(f"/v1/orders/{record}").headers["etag"]
    small.oms.patch(
        f"/v1/orders/{record}/lines/{line}",
        json={"unitPrice": row["truth"]["erp"]},
        headers={"If-Match": tag, "Idempotency-Key": "page-1"},
    ).raise_for_status()
    told = story(small, number)
    assert told["wrong"] == 0
    (correction,) = told["corrections"]
    assert correction["key"] == "page-1"
    assert [f"lines {line}.unitPrice", row["truth"]["oms"], row["truth"]["erp"]] in [
        list(change) for change in correction["changes"]
    ]
    page = look(small, order=number)
    assert "All systems tell the truth" in page.text
    assert "put right" in page.chips and "Corrections that arrived" in page.text
    # What is broken after a correction is not corrected by it.
    (again,) = small.inject("O1")
    broken = look(small, order=again["entity_keys"]["order_number"])
    assert again["fault_id"] in broken.text and "put right" not in broken.chips


def test_only_the_sandboxs_own_page_may_break_things(small: Reader) -> None:
    before = len(small.truth())
    answer = small.admin.post("/break", data={"kind": "H2"}, headers={"Origin": "http://evil.test"})
    assert answer.status_code == 403
    assert len(small.truth()) == before
    own = str(small.admin.base_url).rstrip("/")
    answer = small.admin.post("/break", data={"kind": "H2"}, headers={"Origin": own})
    assert answer.status_code == 303
    assert len(small.truth()) == before + 1


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(small: Reader) -> None:
    answer = small.admin.get("/")
    page = Page(answer)
    links = [link for link in page.links if not link.startswith("#")]
    assert len(links) > 30
    for link in dict.fromkeys(links):
        assert small.admin.get(link).status_code == 200, link
    assets = re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text)
    assert sorted(assets) == ["/assets/page.css", "/assets/page.js"]
    for text in (answer.text, *(small.admin.get(asset).text for asset in assets)):
        assert "://" not in text
    assert "innerHTML" not in small.admin.get("/assets/page.js").text
    for name in ("nothing.js", "..%2Froutes.py", "../routes.py"):
        assert small.admin.get(f"/assets/{name}").status_code == 404


def test_the_page_is_whole_for_those_who_listen(small: Reader) -> None:
    row = next(row for row in small.truth() if row["fault_type"] == "H2")
    for query in ({}, {"order": row["entity_keys"]["order_number"]}, {"find": "SO-1001"}):
        page = look(small, **query)
        assert len(page.ids) == len(set(page.ids))
        assert set(page.fields) <= page.labelled
        assert {"main", "nav", "header"} <= set(page.tags)
        assert page.tags.count("h1") == (0 if "find" in query else 1)
    answer = small.admin.get("/", params={"order": row["entity_keys"]["order_number"]})
    # A mark is a word too, for those who cannot see it.
    assert 'class="for-ears">missing: ' in answer.text
    assert answer.text.count("<table") == answer.text.count("<thead")
