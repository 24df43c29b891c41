"""A TCP proxy before one HTTP system that makes connections and exchanges go wrong as it is told.

Toxics are those of Toxiproxy, with its names and meanings: latency, down, bandwidth, slow_close,
timeout, reset_peer, slicer, limit_data; each acts on what goes ``upstream`` (the request) or
``downstream`` (the answer), with a toxicity. HTTP faults go wrong with one exchange each. The proxy
reads one message whole before it passes it on, so that each byte limit and each delay falls on a
known message; requests are not pipelined.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

TOXICS = (
    "latency",
    "down",
    "bandwidth",
    "slow_close",
    "timeout",
    "reset_peer",
    "slicer",
    "limit_data",
)
HTTP_FAULTS = (
    "unavailable",  # 503 with Retry-After; the system never hears of it
    "rate_limited",  # 429 with Retry-After; the system never hears of it
    "cut_body",  # the system does it and says 200; the body breaks off
    "error_after_effect",  # the system does it; the sender is told 500
    "closed_after_receipt",  # the request was received and never passed on; the connection closes
    "answer_lost",  # the system does it; the connection closes without an answer
)
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


@dataclass(frozen=True)
class Toxic:
    """One toxic. ``seconds``: the delay of latency, slow_close, timeout and reset_peer, and between
    the bits of a slicer; ``size``: bytes a second of bandwidth, bytes of a bit of a slicer, or the
    limit of limit_data; ``toxicity``: the share of messages that it acts on."""

    name: str
    stream: str = "downstream"
    seconds: float = 0.0
    size: int = 0
    toxicity: float = 1.0


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, and all of it as it came."""

    start: str
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.start.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.start.split(" ")[1]

    @property
    def raw(self) -> bytes:
        return self.head + self.body


class _Closed(Exception):
    """Close the connection now."""


class _Reset(Exception):
    """Reset the connection now (TCP RST)."""


@dataclass
class _Armed:
    name: str
    writes_only: bool
    left: int


@dataclass
class ToxicProxy:
    """A running proxy in a thread of its own. ``fired`` counts toxics and HTTP faults that acted
    (``down`` acts on connections that are never made: only their senders can count it).

    ``before_write(method, path)`` is called, in a thread of its own, when a write is about to be
    passed on: who changes the record there does it between its sender's read and write.
    """

    upstream: tuple[str, int]
    seed: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    before_write: Callable[[str, str], None] | None = None

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._toxics: tuple[Toxic, ...] = ()
        self._armed: list[_Armed] = []
        self._busy = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> ToxicProxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop_listening())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def poisoned(self, *toxics: Toxic) -> Iterator[None]:
        """In this block these toxics act; with ``down`` among them nobody can connect."""
        down = any(toxic.name == "down" for toxic in toxics)
        self._toxics = tuple(toxic for toxic in toxics if toxic.name != "down")
        if down:
            self._call(self._stop_listening())
        try:
            yield
        finally:
            self._toxics = ()
            if down:
                self._call(self._listen())

    def arm(self, name: str, times: int = 1, writes_only: bool = True) -> None:
        """The next ``times`` exchanges meet an HTTP fault."""
        assert name in HTTP_FAULTS, name
        self._armed.append(_Armed(name, writes_only, times))

    def disarm(self) -> None:
        """What is armed and has not fired yet is forgotten."""
        self._armed.clear()

    @property
    def is_quiet(self) -> bool:
        """Whether no message is on its way."""
        return not self._busy

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)  # type: ignore[arg-type]

    # ---- listening -------------------------------------------------------------------------

    async def _listen(self) -> None:
        # The same port again after ``down``.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self._server = await asyncio.start_server(self._serve, sock=listener)
        self.port = listener.getsockname()[1]

    async def _stop_listening(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        # What went through so far, by stream: limit_data counts over a connection.
        passed: Counter[str] = Counter()
        reset = False
        try:
            while (request := await _read(reader)) is not None:
                self._busy += 1
                try:
                    await self._exchange(request, writer, up_reader, up_writer, passed)
                finally:
                    self._busy -= 1
        except _Reset:
            reset = True
        except (_Closed, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            await self._close(writer, up_writer, reset)
            self._writers.discard(writer)

    async def _close(
        self, writer: asyncio.StreamWriter, up_writer: asyncio.StreamWriter, reset: bool
    ) -> None:
        for toxic in self._acting("slow_close"):
            await asyncio.sleep(toxic.seconds)
        if reset:
            linger = struct.pack("ii", 1, 0)
            # Who hung up already can't be reset.
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
        for one in (writer, up_writer):
            one.transport.abort() if reset else one.close()

    # ---- one exchange ----------------------------------------------------------------------

    async def _exchange(
        self,
        request: Message,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        passed: Counter[str],
    ) -> None:
        is_write = request.method in WRITES
        fault = self._take(is_write)
        if fault in ("unavailable", "rate_limited"):
            writer.write(_refusal(503 if fault == "unavailable" else 429))
            await writer.drain()
            return
        if fault == "closed_after_receipt":
            raise _Closed
        if is_write:
            self.written[_header(request, "idempotency-key")] += 1
            if self.before_write is not None:
                hook = self.before_write
                await self._loop.run_in_executor(None, hook, request.method, request.path)
        await self._pass(request.raw, up_writer, "upstream", passed)
        answer = await _read(up_reader)
        if answer is None or fault == "answer_lost":
            raise _Closed
        if fault == "cut_body":
            writer.write(answer.head + answer.body[: len(answer.body) // 2])
            await writer.drain()
            raise _Closed
        if fault == "error_after_effect":
            writer.write(_refusal(500))
            await writer.drain()
            return
        await self._pass(answer.raw, writer, "downstream", passed)

    def _take(self, is_write: bool) -> str | None:
        for armed in self._armed:
            if is_write or not armed.writes_only:
                armed.left -= 1
                if armed.left <= 0:
                    self._armed.remove(armed)
                self.fired[armed.name] += 1
                return armed.name
        return None

    async def _pass(
        self, data: bytes, writer: asyncio.StreamWriter, stream: str, passed: Counter[str]
    ) -> None:
        """Pass a message on through the toxics of its direction, in the order of the stack."""
        size, pause = len(data), 0.0
        for name in ("latency", "timeout", "reset_peer"):
            for toxic in self._acting(name, stream):
                await asyncio.sleep(toxic.seconds)
                if name == "timeout":
                    raise _Closed
                if name == "reset_peer":
                    raise _Reset
        for toxic in self._acting("bandwidth", stream):
            size = min(size, max(1, toxic.size // 50))
            pause = max(pause, size / toxic.size)
        for toxic in self._acting("slicer", stream):
            size, pause = min(size, toxic.size), max(pause, toxic.seconds)
        allowed = data[: self._limit(len(data), stream, passed)]
        for start in range(0, len(allowed), max(1, size)):
            writer.write(allowed[start : start + size])
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        passed[stream] += len(allowed)
        if len(allowed) < len(data):
            raise _Closed

    def _limit(self, size: int, stream: str, passed: Counter[str]) -> int:
        """How many bytes of a message a connection still lets through."""
        for toxic in self._toxics:
            left = max(0, toxic.size - passed[stream])
            if (toxic.name, toxic.stream) == ("limit_data", stream) and left < size:
                self.fired["limit_data"] += 1
                size = left
        return size

    def _acting(self, name: str, stream: str | None = None) -> list[Toxic]:
        """The toxics of a name that act on this message, each counted as fired."""
        found = [
            toxic
            for toxic in self._toxics
            if toxic.name == name
            and stream in (None, toxic.stream)
            and self._rng.random() < toxic.toxicity
        ]
        if found:
            self.fired[name] += len(found)
        return found


async def _read(reader: asyncio.StreamReader) -> Message | None:
    """One message; None when the other side closed before it began one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    message = Message(head.split(b"\r\n", 1)[0].decode(), head, b"")
    length = int(_header(message, "content-length") or 0)
    return Message(message.start, head, await reader.readexactly(length))


def _header(message: Message, name: str) -> str:
    for line in message.head.decode("latin-1").split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return ""


def _refusal(status: int) -> bytes:
    body = b'{"title": "the proxy was told to answer so"}'
    lines = [
        f"HTTP/1.1 {status} As told",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
    ]
    if status in (429, 503):
        lines.append("Retry-After: 5")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
