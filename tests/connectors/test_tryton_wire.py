"""Tryton's wire without Tryton: its JSON, its errors, its flat records as documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors.base import CorrectionRequest, Result, SourceError
from connectors.corrections import NotDoneError
from connectors.http import HttpClient
from connectors.tryton.adjusting import Adjustments
from connectors.tryton.client import TrytonClient
from connectors.tryton.desk import Desk
from connectors.tryton.documents import Documents
from connectors.tryton.session import TrytonSession
from connectors.tryton.target import TrytonTarget
from connectors.tryton.wire import decode, encode, flatten, reference
from registry.systems import System

# As Tryton 8.2 answered them.
DATETIME = {
    "__class__": "datetime",
    "year": 2026,
    "month": 9,
    "day": 19,
    "hour": 8,
    "minute": 0,
    "second": 0,
    "microsecond": 963705,
}
RECORD = {
    "id": 12,
    "__name__": "sale.sale",
    "number": "12",
    "warehouse": {"id": 5, "__name__": "stock.location", "code": "EAST"},
    "carrier": None,
    "last_modified_at": DATETIME,
}


def test_values_are_read_as_they_stand() -> None:
    text = json.dumps(
        {
            "at": DATETIME,
            "day": {"__class__": "date", "year": 2026, "month": 9, "day": 1},
            "price": {"__class__": "Decimal", "decimal": "12.5000"},
        }
    )
    assert decode(text) == {
        "at": "2026-09-19T08:00:00.963705Z",
        "day": "2026-09-01",
        "price": "12.5",
    }


@pytest.mark.parametrize(
    ("told", "exact"),
    [
        ("3.0", "3"),
        ("0.30000000000000004", "0.3"),
        ("-2.5", "-2.5"),
        ("100000.0", "100000"),
        ("0.0", "0"),
    ],
)
def test_a_float_loses_its_noise_and_nothing_else(told: str, exact: str) -> None:
    assert decode(f'{{"quantity": {told}}}') == {"quantity": exact}


def test_an_answer_that_is_cut_is_no_answer() -> None:
    with pytest.raises(ValueError):
        decode('[{"id": 1')


def test_records_are_flat() -> None:
    assert flatten(decode(json.dumps(RECORD))) == {
        "id": 12,
        "number": "12",
        "warehouse.id": 5,
        "warehouse.code": "EAST",
        "carrier": None,
        "last_modified_at": "2026-09-19T08:00:00.963705Z",
    }


def test_a_domain_travels_in_utc() -> None:
    since = datetime.fromisoformat("2026-09-19T10:00:00+02:00")
    sent = json.loads(base64.urlsafe_b64decode(encode([["at", ">=", since]])))
    assert sent[0][2]["hour"] == 8
    assert json.loads(base64.urlsafe_b64decode(encode({"price": Decimal("1.10")}))) == {
        "price": {"__class__": "Decimal", "decimal": "1.10"}
    }


@pytest.mark.parametrize(
    ("value", "place"),
    [("sale.line,46", ("sale.line", 46)), (None, None), ("sale.line,", None), (5, None)],
)
def test_a_reference_names_model_and_record(value: object, place: object) -> None:
    assert reference(value) == place


# ---- answers to writes -------------------------------------------------------------------------

SYSTEM = System(
    name="erp", role="erp", connector="tryton", base_url="http://erp.example/erp", secrets={}
)


def session(answer: Callable[[str], httpx.Response]) -> TrytonSession:
    """A session with a Tryton that answers by method; a log-in succeeds."""

    def handle(request: httpx.Request) -> httpx.Response:
        method = json.loads(request.content)["method"]
        if method == "common.db.login":
            return httpx.Response(200, json={"id": 1, "result": [2, "token", None]})
        return answer(method)

    http = HttpClient(SYSTEM, transport=httpx.MockTransport(handle))
    return TrytonSession(http, "user", "password", 1)


def error(*arguments: Any) -> Callable[[str], httpx.Response]:
    return lambda _method: httpx.Response(200, json={"id": 1, "error": list(arguments)})


@pytest.mark.parametrize(
    ("arguments", "result", "code", "says"),
    [
        (
            ["UserError", ['You can not call "do" on "16" of "Stock Shipment Out".', ""]],
            Result.REFUSED,
            "user_error",
            'You can not call "do"',
        ),
        (
            ["UserWarning", ["8a.no_carrier", "The shipment has no carrier.", ""]],
            Result.REFUSED,
            "user_warning",
            "The shipment has no carrier.",
        ),
        (
            ["ConcurrencyException", ["Records were modified in the meanwhile"]],
            Result.REFUSED,
            "version_conflict",
            "modified in the meanwhile",
        ),
        (["RateLimitException", []], Result.RETRY, "rate_limited", "RateLimitException"),
        (["could not convert string to float: 'abc'", ""], Result.UNKNOWN, "fault", "abc"),
    ],
)
def test_an_error_leads_to_its_outcome(
    arguments: list[Any], result: Result, code: str, says: str
) -> None:
    with pytest.raises(NotDoneError) as raised:
        session(error(*arguments)).call("model.sale.sale.quote", [1])
    outcome = raised.value.outcome
    assert (outcome.result, outcome.code) == (result, code)
    assert says in outcome.message


def test_the_domain_of_an_error_is_left_out() -> None:
    answer = error("UserError", ["Not valid.", "", [{"field": "x" * 100_000}]])
    with pytest.raises(NotDoneError) as raised:
        session(answer).call("model.sale.sale.create", [])
    assert len(raised.value.outcome.message) < 200


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [(503, Result.RETRY, "unavailable"), (403, Result.REFUSED, "forbidden")],
)
def test_a_status_leads_to_its_outcome(status: int, result: Result, code: str) -> None:
    with pytest.raises(NotDoneError) as raised:
        session(lambda _: httpx.Response(status)).call("model.sale.sale.quote", [1])
    assert (raised.value.outcome.result, raised.value.outcome.code) == (result, code)


def test_an_answer_without_a_result_says_nothing() -> None:
    with pytest.raises(NotDoneError) as raised:
        session(lambda _: httpx.Response(200, text="<html>")).call("model.sale.sale.quote", [1])
    assert raised.value.outcome.result is Result.UNKNOWN


# ---- movements ---------------------------------------------------------------------------------

PLACES = [
    {"id": 1, "code": "EAST", "type": "warehouse", "parent": None},
    {"id": 2, "code": "E-STO", "type": "storage", "parent": 1},
    {"id": 3, "code": "E-OUT", "type": "storage", "parent": 1},
    {"id": 4, "code": "WEST", "type": "warehouse", "parent": None},
    {"id": 5, "code": "W-STO", "type": "storage", "parent": 4},
    {"id": 6, "code": "CUS", "type": "customer", "parent": None},
]


def client_of(answers: dict[str, list[dict[str, Any]]]) -> TrytonClient:
    """A client of a Tryton that answers each search of a model with fixed records; as Tryton does,
    without the archived ones unless they are asked for."""

    def answer(model: str, hides_archived: bool) -> httpx.Response:
        rows = answers.get(model, [])
        shown = [row for row in rows if row.get("active", True) or not hides_archived]
        return httpx.Response(200, json=shown)

    return client_with(answer)


def client_with(answer: Callable[[str, bool], httpx.Response]) -> TrytonClient:
    """A client of a Tryton that answers a search by its model, and by whether it hides what is
    archived."""

    def handle(request: httpx.Request) -> httpx.Response:
        context = json.loads(base64.urlsafe_b64decode(request.headers["X-Tryton-Context"]))
        model = request.url.path.rpartition("/")[2]
        return answer(model, context.get("active_test", True))

    return TrytonClient(
        SYSTEM.model_copy(update={"secrets": {"api_key": "KEY"}}),
        {"KEY": "key"},
        transport=httpx.MockTransport(handle),
        now=lambda: datetime(2026, 9, 20, tzinfo=UTC),
    )


def test_behind_an_empty_link_there_is_nothing() -> None:
    client = client_of({"sale.sale": [{"id": 1, "carrier": None}]})
    (row,) = client.search("sale.sale", [], ["carrier.party.code"])
    assert row["carrier.party.code"] is None


def test_a_field_that_is_kept_from_us_is_named() -> None:
    client = client_of({"sale.sale": [{"id": 1}]})
    with pytest.raises(SourceError, match=r"'party\.code' of sale\.sale") as raised:
        client.search("sale.sale", [], ["party.code"])
    assert raised.value.kind == "forbidden"


def move(move_id: int, source: int, target: int, **more: Any) -> dict[str, Any]:
    return {
        "id": move_id,
        "product.code": "SKU-1",
        "internal_quantity": "3",
        "from_location": source,
        "to_location": target,
        "origin": None,
        "shipment": None,
        "last_modified_at": "2026-09-19T08:00:00.963705Z",
        **more,
    }


def test_only_what_crosses_a_wall_is_a_movement() -> None:
    documents = Documents(client_of({"stock.location": PLACES}))
    told = documents.movements([move(1, 2, 3), move(2, 3, 6), move(3, 2, 5)])
    assert [
        (line["posting"], line["warehouse"], line["quantity"], line["movement_type"])
        for document in told
        for line in document["lines"]
    ] == [
        ("2/out", "EAST", "-3", "customer"),
        ("3/out", "EAST", "-3", "storage"),
        ("3/in", "WEST", "3", "storage"),
    ]


def test_a_place_that_was_archived_since_still_has_its_movements() -> None:
    places = [{**place, "active": place["id"] != 5} for place in PLACES]
    documents = Documents(client_of({"stock.location": places}))
    [told] = documents.movements([move(1, 5, 6)])
    assert [line["posting"] for line in told["lines"]] == ["1/out"]


def test_a_movement_has_the_time_and_number_of_its_shipment() -> None:
    client = client_of(
        {
            "stock.location": PLACES,
            "stock.shipment.out": [{"id": 7, "number": "WD7", "reference": None}],
            "ir.model.log": [
                {
                    "id": 1,
                    "event": "transition",
                    "resource": "stock.shipment.out,7",
                    "target": "state:done",
                    "create_date": DATETIME,
                }
            ],
        }
    )
    (told,) = Documents(client).movements([move(1, 3, 6, shipment="stock.shipment.out,7")])
    assert (told["document"], told["done_at"]) == ("WD7", "2026-09-19T08:00:00.963705Z")


WAREHOUSE = {
    **PLACES[0],
    "storage_location": 2,
    "lost_found_location": 7,
    "input_location": 2,
    "output_location": 3,
    "_timestamp": "1",
}
PRODUCT = {"id": 9, "code": "SKU-1", "template": {"id": 9, "default_uom": {"id": 1}}}


def count() -> CorrectionRequest:
    return CorrectionRequest(
        kind="post_movement",
        object_id="object",
        payload={
            "target_item": "SKU-1",
            "target_location": "EAST",
            "movement_type": "lost_found",
            "quantity": "-1",
            "document": "WC1",
        },
        expected={},
        idempotency_key="tly-1",
        created_at=datetime(2026, 9, 20, tzinfo=UTC),
    )


def done(_method: str) -> httpx.Response:
    return httpx.Response(200, json={"id": 1, "result": [1]})


def test_a_movement_that_is_not_shown_is_not_called_posted() -> None:
    client = client_of({"stock.location": [WAREHOUSE], "product.product": [PRODUCT]})
    action = Adjustments(Desk(SYSTEM, client, session(done))).actions()["post_movement"]
    outcome = action.apply(count())
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, "not_shown")


@pytest.mark.parametrize(
    ("failing", "result"),
    [
        ("model.stock.shipment.internal.create", Result.RETRY),
        ("model.stock.shipment.internal.do", Result.UNKNOWN),
        ("the last read", Result.UNKNOWN),
    ],
)
def test_what_fails_after_a_write_is_not_called_not_applied(failing: str, result: Result) -> None:
    """It was: a fulfilment whose last read failed was found done and taken for a person's."""
    calls: list[str] = []

    def answer(method: str) -> httpx.Response:
        calls.append(method)
        return httpx.Response(503) if method == failing else done(method)

    def search(model: str, _: bool) -> httpx.Response:
        if calls and failing == "the last read":
            return httpx.Response(403)
        known = {"stock.location": [WAREHOUSE], "product.product": [PRODUCT]}
        return httpx.Response(200, json=known.get(model, []))

    target = TrytonTarget(SYSTEM, client_with(search), session(answer))
    assert target.apply(count()).result is result


# ---- sales -------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["user", "maria"])
@pytest.mark.parametrize(
    ("kind", "payload", "quantity"),
    [
        ("update_quantity", {"quantity": "5", "old_quantity": "2"}, "5"),
        ("cancel_line", {}, "0"),
        ("cancel_line", {}, "2"),
    ],
)
def test_a_sale_that_we_took_back_to_draft_is_begun_and_a_persons_draft_is_not(
    login: str, kind: str, payload: dict[str, str], quantity: str
) -> None:
    sale = {"id": 4, "number": "S4", "state": "draft", "_timestamp": "1"}
    line = {"id": 5, "sequence": 1, "quantity": quantity, "unit_price": "1", "note": None}
    path = [
        {"id": n, "target": f"state:{state}", "user": {"login": login}, "_timestamp": "1"}
        for n, state in enumerate(("quotation", "draft"))
    ]
    answers = {"sale.sale": [sale], "sale.line": [{**line, "_timestamp": "1"}]}
    client = client_of({**answers, "ir.model.log": path})
    target = TrytonTarget(SYSTEM, client, session(done))
    known = {"order_record": "S4", "line_record": "1", **payload}
    state = target.read(replace(count(), kind=kind, payload=known))
    assert (state.begun, state.applied) == (login == "user", login != "user" and quantity != "2")


def test_an_order_of_ours_that_is_still_a_draft_is_begun() -> None:
    sale = {"id": 4, "number": "S4", "state": "draft", "description": "tly-1", "_timestamp": "1"}
    target = TrytonTarget(SYSTEM, client_of({"sale.sale": [sale]}), session(done))
    state = target.read(replace(count(), kind="create_order", payload={"order_number": "W1"}))
    assert (state.begun, state.applied, state.precondition_met) == (True, False, True)
