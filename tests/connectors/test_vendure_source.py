"""Vendure's dialect without a Vendure: documents of recorded orders, the watch, paging, errors.

The recorded orders are answers of a real Vendure 3.7.3; tests/real/vendure reads a running one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import CorrectionRequest, Result, SourceError
from connectors.cursors import iso_milliseconds
from connectors.http import NotSentError
from connectors.vendure.client import VendureClient
from connectors.vendure.orders import (
    fulfilment_documents,
    history_documents,
    money,
    order_lines_document,
    payment_documents,
    refund_documents,
)
from connectors.vendure.source import VendureSource, make_source
from connectors.vendure.target import VendureTarget
from connectors.vendure.watch import Selection, Watch
from registry.errors import ConfigurationError
from registry.systems import System

RECORDED = Path(__file__).parent / "recorded" / "vendure_orders.json"
PART_DELIVERED, DELIVERED, CANCELLED, AUTHORISED = json.loads(RECORDED.read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def system(**changes: Any) -> System:
    settings: dict[str, Any] = {
        "name": "oms",
        "role": "oms",
        "connector": "vendure",
        "base_url": "http://vendure.example",
        "requests_per_second": 100_000,
        "secrets": {"api_key": "KEY"},
    }
    return System(**{**settings, **changes})


def client(handler: Callable[[httpx.Request], httpx.Response], **changes: Any) -> VendureClient:
    return VendureClient(
        system(**changes),
        {"KEY": "key", "USER": "user", "PASSWORD": "password"},
        transport=httpx.MockTransport(handler),
        now=lambda: NOW,
        sleep=lambda _: None,
    )


# ---- documents -------------------------------------------------------------------------------


def lines_of(order: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = order_lines_document(order, 2, "externalReference")["lines"]
    return found


def transition(order: dict[str, Any], kind: str, state: str, which: int = 0) -> str:
    moments = [
        entry["createdAt"]
        for entry in order["history"]["items"]
        if entry["type"] == kind and entry["data"]["to"] == state
    ]
    return str(moments[which])


def test_lines_tell_how_far_they_are_and_since_when() -> None:
    first, second, third = lines_of(PART_DELIVERED)
    assert [line["lineNumber"] for line in (first, second, third)] == [1, 2, 3]
    assert (first["quantity"], first["shippedQuantity"], first["deliveredQuantity"]) == (5, 5, 3)
    # It is all shipped with its second fulfilment, and not yet all delivered.
    shipped = transition(PART_DELIVERED, "ORDER_FULFILLMENT_TRANSITION", "Shipped", which=1)
    assert (first["shippedAt"], first["deliveredAt"]) == (shipped, None)
    assert (second["shippedQuantity"], second["deliveredQuantity"]) == (2, 0)
    assert (third["quantity"], third["orderPlacedQuantity"]) == (0, 1)
    cancelled = [e for e in PART_DELIVERED["history"]["items"] if e["type"] == "ORDER_CANCELLATION"]
    assert third["cancelledAt"] == cancelled[0]["createdAt"]
    assert (third["shippedAt"], third["deliveredAt"]) == (None, None)


def test_headers_tell_the_money_and_the_reference() -> None:
    document = order_lines_document(PART_DELIVERED, 2, "externalReference")
    assert document["reference"] == "PO-1"
    assert order_lines_document(PART_DELIVERED, 2, None)["reference"] is None
    assert document["settledAt"] == transition(
        PART_DELIVERED, "ORDER_STATE_TRANSITION", "PaymentSettled"
    )
    assert order_lines_document(AUTHORISED, 2, None)["settledAt"] is None
    assert document["lines"][0]["unitPrice"] == "10.01"


def test_a_delivery_that_skipped_the_shipment_counts_as_both() -> None:
    (line,) = lines_of(DELIVERED)
    moment = transition(DELIVERED, "ORDER_FULFILLMENT_TRANSITION", "Delivered")
    assert (line["shippedAt"], line["deliveredAt"]) == (moment, moment)


def test_a_cancelled_order_has_cancelled_lines() -> None:
    (line,) = lines_of(CANCELLED)
    assert (line["quantity"], line["orderPlacedQuantity"]) == (0, 2)
    assert line["cancelledAt"] is not None


def test_a_line_taken_out_by_a_modification_is_cancelled_then() -> None:
    order = json.loads(json.dumps(AUTHORISED))
    order["lines"][0]["quantity"] = 0
    order["history"]["items"].append(
        {
            "id": "999",
            "type": "ORDER_MODIFIED",
            "createdAt": "2026-11-20T10:00:00.000Z",
            "updatedAt": "2026-11-20T10:00:00.000Z",
            "data": {"modificationId": 1},
        }
    )
    assert lines_of(order)[0]["cancelledAt"] == "2026-11-20T10:00:00.000Z"


def test_line_numbers_do_not_depend_on_the_order_in_which_lines_come() -> None:
    order = json.loads(json.dumps(PART_DELIVERED))
    moment = order["lines"][0]["createdAt"]
    for line, identity in zip(order["lines"], ("9", "10", "11"), strict=True):
        line.update(id=identity, createdAt=moment)
    numbers = {line["id"]: line["lineNumber"] for line in lines_of(order)}
    order["lines"].reverse()
    assert {line["id"]: line["lineNumber"] for line in lines_of(order)} == numbers
    # 10 was made after 9, though its text sorts before it.
    assert numbers == {"9": 1, "10": 2, "11": 3}


def test_fulfilments_name_their_lines() -> None:
    first, second = fulfilment_documents(PART_DELIVERED)
    assert (first["state"], first["trackingCode"]) == ("Delivered", "TRACK-1")
    assert [(part["lineNumber"], part["quantity"]) for part in second["lines"]] == [(1, 2), (2, 2)]
    assert (second["deliveredAt"], second["cancelledAt"]) == (None, None)
    assert fulfilment_documents(AUTHORISED) == []


def test_history_payments_and_refunds() -> None:
    entries = history_documents(DELIVERED)
    assert [entry["createdAt"] for entry in entries] == sorted(e["createdAt"] for e in entries)
    assert {entry["note"] for entry in entries} == {None, "a note"}
    moves = [(e["fromState"], e["toState"]) for e in entries if e["fulfilmentId"] == "3"]
    assert ("Pending", "Delivered") in moves
    (payment,) = payment_documents(DELIVERED, 2)
    assert (payment["state"], payment["amount"]) == ("Settled", "19.81")
    (refund,) = refund_documents(DELIVERED, 2)
    assert (refund["total"], refund["reason"], refund["paymentId"]) == (
        "2.50",
        "damaged",
        payment["id"],
    )


@pytest.mark.parametrize(
    ("minor", "precision", "text"),
    [
        (3603, 2, "36.03"),
        (5, 2, "0.05"),
        (-250, 2, "-2.50"),
        (7, 0, "7"),
        (12345678901234567, 3, "12345678901234.567"),
        (None, 2, None),
    ],
)
def test_money_is_exact(minor: int | None, precision: int, text: str | None) -> None:
    assert money(minor, precision) == text


# ---- what is watched -------------------------------------------------------------------------


class Orders:
    """Orders that live for days, and Vendure's filter over them; ``updatedAt`` stands still."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.orders: list[dict[str, Any]] = []

    def live(self, now: datetime) -> None:
        """Some are placed, and some of the open ones end."""
        for _ in range(self.chance.randint(0, 3)):
            placed = iso_milliseconds(now)
            identity = str(len(self.orders))
            self.orders.append(
                {"id": identity, "orderPlacedAt": placed, "updatedAt": placed, "state": "Shipped"}
            )
        for order in self.orders:
            if order["state"] == "Shipped" and self.chance.random() < 0.2:
                order["state"] = "Delivered"

    def found(self, conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        any_of = conditions[1]["_or"] if len(conditions) > 1 else None
        return [
            dict(order)
            for order in self.orders
            if any_of is None
            or any(order[name] > test["after"] for arm in any_of for name, test in arm.items())
        ]


@pytest.mark.parametrize("seed", range(30))
def test_every_end_of_an_order_is_seen_by_the_next_pass(seed: int) -> None:
    """However long an order lives and however far apart passes are, in or out of the look-back."""
    vendure = Orders(seed)
    now, cursor = NOW, None
    known: dict[str, str] = {}
    for _ in range(40):
        now += vendure.chance.choice((0.1, 0.5, 1, 3, 9)) * DAY
        vendure.live(now - timedelta(seconds=10))
        selection = Selection(
            Watch.parse(cursor), now, 2 * DAY, timedelta(seconds=1), ("Delivered", "Cancelled")
        )
        read = vendure.found(selection.conditions())
        late = set(selection.remembered(order["id"] for order in read))
        read += [dict(order) for order in vendure.orders if order["id"] in late]
        known |= {order["id"]: order["state"] for order in read}
        assert known == {order["id"]: order["state"] for order in vendure.orders}
        reached = max((order["updatedAt"] for order in read), default=None)
        reached_at = datetime.fromisoformat(reached) if reached else selection.last.reached
        cursor = str(Watch(reached_at, selection.since, selection.late(read)))
    # It remembers no more than what is open and what ended within a look-back.
    assert len(Watch.parse(cursor).late) < len(vendure.orders)


def test_an_old_order_is_read_on_for_a_look_back_after_its_end() -> None:
    old = {"id": "7", "orderPlacedAt": iso_milliseconds(NOW - 30 * DAY), "state": "Shipped"}
    watch, now = Watch(NOW, NOW - 2 * DAY, {}), NOW
    remembered = []
    for state in ("Shipped", "Delivered", "Delivered", "Delivered", "Delivered"):
        selection = Selection(watch, now, 2 * DAY, timedelta(0), ("Delivered",))
        watch = Watch(now, selection.since, selection.late([{**old, "state": state}]))
        watch = Watch.parse(str(watch))
        remembered.append(selection.remembered([]) == ["7"])
        now += DAY
    assert remembered == [False, True, True, True, False]


def test_a_longer_look_back_counts_at_once() -> None:
    last = Watch(NOW, NOW - 2 * DAY)
    (_, arms) = Selection(last, NOW, 9 * DAY, timedelta(0), ()).conditions()
    assert arms["_or"][1] == {"orderPlacedAt": {"after": iso_milliseconds(NOW - 9 * DAY)}}


def test_options_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="final_states must be a list"):
        make_source(system(options={"final_states": "Delivered"}), {"KEY": "key"})


# ---- paging ----------------------------------------------------------------------------------


class Listing:
    """A list of Vendure: microseconds inside, milliseconds outside; ``between`` runs before each
    request."""

    def __init__(self, moments: dict[str, datetime], between: Any = None) -> None:
        self.moments = moments
        self.between = between or (lambda _listing: None)
        self.requests = 0
        self.hidden = 0  # rows that are counted and not shown

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        assert self.requests < 500, "reading does not end"
        self.between(self)
        asked = json.loads(request.content)
        if "totalItems" in asked["query"]:
            told = {"totalItems": len(self.moments) + self.hidden}
            return httpx.Response(200, json={"data": {"customers": told}})
        options = asked["variables"]["options"]
        after = next((c["createdAt"]["after"] for c in options["filter"]["_and"]), None)
        rows = sorted(
            (moment, int(identity))
            for identity, moment in self.moments.items()
            if after is None or moment > datetime.fromisoformat(after)
        )
        rows = rows[options["skip"] : options["skip"] + options["take"]]
        items = [{"id": str(i), "createdAt": iso_milliseconds(moment)} for moment, i in rows]
        return httpx.Response(200, json={"data": {"customers": {"items": items}}})


def moments(seed: int, spread_milliseconds: int) -> dict[str, datetime]:
    chance = random.Random(seed)
    return {
        str(number): NOW + timedelta(microseconds=chance.randint(0, spread_milliseconds * 1000))
        for number in range(1, chance.randint(2, 40))
    }


@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
@pytest.mark.parametrize("spread_milliseconds", [0, 1, 5, 10_000])
def test_every_row_is_read_once(spread_milliseconds: int, page_size: int) -> None:
    for seed in range(10):
        listing = Listing(moments(seed, spread_milliseconds))
        pages = client(listing, page_size=page_size).created("customers", "")
        read = [row["id"] for page in pages for row in page]
        assert len(read) == len(set(read))
        assert set(read) == set(listing.moments)


def test_rows_that_leave_while_it_is_read_hide_no_other() -> None:
    for seed in range(30):
        chance = random.Random(seed)
        listing = Listing(moments(seed, 10_000))
        staying = {i for i in listing.moments if chance.random() < 0.5}

        def leave(
            held: Listing, chance: random.Random = chance, staying: set[str] = staying
        ) -> None:
            leaving = sorted(set(held.moments) - staying)
            if leaving:
                held.moments.pop(chance.choice(leaving))

        listing.between = leave
        read = [
            r["id"] for page in client(listing, page_size=3).created("customers", "") for r in page
        ]
        assert staying <= set(read)
        assert len(read) == len(set(read))


def test_an_item_without_stock_says_nothing_of_it() -> None:
    at = dict.fromkeys(("createdAt", "updatedAt"), iso_milliseconds(NOW))
    place = {"stockLocationId": "1", "stockLocation": {"name": "Main"}}
    level = {**at, **place, "stockOnHand": 3, "stockAllocated": 0}
    sale = {**at, "id": "9", "type": "SALE", "quantity": -1}

    def variant(identity: str, sku: str, levels: list[Any], movements: list[Any]) -> dict[str, Any]:
        moved = {"totalItems": len(movements), "items": movements}
        return {**at, "id": identity, "sku": sku, "stockLevels": levels, "stockMovements": moved}

    variants = [variant("1", "NEW", [], []), variant("2", "OLD", [level], [sale])]

    def handler(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)["variables"]["options"]["filter"]
        rows = [
            each
            for each in variants
            if each["id"] in wanted.get("id", {"in": "12"})["in"]
            and each["sku"] == wanted.get("sku", {"eq": each["sku"]})["eq"]
        ]
        return httpx.Response(200, json={"data": {"productVariants": {"items": rows}}})

    source = VendureSource(system(), client(handler))

    def told(entity: str, cursor: str | None = None) -> list[str]:
        pages = source.pages(entity, cursor)
        return [str(record.fields["sku"]) for page in pages for record in page.records]

    assert told("stock_levels") == told("stock_movements") == ["OLD"]
    assert told("stock_movements", '{"2": 1}') == []
    for entity in ("stock_levels", "stock_movements"):
        assert source.read_one(entity, {"sku": "NEW"}) == []


def test_a_sweep_that_saw_less_than_is_announced_fails() -> None:
    listing = Listing(moments(1, 10_000))
    sweeping = VendureSource(system(), client(listing, page_size=3))
    assert {key for page in sweeping.keys("customers") for key in page} == set(listing.moments)
    listing.hidden = 1
    with pytest.raises(SourceError, match="nothing is taken for deleted") as raised:
        list(sweeping.keys("customers"))
    assert raised.value.kind == "unstable_pages"


def test_a_sweep_bears_what_comes_and_goes_meanwhile() -> None:
    listing = Listing(moments(1, 10_000))

    def come_and_go(held: Listing) -> None:
        if held.requests == 3:
            held.moments["99"] = NOW + timedelta(minutes=1)
        if held.requests == 4:
            del held.moments["99"], held.moments["1"]

    listing.between = come_and_go
    sweeping = VendureSource(system(), client(listing, page_size=3))
    seen = {key for page in sweeping.keys("customers") for key in page}
    assert set(listing.moments) <= seen


# ---- errors in answers of status 200 ---------------------------------------------------------


def failed(code: str | None, message: str = "no") -> httpx.Response:
    extensions = {"extensions": {"code": code}} if code else {}
    return httpx.Response(200, json={"errors": [{"message": message, **extensions}], "data": None})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failed("FORBIDDEN"), "unauthorised"),
        (failed("UNAUTHORIZED"), "unauthorised"),
        (failed("ENTITY_NOT_FOUND"), "not_found"),
        (failed("USER_INPUT_ERROR"), "refused"),
        (failed("INTERNAL_SERVER_ERROR"), "server_error"),
        (failed(None, "deadlock detected"), "server_error"),
        (httpx.Response(200, json={"data": None}), "bad_page"),
        (httpx.Response(200, json=[]), "bad_page"),
        (httpx.Response(200, json={"data": {"customers": {}}}), "bad_page"),
        (httpx.Response(200, content=b'{"data": {"cus'), "bad_page"),
        (httpx.Response(400, json={"errors": [{"message": "no such field"}]}), "refused"),
        (httpx.Response(401), "unauthorised"),
        (httpx.Response(403), "forbidden"),
        (httpx.Response(429), "rate_limited"),
        (httpx.Response(500), "server_error"),
    ],
)
def test_reading_errors_have_their_kind(answer: httpx.Response, kind: str) -> None:
    with pytest.raises(SourceError) as raised:
        list(client(lambda _: answer).created("customers", ""))
    assert raised.value.kind == kind


class Sessions:
    """A Vendure with logins: a session ends after some uses."""

    def __init__(self, uses: int = 1000, accepts: bool = True) -> None:
        self.uses = uses
        self.accepts = accepts
        self.left = 0
        self.logins = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "login(" in json.loads(request.content)["query"]:
            self.logins += 1
            self.left = self.uses
            told = {"data": {"login": {"__typename": "CurrentUser"}}}
            token = {"vendure-auth-token": f"token-{self.logins}"} if self.accepts else {}
            return httpx.Response(200, json=told, headers=token)
        if request.headers["Authorization"] != f"Bearer token-{self.logins}" or self.left == 0:
            return failed("FORBIDDEN")
        self.left -= 1
        return httpx.Response(200, json={"data": {"customers": {"items": []}}})


def test_a_session_is_renewed_when_it_has_ended() -> None:
    secrets = {"username": "USER", "password": "PASSWORD"}
    vendure = Sessions(uses=2)
    speaking = client(vendure, secrets=secrets)
    for _ in range(5):
        assert list(speaking.created("customers", "")) == []
    assert vendure.logins == 3


def test_a_login_that_is_not_accepted_names_its_variables() -> None:
    secrets = {"username": "USER", "password": "PASSWORD"}
    with pytest.raises(SourceError, match="PASSWORD, USER") as refused:
        list(client(Sessions(accepts=False), secrets=secrets).created("customers", ""))
    assert refused.value.kind == "unauthorised"


def login_error(code: str) -> httpx.Response:
    told = {"__typename": "ErrorResult", "errorCode": code, "message": "said"}
    return httpx.Response(200, json={"data": {"login": told}})


LOGIN_ANSWERS = [
    (httpx.Response(429), "rate_limited"),
    (httpx.Response(502), "server_error"),
    (httpx.Response(503), "server_error"),
    (httpx.Response(404), "unauthorised"),
    (httpx.Response(401), "unauthorised"),
    (failed("INTERNAL_SERVER_ERROR"), "server_error"),
    (httpx.Response(200, content=b"<html>"), "bad_page"),
    (login_error("INVALID_CREDENTIALS_ERROR"), "unauthorised"),
    (httpx.Response(200, json={"data": {"login": {}}}), "unauthorised"),
]


@pytest.mark.parametrize(("answer", "kind"), LOGIN_ANSWERS)
def test_a_login_that_failed_is_told_from_one_that_is_not_accepted(
    answer: httpx.Response, kind: str
) -> None:
    secrets = {"username": "USER", "password": "PASSWORD"}
    with pytest.raises(SourceError) as raised:
        list(client(lambda _: answer, secrets=secrets).created("customers", ""))
    assert raised.value.kind == kind
    # A write that waits for a session was certainly not sent.
    with pytest.raises(NotSentError) as unsent:
        client(lambda _: answer, secrets=secrets).http.send("POST", "admin-api", json={})
    assert unsent.value.kind == kind


def test_a_login_is_repeated_when_vendure_is_busy() -> None:
    answers = [httpx.Response(503), httpx.Response(429)]
    vendure = Sessions()

    def handler(request: httpx.Request) -> httpx.Response:
        return answers.pop() if answers else vendure(request)

    secrets = {"username": "USER", "password": "PASSWORD"}
    assert list(client(handler, secrets=secrets).created("customers", "")) == []
    assert vendure.logins == 1


def union(code: str, **more: str) -> httpx.Response:
    told = {"errorCode": code, "message": "said", **more}
    return httpx.Response(200, json={"data": {"cancelOrder": told}})


@pytest.mark.parametrize(
    ("answer", "result", "code"),
    [
        (httpx.Response(200, json={"data": {"cancelOrder": {"id": "7"}}}), Result.OK, "http_200"),
        (union("QUANTITY_TOO_GREAT_ERROR"), Result.REFUSED, "version_conflict"),
        (union("ORDER_STATE_TRANSITION_ERROR"), Result.REFUSED, "version_conflict"),
        (union("MULTIPLE_ORDER_ERROR"), Result.REFUSED, "multiple_order_error"),
        (failed("FORBIDDEN"), Result.REFUSED, "forbidden"),
        (failed("ENTITY_NOT_FOUND"), Result.REFUSED, "http_404"),
        (failed("USER_INPUT_ERROR"), Result.REFUSED, "refused"),
        (failed(None, "deadlock detected"), Result.UNKNOWN, "server_error"),
        (httpx.Response(200, content=b"<html>"), Result.UNKNOWN, "bad_answer"),
        (httpx.Response(200, json=[]), Result.UNKNOWN, "bad_page"),
        (httpx.Response(400, json={"errors": []}), Result.REFUSED, "http_400"),
        (httpx.Response(429), Result.RETRY, "rate_limited"),
        (httpx.Response(500), Result.UNKNOWN, "http_500"),
        (httpx.Response(503), Result.RETRY, "unavailable"),
    ],
)
def test_every_answer_to_a_write_has_one_meaning(
    answer: httpx.Response, result: Result, code: str
) -> None:
    order = {"id": "1", "code": "A", "state": "PaymentSettled", "lines": [], "fulfillments": []}
    found = {"data": {"order": {**order, "modifications": [], "history": {"items": []}}}}
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        document = json.loads(request.content)["query"]
        if document.startswith("query"):
            return httpx.Response(200, json=found)
        sent.append(document)
        return answer

    speaking = client(handler)
    correction = CorrectionRequest("cancel_order", "A", {"order_record": "1"}, {}, "key-1", NOW)
    outcome = VendureTarget(speaking.http.system, speaking).apply(correction)
    assert (outcome.result, outcome.code) == (result, code)
    assert len(sent) == 1


class Modifiable:
    """A Vendure with one settled order; ``modify`` answers the modification, ``is_stuck`` says
    whether it then lets the order out of it."""

    def __init__(self, modify: httpx.Response | httpx.TransportError, is_stuck: bool) -> None:
        self.modify, self.is_stuck = modify, is_stuck
        self.state = "PaymentSettled"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if "modifyOrder" in body["query"]:
            if isinstance(self.modify, httpx.TransportError):
                raise self.modify
            return self.modify
        if "transitionOrderToState" in body["query"]:
            if self.state == "Modifying" and self.is_stuck:
                return httpx.Response(503)
            self.state = body["variables"]["state"]
            return httpx.Response(200, json={"data": {"transitionOrderToState": {"id": "1"}}})
        lines = [{"id": "2", "quantity": 1}]
        order = {"id": "1", "code": "A", "state": self.state, "lines": lines, "fulfillments": []}
        history = {"modifications": [], "history": {"items": []}}
        return httpx.Response(200, json={"data": {"order": {**order, **history}}})


@pytest.mark.parametrize("is_stuck", [False, True])
@pytest.mark.parametrize(
    ("modify", "result"),
    [
        (httpx.Response(429), Result.RETRY),
        (httpx.Response(503), Result.RETRY),
        (httpx.ConnectError("refused"), Result.RETRY),
        (union("ORDER_LIMIT_ERROR"), Result.REFUSED),
    ],
)
def test_an_order_is_not_left_open_when_its_modification_did_not_happen(
    modify: httpx.Response | httpx.TransportError, result: Result, is_stuck: bool
) -> None:
    vendure = Modifiable(modify, is_stuck)
    speaking = client(vendure, options={"additional_payment_method": "on-account"})
    target = VendureTarget(speaking.http.system, speaking)
    payload = {"order_record": "1", "line_record": "2", "old_quantity": "1", "quantity": "2"}
    outcome = target.apply(CorrectionRequest("update_quantity", "A", payload, {}, "key-1", NOW))
    assert outcome.result is result
    assert vendure.state == ("Modifying" if is_stuck else "PaymentSettled")
    assert ("we left order A in 'Modifying'" in outcome.message) == is_stuck
