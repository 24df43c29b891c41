"""An HTTP proxy in front of one system that makes chosen requests go wrong, for tests.

It stands between a connector and a product that can't be told to fail: answers in its place, loses
an answer after the product has done its work, cuts a body, or waits. Everything else passes as it
is, the Host header too, so that links in answers lead back through the proxy.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Headers that belong to one connection and are made anew for the other.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Asked:
    """A request as the proxy saw it; ``path`` with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The proxy answers itself; the system never hears of the request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"title": "the proxy was told to answer so"}'


@dataclass(frozen=True)
class LoseAnswer:
    """The system does its work, and its answer never arrives: the connection is closed."""


@dataclass(frozen=True)
class CutBody:
    """The answer breaks off in the middle of its body."""


@dataclass(frozen=True)
class Delay:
    """The answer comes, but so many seconds late."""

    seconds: float


Fault = Answer | LoseAnswer | CutBody | Delay
Matches = Callable[[Asked], bool]


@dataclass
class _Armed:
    fault: Fault
    matches: Matches
    left: float


class FaultyProxy:
    """A running proxy; ``url`` takes the place of the system's base URL, path included."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.seen: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{parts.path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()

    @contextmanager
    def fault(
        self, fault: Fault, matches: Matches = lambda asked: True, times: float = float("inf")
    ) -> Iterator[None]:
        """In this block the next ``times`` requests that match go wrong."""
        armed = _Armed(fault, matches, times)
        with self._lock:
            self._armed.append(armed)
        try:
            yield
        finally:
            with self._lock:
                self._armed.remove(armed)

    def take(self, asked: Asked) -> Fault | None:
        """Note a request and use up the fault that is armed for it, if any."""
        with self._lock:
            self.seen.append(asked)
            for armed in self._armed:
                if armed.left > 0 and armed.matches(asked):
                    armed.left -= 1
                    return armed.fault
        return None

    def forward(self, asked: Asked) -> tuple[int, list[tuple[str, str]], bytes]:
        """Let the system answer."""
        connection = http.client.HTTPConnection(*self._upstream, timeout=60)
        try:
            connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _handler_of(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else each answer waits for the acknowledgement of its headers.
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP}
            asked = Asked(self.command, self.path, kept, body)
            fault = proxy.take(asked)
            if isinstance(fault, Answer):
                self._answer(fault.status, list(fault.headers.items()), fault.body)
                return
            status, headers, content = proxy.forward(asked)
            if isinstance(fault, LoseAnswer):
                self.close_connection = True
                return
            if isinstance(fault, Delay):
                time.sleep(fault.seconds)
            cut = isinstance(fault, CutBody)
            self._answer(status, headers, content, len(content) // 2 if cut else None)

        def _answer(
            self,
            status: int,
            headers: list[tuple[str, str]],
            content: bytes,
            cut_at: int | None = None,
        ) -> None:
            # Not send_response: it would add a Date of its own to the system's.
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            if cut_at is not None:
                self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[:cut_at])
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_MERGE = _serve

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent: ``proxy.seen`` is the log."""

    return Handler
