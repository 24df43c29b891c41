"""Which answer of a target means what, and that nothing is ever rounded or repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from connectors.base import CorrectionRequest, Outcome, Result, SourceError
from connectors.corrections import (
    HttpTarget,
    NotDoneError,
    NotRepresentableError,
    fixed,
    guarded,
    judge,
    missing,
    whole,
)
from connectors.deadlines import TooLateError
from connectors.demo_oms.target import make_target
from connectors.http import LONGEST_WISH_SECONDS, HttpClient
from registry.systems import System

SYSTEM = System(
    name="oms",
    role="oms",
    connector="demo_oms",
    base_url="http://oms.invalid",
    requests_per_second=1000,
    secrets={"token": "TOKEN"},
)


def send(handler: Callable[[httpx.Request], httpx.Response]) -> Outcome:
    client = HttpClient(SYSTEM, transport=httpx.MockTransport(handler))
    target = HttpTarget(SYSTEM, client)
    return target.send("POST", "orders", {"a": 1}, "key-1", lambda answer: str(answer["id"]))


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        (200, Result.OK, "http_200"),
        (201, Result.OK, "http_201"),
        (202, Result.OK, "http_202"),
        (204, Result.OK, "http_204"),
        (302, Result.REFUSED, "http_302"),
        (400, Result.REFUSED, "http_400"),
        (401, Result.REFUSED, "unauthorised"),
        (403, Result.REFUSED, "forbidden"),
        (404, Result.REFUSED, "http_404"),
        (408, Result.UNKNOWN, "http_408"),
        (409, Result.REFUSED, "version_conflict"),
        (412, Result.REFUSED, "version_conflict"),
        (422, Result.REFUSED, "http_422"),
        (423, Result.RETRY, "locked"),
        (425, Result.RETRY, "too_early"),
        (428, Result.REFUSED, "http_428"),
        (429, Result.RETRY, "rate_limited"),
        (500, Result.UNKNOWN, "http_500"),
        (502, Result.UNKNOWN, "http_502"),
        (503, Result.RETRY, "unavailable"),
        (504, Result.UNKNOWN, "http_504"),
    ],
)
def test_every_status_has_one_meaning(status: int, result: Result, code: str) -> None:
    outcome = send(lambda _: httpx.Response(status, json={"id": 7, "title": "said"}))
    assert (outcome.result, outcome.code) == (result, code)
    assert outcome.target_record_id == ("7" if result is Result.OK else None)
    assert outcome.perhaps_applied == (status in (429, 503))


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (httpx.ConnectError("refused"), Result.RETRY),
        (httpx.ConnectTimeout("slow"), Result.RETRY),
        (httpx.ReadTimeout("slow"), Result.UNKNOWN),
        (httpx.WriteTimeout("slow"), Result.UNKNOWN),
        (httpx.ReadError("reset"), Result.UNKNOWN),
        (httpx.RemoteProtocolError("gone"), Result.UNKNOWN),
    ],
)
def test_only_what_never_left_is_tried_again(error: Exception, result: Result) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    assert send(fail).result is result


def test_a_write_is_sent_once_with_its_key() -> None:
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503)

    send(refuse)
    assert [request.headers["Idempotency-Key"] for request in seen] == ["key-1"]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":', b"[]", b"null"])
def test_a_yes_whose_body_cannot_be_read_is_still_a_yes(body: bytes) -> None:
    outcome = send(lambda _: httpx.Response(201, content=body))
    assert (outcome.result, outcome.target_record_id) == (Result.OK, None)


@pytest.mark.parametrize("body", [b"", b"<html><h1>Bad gateway</h1>", b"[1,", b'"text"'])
def test_an_error_whose_body_is_no_problem_document_is_judged_by_its_status(body: bytes) -> None:
    assert send(lambda _: httpx.Response(502, content=body)).result is Result.UNKNOWN


THEIR_NOW = datetime(2026, 11, 21, 9, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-5", 0.0),
        (format_datetime(THEIR_NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(THEIR_NOW - timedelta(seconds=90), usegmt=True), 0.0),
        # The two older forms of a date that HTTP allows.
        ("Saturday, 21-Nov-26 09:04:00 GMT", 90.0),
        ("Sat Nov 21 09:04:00 2026", 90.0),
        ("99999999999999999999", LONGEST_WISH_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WISH_SECONDS),
        ("Sat, 21 Nov 2026 99999999999999999999:00:00 GMT", None),
        ("1e400", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_seconds_as_a_date_on_their_clock_or_garbage(
    header: str | None, seconds: float | None
) -> None:
    """Their clock may be minutes ahead of ours: the date is meant on theirs."""
    headers = {"Date": format_datetime(THEIR_NOW, usegmt=True)}
    if header is not None:
        headers["Retry-After"] = header
    outcome = judge(httpx.Response(429, headers=headers), lambda answer: None)
    assert outcome.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("raised", "result", "code"),
    [
        (missing("erp", "order E1"), Result.REFUSED, "http_404"),
        (NotRepresentableError("0.0001"), Result.REFUSED, "not_representable"),
    ],
)
def test_a_failure_before_the_send_has_no_effect(
    raised: Exception, result: Result, code: str
) -> None:
    def attempt() -> Outcome:
        raise raised

    outcome = guarded(attempt)
    assert (outcome.result, outcome.code) == (result, code)


@pytest.mark.parametrize(
    "failing",
    [
        SourceError("timeout", "the target can't be read"),
        SourceError("forbidden", "the key that reads ran out"),
        TooLateError("held up"),
        NotDoneError(Outcome(Result.RETRY, "unavailable", retry_after_seconds=7.0)),
    ],
)
def test_a_failure_after_a_step_that_succeeded_leaves_it_unknown_what_stands(
    failing: Exception,
) -> None:
    client = HttpClient(SYSTEM, transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    target = HttpTarget(SYSTEM, client)

    def attempt() -> Outcome:
        assert target.send("POST", "step", {}, "key", lambda _: None).result is Result.OK
        raise failing

    assert guarded(attempt).result is Result.UNKNOWN
    assert guarded(lambda: Outcome(Result.RETRY, "unavailable")).result is Result.RETRY


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [("5", 3, "5.000"), ("5.125", 3, "5.125"), (-2, 3, "-2.000"), ("12.5", 4, "12.5000")],
)
def test_numbers_are_written_exactly(value: Any, places: int, text: str) -> None:
    assert fixed(value, places) == text


@pytest.mark.parametrize("value", ["0.0001", "1.2345", "abc", None])
def test_numbers_that_do_not_fit_are_refused_and_never_rounded(value: Any) -> None:
    with pytest.raises(NotRepresentableError):
        fixed(value, 3)
    with pytest.raises(NotRepresentableError):
        whole(value)


def test_a_kind_that_a_system_does_not_take_is_refused_without_a_request() -> None:
    target = make_target(SYSTEM, {"TOKEN": "x"})
    request = CorrectionRequest("void_invoice", "o", {}, {}, "key", THEIR_NOW)
    assert target.apply(request).code == "kind_not_supported"
    assert target.undo(request, None).code == "kind_not_supported"
