"""Kept connections over real sockets: what is kept, what is raised, and what never leaves."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors import http as connectors_http
from connectors import wire
from connectors.base import SourceError
from connectors.deadlines import Deadline, TooLateError, leaving_before
from connectors.http import HttpClient, NoAnswerError, NotSentError
from connectors.wire import KeptConnections
from registry.systems import System

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok"
Answers = Callable[[bytes], bytes | None]


class Server:
    """Answers each request by what ``script`` makes of it; None closes the connection at once.
    ``heard``: (number of the connection, request)."""

    def __init__(self, script: Answers, closes: bool = False) -> None:
        self.script = script
        self.closes = closes
        self.heard: list[tuple[int, bytes]] = []
        self.connections = 0
        self.ended = threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            number = self.connections
            threading.Thread(target=self._talk, args=(connection, number), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        try:
            self._answer(connection, number)
        finally:
            self.ended.release()

    def _answer(self, connection: socket.socket, number: int) -> None:
        with connection:
            while True:
                request = _whole(connection)
                if not request:
                    return
                self.heard.append((number, request))
                answer = self.script(request)
                if answer is None:
                    return
                connection.sendall(answer)
                if self.closes:
                    return


def _whole(connection: socket.socket) -> bytes:
    """One request; what came of it when it breaks off."""
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(65536)
        if not part:
            return read
        read += part
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"-length" in line), 0
    )
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(script: Answers, closes: bool = False) -> Iterator[Server]:
    server = Server(script, closes)
    try:
        yield server
    finally:
        server.listener.close()


def asked(
    transport: KeptConnections, server: Server, seconds: float = 5.0, **content: object
) -> httpx.Response:
    request = httpx.Request(
        "POST" if content else "GET",
        f"{server.url}v1/orders?n=1",
        extensions={"timeout": {"connect": 5.0, "read": seconds}},
        **content,  # type: ignore[arg-type]
    )
    response = transport.handle_request(request)
    response.read()
    return response


def test_a_connection_is_kept_and_the_whole_answer_is_read():
    with serving(lambda _: OK) as server:
        transport = KeptConnections(60)
        for _ in range(3):
            response = asked(transport, server)
        assert (response.status_code, response.content) == (200, b"ok")
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        asked(transport, server, json={"a": 1})
        assert server.connections == 1
        _, last = server.heard[-1]
        assert last.startswith(b"POST /v1/orders?n=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert last.endswith(b'\r\n\r\n{"a":1}')
        transport.close()


@pytest.mark.parametrize("closes", [False, True])
def test_a_connection_that_was_idle_or_is_closed_is_not_used_again(closes: bool, monkeypatch):
    """A request into a connection that the other side is closing gets no answer."""
    with serving(lambda _: OK, closes=closes) as server:
        transport = KeptConnections(60 if closes else 0)
        for _ in range(3):
            assert asked(transport, server).content == b"ok"
            # Else the next request may go out before the other side has closed.
            assert not closes or server.ended.acquire(timeout=30)
        assert [number for number, _ in server.heard] == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", b"ab"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
            % (len(gzip.compress(b"abc")), gzip.compress(b"abc")),
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Name: Gr\xfc\xdfe\r\n\r\n", b""),
    ],
    ids=["204", "chunked", "closing", "gzip", "latin-1"],
)
def test_answers_of_all_forms_are_read(answer: bytes, content: bytes):
    with serving(lambda _: answer) as server:
        transport = KeptConnections(60)
        assert [asked(transport, server).content for _ in range(2)] == [content, content]


def test_a_failure_without_a_length_or_a_body_is_an_answer():
    with serving(lambda _: b"HTTP/1.0 503 Service Unavailable\r\n\r\n", closes=True) as server:
        assert asked(KeptConnections(60), server).status_code == 503


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", httpx.RemoteProtocolError),
        (b"not HTTP at all\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-", httpx.RemoteProtocolError),
    ],
    ids=["closed", "cut", "no HTTP", "interim", "cut head"],
)
def test_what_is_no_answer_is_an_error_of_httpx(answer: bytes | None, error: type[Exception]):
    with serving(lambda _: answer, closes=True) as server, pytest.raises(error):
        asked(KeptConnections(60), server)


def test_silence_and_nobody_there():
    quiet = threading.Event()
    with serving(lambda _: b"" if quiet.wait(5) else None) as server:
        transport = KeptConnections(60)
        with pytest.raises(httpx.ReadTimeout):
            asked(transport, server, seconds=0.05)
        quiet.set()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        server.url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    with pytest.raises(httpx.ConnectError):
        asked(transport, server)
    with pytest.raises(httpx.UnsupportedProtocol):
        transport.handle_request(httpx.Request("GET", "ftp://a.test/"))


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"]
)
def test_an_answer_that_drips_is_given_up(beginning: bytes):
    """A byte now and then had been waited for without end, and the pass and its lock with it."""
    asked_for = []

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked_for.append(_whole(connection))
            connection.sendall(beginning)
            while True:
                time.sleep(0.05)
                connection.sendall(b"x")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        system = System(
            name="slow",
            role="erp",
            connector="demo_erp",
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            options={"timeout_seconds": 0.2},
        )
        client = HttpClient(system, transport=KeptConnections(5))
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"not whole after 0\.8 s") as told:
            client.get("x")
        assert told.value.kind == "timeout"
        # Not asked again: that would be as long once more.
        assert len(asked_for) == 1
        with pytest.raises(NoAnswerError):
            client.send("POST", "x", json={})
        assert time.monotonic() - started < 10


def test_a_value_with_a_line_break_never_leaves():
    with serving(lambda _: OK) as server:
        request = httpx.Request("GET", server.url, headers={"If-Match": "a\r\nX-Evil: 1"})
        with pytest.raises(httpx.LocalProtocolError):
            KeptConnections(60).handle_request(request)
        assert server.heard == []


class Sleeper:
    """A clock on which the sender sleeps for a minute as often as ``at`` is asked for."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.asked = 0

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)

    def monotonic(self) -> float:
        self.asked += 1
        return 60.0 if self.asked > self.at else 0.0


@pytest.mark.parametrize("step", [1, 2], ids=["before the head", "before the body"])
def test_a_sender_that_slept_keeps_its_request(step: int):
    """The clock is asked again right before the bytes leave, on a connection that stands: nothing
    that can be acted upon reaches the other side."""
    with serving(lambda _: OK) as server:
        transport = KeptConnections(60)
        asked(transport, server)
        server.heard.clear()
        deadline = Deadline.after(timedelta(seconds=30), Sleeper(at=step))
        with leaving_before(deadline), pytest.raises(TooLateError):
            asked(transport, server, json={"a": 1})
        assert asked(transport, server).content == b"ok"
        assert not [request for _, request in server.heard if b'{"a":1}' in request]


def _client(server: Server, **options: object) -> HttpClient:
    return HttpClient(
        System(name="erp", role="erp", connector="x", base_url=server.url, **options),  # type: ignore[arg-type]
        sleep=lambda _: None,
    )


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_write_that_comes_too_late_is_not_sent_by_either_transport(
    through_proxy: bool, monkeypatch: pytest.MonkeyPatch
):
    with serving(lambda _: OK) as server:
        if through_proxy:
            # The server plays the proxy: it is asked for the whole address.
            monkeypatch.setenv("http_proxy", server.url)
            monkeypatch.setattr(connectors_http, "_LOOPBACK", frozenset())
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
        client = _client(server)
        assert isinstance(client._transport, httpx.HTTPTransport) is through_proxy
        assert client.send("POST", "x", json={}).content == b"ok"
        assert (b"POST http://" in server.heard[0][1]) is through_proxy
        server.heard.clear()
        # Once asked by the client, then by what carries it.
        for step in (0, 1, 2):
            deadline = Deadline.after(timedelta(seconds=30), Sleeper(at=step + 1))
            with leaving_before(deadline), pytest.raises(NotSentError) as raised:
                client.send("POST", "x", json={"late": step})
            assert raised.value.kind == "too_late"
        assert not [request for _, request in server.heard if b'"late"' in request]


def test_cookies_are_kept_and_told_again():
    with serving(lambda _: OK) as server:
        client = _client(server)
        client.get("x")
        client.get("x")
        assert b"cookie: a=1; b=2" in server.heard[1][1].lower()


def test_an_unread_answer_to_a_write_is_no_answer():
    with serving(lambda _: None) as server, pytest.raises(NoAnswerError):
        _client(server).send("POST", "x", json={})


def test_it_is_safe_from_several_threads():
    with serving(lambda request: OK.replace(b"ok", request[-2:])) as server:
        transport, wrong = KeptConnections(60), []

        def work(name: int) -> None:
            for number in range(20):
                wanted = f"{name}{number % 10}".encode()
                if asked(transport, server, content=wanted).content != wanted:
                    wrong.append((name, number))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert server.connections <= 4


def _certificate(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate for localhost that nobody signed but itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_over_tls_the_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                    with context.wrap_socket(raw, server_side=True) as connection:
                        while _whole(connection):  # type: ignore[arg-type]
                            connection.sendall(OK)
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        request = httpx.Request("GET", f"https://localhost:{port}/")
        with pytest.raises(httpx.ConnectError, match="certificate"):
            KeptConnections(60).handle_request(request)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        transport = KeptConnections(60)
        assert [transport.handle_request(request).read() for _ in range(2)] == [b"ok", b"ok"]
        assert isinstance(transport._kept["https", "localhost", port][0], wire._SafeConnection)
        listener.shutdown(socket.SHUT_RDWR)
