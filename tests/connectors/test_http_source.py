"""The HTTP client: what is retried and what is not, what people are told, how clocks are read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.allowances import Allowance
from connectors.base import SourceError
from connectors.http import (
    READ_ATTEMPTS,
    BearerAuth,
    ClientCredentialsAuth,
    ClockMeter,
    ClockOffset,
    HttpClient,
    NoAnswerError,
    NotSentError,
)
from connectors.reading import clocked_page
from registry.systems import System

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Rig:
    """A client on a scripted transport; ``slept`` lists the waits between attempts."""

    def __init__(self, *answers: httpx.Response | Exception, **client: object) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        system = System(
            name="erp_us",
            role="erp",
            connector="demo_erp",
            base_url="http://erp.example/base",
            secrets={"api_key": "ERP_KEY"},
            requests_per_second=1000,
        )
        self.client = HttpClient(
            system,
            transport=httpx.MockTransport(self._answer),
            now=lambda: NOW,
            sleep=self.slept.append,
            **client,  # type: ignore[arg-type]
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def failure(call: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as raised:
        call()
    return raised.value


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", None), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16")]
)
def test_a_page_in_another_encoding_is_read_and_noted_once(encoding, told):
    rig = Rig(httpx.Response(200, content='{"data": ["Größe"]}'.encode(encoding)))
    for _ in range(2):
        assert rig.client.get_json("api/items") == {"data": ["Größe"]}
    first = clocked_page(rig.client, "items", [], None).notices
    assert [told in notice for notice in first] == ([True] if told else [])
    assert clocked_page(rig.client, "items", [], None).notices == ()


def test_a_read_survives_technical_trouble():
    rig = Rig(
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, json={"data": []}),
    )
    assert rig.client.get_json("api/items", {"page": 1, "modified_from": None}) == {"data": []}
    assert rig.slept == [0.25, 0.5, 1.0]
    assert str(rig.requests[-1].url) == "http://erp.example/base/api/items?page=1"


@pytest.mark.parametrize(
    "header, expected",
    [
        ("3", 3.0),
        (format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7.0),
        ("soon", 0.25),
        ("20", 20.0),
    ],
)
def test_the_sources_wish_to_wait_is_honoured_within_reason(header, expected):
    rig = Rig(httpx.Response(429, headers={"Retry-After": header}), httpx.Response(200, json={}))
    rig.client.get_json("x")
    assert rig.slept == [expected]


def test_a_source_that_wants_to_be_left_alone_for_long_is_not_asked_again():
    rig = Rig(httpx.Response(429, headers={"Retry-After": "21"}))
    error = failure(lambda: rig.client.get_json("x"))
    assert (error.kind, error.retry_after) == ("rate_limited", 21.0)
    assert (len(rig.requests), rig.slept) == (1, [])


@pytest.mark.parametrize(
    "answer, kind, attempts, words",
    [
        (httpx.Response(401), "unauthorised", 1, "ERP_KEY"),
        (httpx.Response(403), "forbidden", 1, "ask its owner"),
        (httpx.Response(404), "not_found", 1, "base_url"),
        (
            httpx.Response(422, json={"title": "No", "detail": "bad page"}),
            "refused",
            1,
            "No: bad page",
        ),
        (httpx.Response(301, headers={"Location": "http://new"}), "redirected", 1, "http://new"),
        (httpx.Response(429), "rate_limited", READ_ATTEMPTS, "requests_per_second"),
        (httpx.Response(500, text="<h1>Oops</h1>"), "server_error", READ_ATTEMPTS, "Oops"),
        (
            httpx.ConnectError("[Errno 111] refused"),
            "unreachable",
            READ_ATTEMPTS,
            "http://erp.example",
        ),
        (httpx.ReadTimeout("slow"), "timeout", READ_ATTEMPTS, "no answer in time"),
        (httpx.RemoteProtocolError("peer closed"), "bad_page", READ_ATTEMPTS, "broke off"),
        (httpx.Response(200, text='{"data": [{"doc'), "bad_page", 1, "cut or"),
        (httpx.Response(200, text="<html>maintenance</html>"), "bad_page", 1, "not JSON"),
    ],
)
def test_each_trouble_has_a_kind_and_a_message_that_names_system_place_and_remedy(
    answer, kind, attempts, words
):
    rig = Rig(answer)
    error = failure(lambda: rig.client.get_json("api/items"))
    assert error.kind == kind
    assert "erp_us" in str(error) and "http://erp.example/base/api/items" in str(error)
    assert words in str(error)
    assert len(rig.requests) == attempts


def test_a_page_without_its_list_is_a_bad_page():
    rig = Rig(httpx.Response(200, json={"error": "later"}))
    page = rig.client.get_json("x")
    assert failure(lambda: rig.client.rows(page, "data")).kind == "bad_page"
    assert failure(lambda: rig.client.rows([], "data")).kind == "bad_page"


@pytest.mark.parametrize("link", ["http://evil.example/base/x", "https://erp.example/base/x"])
def test_credentials_follow_no_link_to_another_host(link):
    rig = Rig(httpx.Response(200, json={}), auth=BearerAuth("secret"))
    assert failure(lambda: rig.client.get(link)).kind == "bad_page"
    assert rig.requests == []


@pytest.mark.parametrize("status", [200, 201, 401, 409, 412, 422, 429, 500, 503])
def test_a_write_is_sent_once_and_every_answer_is_handed_back(status):
    rig = Rig(httpx.Response(status, json={"n": 1}, headers={"Retry-After": "1"}))
    answer = rig.client.send("POST", "api/x", json={"a": 1}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == status
    assert len(rig.requests) == 1 and rig.slept == []
    assert rig.requests[0].headers["Idempotency-Key"] == "k"


@pytest.mark.parametrize(
    "trouble, expected",
    [
        (httpx.ConnectError("refused"), NotSentError),
        (httpx.ConnectTimeout("no route"), NotSentError),
        (httpx.ReadTimeout("slow"), NoAnswerError),
        (httpx.WriteTimeout("half sent"), NoAnswerError),
        (httpx.ReadError("reset"), NoAnswerError),
        (httpx.RemoteProtocolError("Server disconnected"), NoAnswerError),
    ],
)
def test_never_sent_is_told_from_perhaps_applied(trouble, expected):
    rig = Rig(trouble)
    with pytest.raises(expected):
        rig.client.send("POST", "api/x", json={})
    assert len(rig.requests) == 1


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Takes the request and closes the connection without a word."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_over_real_sockets_too(silent_server):
    def client(port: int) -> HttpClient:
        system = System(
            name="erp", role="erp", connector="demo_erp", base_url=f"http://127.0.0.1:{port}"
        )
        return HttpClient(system, sleep=lambda _: None)

    with pytest.raises(NoAnswerError, match="read the record there"):
        client(silent_server).send("POST", "api/x", json={})
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NotSentError, match="can't be reached"):
        client(port).send("POST", "api/x", json={})
    assert failure(lambda: client(port).get("api/x")).kind == "unreachable"


class Tokens:
    """An OAuth server: counts tokens and accepts only the latest one."""

    def __init__(self, refuse: bool = False) -> None:
        self.given = 0
        self.refuse = refuse
        self.revoked = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            if self.refuse:
                return httpx.Response(401, json={"title": "invalid_client"})
            assert request.headers["Authorization"].startswith("Basic ")
            assert request.content == b"grant_type=client_credentials"
            self.given += 1
            self.revoked = False
            return httpx.Response(200, json={"access_token": f"t{self.given}", "expires_in": 100})
        good = request.headers.get("Authorization") == f"Bearer t{self.given}" and not self.revoked
        return httpx.Response(200 if good else 401, json={})


def oauth_client(
    tokens: Callable[[httpx.Request], httpx.Response], monotonic: Callable[[], float]
) -> HttpClient:
    system = System(
        name="swft",
        role="carrier",
        connector="demo_carrier",
        base_url="http://c.example",
        secrets={"client_id": "ID", "client_secret": "SECRET"},
    )
    auth = ClientCredentialsAuth("http://c.example/oauth/token", "id", "secret", monotonic)
    return HttpClient(system, auth, transport=httpx.MockTransport(tokens), sleep=lambda _: None)


def test_tokens_are_kept_renewed_and_replaced_when_withdrawn():
    tokens, moment = Tokens(), [0.0]
    client = oauth_client(tokens, lambda: moment[0])
    client.get("x")
    client.get("x")
    assert tokens.given == 1
    moment[0] = 95.0
    client.get("x")
    assert tokens.given == 2
    tokens.revoked = True
    client.get("x")
    assert tokens.given == 3


def test_a_refused_token_is_wrong_credentials_and_a_write_was_not_sent():
    client = oauth_client(Tokens(refuse=True), lambda: 0.0)
    error = failure(lambda: client.get("x"))
    assert error.kind == "unauthorised" and "ID, SECRET" in str(error)
    with pytest.raises(NotSentError):
        client.send("POST", "x", json={})


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"error": "invalid_client"}),
        httpx.Response(200, json={"access_token": None, "expires_in": 60}),
        httpx.Response(200, json=["access_token"]),
        httpx.Response(200, json={"token": "hush"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "soon"}),
        httpx.Response(200, text="<html>Please log in</html>"),
        httpx.Response(204),
        httpx.Response(404, text="no such page"),
    ],
)
def test_a_token_endpoint_that_gives_no_token_is_named_with_what_to_check(answer):
    """A success without a token is no page of the source, and no reason to ask again; nor is an
    address where nothing is the absence of what was to be asked for."""
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answer

    client = oauth_client(serve, lambda: 0.0)
    error = failure(lambda: client.get_json("x"))
    assert error.kind == "unauthorised"
    assert "swft gave no token" in str(error) and "http://c.example/oauth/token" in str(error)
    assert "ID, SECRET" in str(error) and "base_url" in str(error)
    assert "hush" not in str(error)
    with pytest.raises(NotSentError, match="gave no token"):
        client.send("POST", "x", json={})
    assert asked == ["/oauth/token"] * 2


def test_an_allowance_is_never_exceeded():
    moment, allowed = [0.0], []
    allowance = Allowance(10, monotonic=lambda: moment[0])
    for _ in range(100):
        moment[0] += allowance.take()
        allowed.append(moment[0])
    for start in allowed:
        assert sum(start <= other < start + 1 for other in allowed) <= 20
    assert allowed[-1] == pytest.approx(9.0)


@given(
    offset=st.floats(min_value=-4000, max_value=4000),
    exchanges=st.lists(
        st.tuples(st.floats(0.1, 100), st.floats(0, 2), st.floats(0, 1)), min_size=1, max_size=30
    ),
)
def test_the_true_offset_lies_within_the_measured_one(offset, exchanges):
    meter, ours = ClockMeter(), NOW
    for pause, duration, share in exchanges:
        ours += timedelta(seconds=pause)
        answered = ours + timedelta(seconds=duration * share)
        theirs = (answered + timedelta(seconds=offset)).replace(microsecond=0)
        meter.observe(
            ours, ours + timedelta(seconds=duration), format_datetime(theirs, usegmt=True)
        )
        ours += timedelta(seconds=duration)
    measured = meter.offset()
    assert measured is not None
    # 1e-5: datetimes hold microseconds.
    assert abs(offset - measured.seconds) <= 2 * measured.uncertainty_seconds + 1e-5
    if measured.seconds:
        assert abs(offset - measured.seconds) <= measured.uncertainty_seconds + 1e-5


def test_more_responses_narrow_the_offset_and_a_small_one_counts_as_none():
    meter = ClockMeter()
    for milliseconds in range(0, 3000, 50):
        sent = NOW + timedelta(milliseconds=milliseconds)
        told = (sent + timedelta(seconds=150)).replace(microsecond=0)
        meter.observe(sent, sent + timedelta(milliseconds=20), format_datetime(told, usegmt=True))
    measured = meter.offset()
    assert measured is not None
    assert measured.seconds == pytest.approx(150, abs=0.05)
    assert measured.uncertainty_seconds < 0.05

    unsure = ClockMeter()
    later = NOW + timedelta(milliseconds=600)
    unsure.observe(later, later + timedelta(milliseconds=10), format_datetime(NOW, usegmt=True))
    # Somewhere between 0.61 s behind and 0.4 s ahead.
    assert unsure.offset() == ClockOffset(0.0, pytest.approx(0.505))


def test_a_clock_that_was_set_is_measured_anew():
    meter = ClockMeter()
    for jump in (0, 3600):
        told = format_datetime(NOW + timedelta(seconds=jump), usegmt=True)
        meter.observe(NOW, NOW + timedelta(milliseconds=10), told)
    assert meter.offset().seconds == pytest.approx(3600.5, abs=0.1)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Sat, 99 Nov 2026 99:00:00 GMT"])
def test_a_useless_date_header_tells_nothing(header):
    meter = ClockMeter()
    meter.observe(NOW, NOW, header)
    assert meter.offset() is None
