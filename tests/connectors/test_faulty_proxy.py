"""The proxy itself: what passes, and what each fault looks like from the client's side."""

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

from faulty_proxy import Answer, CutBody, Delay, FaultyProxy, LoseAnswer


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and counts."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {"path": self.path, "host": self.headers["Host"], "body": body}
        content = json.dumps(told).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"v1"')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    Echo.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with FaultyProxy(f"http://127.0.0.1:{server.server_port}/base") as running:
        yield running
    server.shutdown()
    server.server_close()


def post(proxy: FaultyProxy) -> httpx.Response:
    return httpx.post(f"{proxy.url}/things?a=1", content="hello", trust_env=False)


def test_what_no_fault_is_armed_for_passes_as_it_is(proxy: FaultyProxy) -> None:
    answer = post(proxy)
    host = httpx.URL(proxy.url).netloc.decode()
    assert answer.json() == {"path": "/base/things?a=1", "host": host, "body": "hello"}
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"v1"')
    assert [asked.path for asked in proxy.seen] == ["/base/things?a=1"]


def test_an_answer_of_the_proxy_never_reaches_the_system(proxy: FaultyProxy) -> None:
    with proxy.fault(Answer(429, {"Retry-After": "7"}), times=1):
        answer = post(proxy)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert Echo.asked == 0
        assert post(proxy).status_code == 201
    assert post(proxy).status_code == 201


def test_a_lost_answer_is_lost_after_the_work_is_done(proxy: FaultyProxy) -> None:
    with proxy.fault(LoseAnswer()), pytest.raises(httpx.RemoteProtocolError):
        post(proxy)
    assert Echo.asked == 1


def test_a_cut_body_is_seen_to_be_cut(proxy: FaultyProxy) -> None:
    with proxy.fault(CutBody()), pytest.raises(httpx.RemoteProtocolError):
        post(proxy)


def test_only_what_matches_goes_wrong_and_a_delay_delays(proxy: FaultyProxy) -> None:
    with proxy.fault(Answer(500), lambda asked: "other" in asked.path):
        assert post(proxy).status_code == 201
    begun = time.monotonic()
    with proxy.fault(Delay(0.3)):
        assert post(proxy).status_code == 201
    assert time.monotonic() - begun >= 0.3
