"""An OMS that only answers: the demo OMS's dialect on loopback, with a ledger of what it did.

    .venv/bin/python -m bench.loopback_oms

A process of its own, so that its work is not ours. It prints its port, then serves until its input
ends. Orders exist by being asked for: ``ord_<n>`` has one line of 5 pieces, and under ``/hq`` (the
authority) of 7. Writes need the right ``If-Match``; a key that was seen is answered as before.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

OLD_QUANTITY, RIGHT_QUANTITY = 5, 7
MADE_AT = "2026-11-01T08:00:00.000Z"
Answer = tuple[int, Any]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Orders:
    """What the OMS holds. ``effects`` counts the writes under each key."""

    def __init__(self) -> None:
        self.written: dict[str, tuple[int, int, str]] = {}  # order id -> quantity, version, time
        self.changes: list[str] = []  # order ids in the order of their last write
        self.effects: dict[str, int] = {}
        self.requests = 0

    def document(self, order_id: str, authority: bool = False) -> dict[str, Any]:
        """An order as the OMS tells it."""
        made = (RIGHT_QUANTITY if authority else OLD_QUANTITY, 1, MADE_AT)
        quantity, version, updated_at = made if authority else self.written.get(order_id, made)
        number = order_id.removeprefix("ord_")
        return {
            "id": order_id,
            "orderNumber": f"SO-{number}",
            "channel": "web",
            "customerRef": "C-1001",
            "currency": "USD",
            "status": "open",
            "version": version,
            "createdAt": MADE_AT,
            "updatedAt": updated_at,
            "lines": [
                {
                    "lineNo": 1,
                    "sku": "SKU-0001",
                    "qty": quantity,
                    "unitPrice": "12.50",
                    "status": "open",
                    "deliveredAt": None,
                }
            ],
        }

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request."""
        self.requests += 1
        split = urlsplit(target)
        authority = split.path.startswith("/hq/")
        steps = split.path.removeprefix("/hq").strip("/").split("/")
        match method, steps:
            case "GET", ["v1", "orders"]:
                return self._listed(parse_qs(split.query), authority)
            case "GET", ["v1", "orders", order_id]:
                return 200, self.document(order_id, authority)
            case "PATCH", ["v1", "orders", order_id, "lines", "1"] if not authority:
                return self._patched(order_id, headers, json.loads(body))
            case "GET", ["ledger"]:
                return 200, {"requests": self.requests, "effects": self.effects}
        return 404, {"title": "not found"}

    def _listed(self, query: dict[str, list[str]], authority: bool) -> Answer:
        if "orderNumber" in query:
            order_id = "ord_" + query["orderNumber"][0].removeprefix("SO-")
            return 200, {"orders": [self.document(order_id, authority)], "nextCursor": None}
        # In the order of their times, so that what is new is at the end.
        after = query.get("updatedAfter", [""])[0]
        start = len(self.changes)
        while start and self.written[self.changes[start - 1]][2] > after:
            start -= 1
        start += int(query.get("cursor", ["0"])[0])
        limit = int(query.get("limit", ["500"])[0])
        told = self.changes[start : start + limit]
        done = int(query.get("cursor", ["0"])[0]) + len(told)
        more = start + limit < len(self.changes)
        orders = [self.document(order_id) for order_id in told]
        return 200, {"orders": orders, "nextCursor": str(done) if more else None}

    def _patched(self, order_id: str, headers: dict[str, str], change: dict[str, Any]) -> Answer:
        key = headers.get("idempotency-key", "")
        if key in self.effects:
            return 200, self.document(order_id)
        _, version, _ = self.written.get(order_id, (OLD_QUANTITY, 1, MADE_AT))
        if headers.get("if-match") not in (None, f'"v{version}"'):
            return 412, {"title": "version conflict"}
        self.written[order_id] = (int(change["qty"]), version + 1, _now())
        self.changes.append(order_id)
        self.effects[key] = self.effects.get(key, 0) + 1
        return 200, self.document(order_id)


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with kept connections, as little of it as our client needs."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._unread[:end].decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = int(headers.get("content-length", 0))
            if len(self._unread) < end + 4 + length:
                return
            body = self._unread[end + 4 : end + 4 + length]
            self._unread = self._unread[end + 4 + length :]
            method, target, _ = first.split(" ")
            status, answer = self._orders.answer(method, target, headers, body)
            content = json.dumps(answer, separators=(",", ":")).encode()
            head = (
                f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\nDate: {formatdate(usegmt=True)}\r\n\r\n"
            )
            assert self._transport is not None
            self._transport.write(head.encode() + content)


async def _serve() -> None:
    orders = Orders()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(orders), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
