"""Connections that are kept, on the HTTP client of the standard library: a transport of httpx.

A third of the processor time of httpx's own, which matters where each correction asks four times.
Proxies and HTTP/2 are left to that one.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import httpx

from connectors.deadlines import leave

Origin = tuple[str, str, int]
AT_MOST = 4
"""How many times as long as the longest silence in it a whole answer may take."""
_PORTS = {"http": 80, "https": 443}


class DrippingError(httpx.ReadTimeout):
    """There was always something to receive, and never the end of it."""


class _Patient(io.RawIOBase):
    """What a socket receives, up to a time: somebody who sends a byte now and then would be waited
    for without end. It is the socket itself for whoever wants only a file of it."""

    def __init__(self, receiving: socket.socket, seconds: float | None) -> None:
        self._receiving = receiving.makefile("rb", buffering=0)
        self._seconds = seconds
        self._ends_at = None if seconds is None else time.monotonic() + seconds

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if self._ends_at is not None and time.monotonic() > self._ends_at:
            raise DrippingError(f"not whole after {self._seconds:g} s")
        return self._receiving.readinto(buffer)

    def close(self) -> None:
        self._receiving.close()
        super().close()


class _Connection(http.client.HTTPConnection):
    """A connection, and when it was used last (monotonic seconds)."""

    used_at = 0.0

    def send(self, data: bytes) -> None:  # type: ignore[override]
        """Right before bytes leave: the last place at which they can be kept back. A request of
        which only the head left is none."""
        leave()
        super().send(data)

    def is_usable(self, idle_seconds: float) -> bool:
        """Whether the other side has it still: nothing may be said on it that nobody asked for."""
        if self.sock is None or time.monotonic() - self.used_at > idle_seconds:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


class _SafeConnection(http.client.HTTPSConnection, _Connection):
    """The same over TLS."""


class KeptConnections(httpx.BaseTransport):
    """Sends requests on connections that it keeps for ``idle_seconds``. Safe from several threads,
    each of which has a connection for itself. Raises what httpx's own transport raises, and
    TooLateError (connectors.deadlines)."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._kept: dict[Origin, list[_Connection]] = {}
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def close(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, {}
        for connections in kept.values():
            for connection in connections:
                connection.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.BaseTransport. The whole answer is read."""
        url = request.url
        origin = (url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0))
        body = request.read()
        connection = self._kept_one(origin) or self._new_one(origin, request)
        try:
            answer, content = _asked(connection, request, body)
        except BaseException:
            connection.close()
            raise
        self._keep(origin, connection)
        headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.getheaders()]
        return httpx.Response(answer.status, headers=headers, stream=httpx.ByteStream(content))

    def _kept_one(self, origin: Origin) -> _Connection | None:
        while True:
            with self._lock:
                kept = self._kept.get(origin)
                connection = kept.pop() if kept else None
            if connection is None or connection.is_usable(self._idle_seconds):
                return connection
            connection.close()

    def _keep(self, origin: Origin, connection: _Connection) -> None:
        if connection.sock is None:
            return  # the answer was the last one on it
        connection.used_at = time.monotonic()
        with self._lock:
            self._kept.setdefault(origin, []).append(connection)

    def _new_one(self, origin: Origin, request: httpx.Request) -> _Connection:
        scheme, host, port = origin
        seconds = request.extensions.get("timeout", {})
        if scheme == "https":
            if self._tls is None:
                self._tls = httpx.create_ssl_context()
            connection: _Connection = _SafeConnection(
                host, port, timeout=seconds.get("connect"), context=self._tls
            )
        elif scheme == "http":
            connection = _Connection(host, port, timeout=seconds.get("connect"))
        else:
            raise httpx.UnsupportedProtocol(f"'{scheme}' is not spoken here", request=request)
        try:
            connection.connect()
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        connection.sock.settimeout(seconds.get("read"))
        return connection


def _answer(
    receiving: socket.socket, *, seconds: float | None, **how: Any
) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(_Patient(receiving, seconds), **how)  # type: ignore[arg-type]


def _asked(
    connection: _Connection, request: httpx.Request, body: bytes
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the request; the answer and its body as it came."""
    try:
        connection.putrequest(
            request.method,
            request.url.raw_path.decode("ascii"),
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in request.headers.raw:
            connection.putheader(name, value)
    except (ValueError, http.client.HTTPException) as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error
    try:
        # Who does not want to hear it to its end may have answered already.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(body or None)
        silence = request.extensions.get("timeout", {}).get("read")
        seconds = None if silence is None else AT_MOST * silence
        connection.response_class = partial(_answer, seconds=seconds)  # type: ignore[assignment]
        answer = connection.getresponse()
        if answer.status < httpx.codes.OK:
            raise http.client.BadStatusLine(f"an answer of {answer.status} is not the last one")
        ends_by_closing = answer.length is None and not answer.chunked
        content = answer.read()
        if ends_by_closing and not content and answer.status < httpx.codes.MULTIPLE_CHOICES:
            # The library takes a head that is cut for a whole one. (A failure needs no body.)
            raise http.client.IncompleteRead(content)
        return answer, content
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(str(error) or type(error).__name__) from error
    except OSError as error:
        raise httpx.ReadError(str(error), request=request) from error
