"""The proxy itself: what each toxic and each HTTP fault looks like from the sender's side."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from toxic_proxy import Toxic, ToxicProxy

ANSWER = "x" * 4000


class Counting(BaseHTTPRequestHandler):
    """Answers with four thousand letters, and counts what arrived whole."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    asked = 0

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        if len(self.rfile.read(length)) < length:
            self.close_connection = True
            return
        type(self).asked += 1
        content = json.dumps({"said": ANSWER}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def proxy() -> Iterator[ToxicProxy]:
    Counting.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with ToxicProxy(("127.0.0.1", server.server_port)) as running:
        yield running
    server.shutdown()
    server.server_close()


def post(proxy: ToxicProxy, timeout: float = 5.0) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        return client.post(f"{proxy.url}/things", content="y" * 2000)


def test_without_toxics_everything_passes(proxy: ToxicProxy) -> None:
    assert post(proxy).json() == {"said": ANSWER}
    assert (Counting.asked, dict(proxy.fired)) == (1, {})


@pytest.mark.parametrize(
    ("toxic", "seconds"),
    [
        (Toxic("latency", "downstream", seconds=0.2), 0.2),
        (Toxic("latency", "upstream", seconds=0.2), 0.2),
        (Toxic("bandwidth", "downstream", size=20_000), 0.15),
        (Toxic("slicer", "upstream", size=500, seconds=0.03), 0.1),
    ],
    ids=lambda value: f"{value.name}-{value.stream}" if isinstance(value, Toxic) else "",
)
def test_what_only_delays_loses_nothing(proxy: ToxicProxy, toxic: Toxic, seconds: float) -> None:
    begun = time.monotonic()
    with proxy.poisoned(toxic):
        assert post(proxy).json() == {"said": ANSWER}
    assert time.monotonic() - begun >= seconds
    assert proxy.fired[toxic.name] == 1


@pytest.mark.parametrize("name", ["timeout", "reset_peer"])
@pytest.mark.parametrize(("stream", "arrived"), [("upstream", 0), ("downstream", 1)])
def test_what_breaks_the_connection_loses_the_request_or_the_answer(
    proxy: ToxicProxy, name: str, stream: str, arrived: int
) -> None:
    broken = httpx.ReadError if name == "reset_peer" else httpx.RemoteProtocolError
    with proxy.poisoned(Toxic(name, stream, seconds=0.05)), pytest.raises(broken):
        post(proxy)
    assert (Counting.asked, proxy.fired[name]) == (arrived, 1)


@pytest.mark.parametrize(("stream", "arrived"), [("upstream", 0), ("downstream", 1)])
def test_a_data_limit_cuts_what_exceeds_it(proxy: ToxicProxy, stream: str, arrived: int) -> None:
    with (
        proxy.poisoned(Toxic("limit_data", stream, size=1000)),
        pytest.raises(httpx.RemoteProtocolError),
    ):
        post(proxy)
    assert (Counting.asked, proxy.fired["limit_data"]) == (arrived, 1)
    with proxy.poisoned(Toxic("limit_data", stream, size=100_000)):
        assert post(proxy).status_code == 200
    assert proxy.fired["limit_data"] == 1


def test_down_refuses_connections_and_comes_back_under_its_port(proxy: ToxicProxy) -> None:
    with proxy.poisoned(Toxic("down")), pytest.raises(httpx.ConnectError):
        post(proxy)
    assert post(proxy).status_code == 200


def test_a_slow_close_keeps_the_connection_open_a_while(proxy: ToxicProxy) -> None:
    proxy.arm("cut_body")
    begun = time.monotonic()
    with (
        proxy.poisoned(Toxic("slow_close", seconds=0.2)),
        pytest.raises(httpx.RemoteProtocolError),
    ):
        post(proxy)
    assert time.monotonic() - begun >= 0.2
    assert proxy.fired["slow_close"] == 1


@pytest.mark.parametrize(("name", "status"), [("unavailable", 503), ("rate_limited", 429)])
def test_a_refusal_names_a_wait_and_never_reaches_the_system(
    proxy: ToxicProxy, name: str, status: int
) -> None:
    proxy.arm(name)
    answer = post(proxy)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "5")
    assert (Counting.asked, post(proxy).status_code) == (0, 200)


@pytest.mark.parametrize(
    ("name", "arrived"), [("cut_body", 1), ("answer_lost", 1), ("closed_after_receipt", 0)]
)
def test_a_lost_exchange_has_its_effect_or_not(proxy: ToxicProxy, name: str, arrived: int) -> None:
    proxy.arm(name)
    with pytest.raises(httpx.RemoteProtocolError):
        post(proxy)
    assert (Counting.asked, proxy.fired[name]) == (arrived, 1)


def test_an_error_after_the_effect(proxy: ToxicProxy) -> None:
    proxy.arm("error_after_effect")
    assert post(proxy).status_code == 500
    assert Counting.asked == 1


def test_a_request_that_is_late_arrives_after_its_sender_gave_up(proxy: ToxicProxy) -> None:
    with (
        proxy.poisoned(Toxic("latency", "upstream", seconds=0.3)),
        pytest.raises(httpx.ReadTimeout),
    ):
        post(proxy, timeout=0.1)
    assert Counting.asked == 0
    deadline = time.monotonic() + 5
    while Counting.asked == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Counting.asked == 1


def test_somebody_may_write_between_a_senders_read_and_its_write(proxy: ToxicProxy) -> None:
    seen = []
    proxy.before_write = lambda method, path: seen.append((method, path, Counting.asked))
    post(proxy)
    assert seen == [("POST", "/things", 0)]
