"""A scale folder over HTTP, in the dialects of OMS and WMS: slices of files written before.

A page costs one read and one replacement of line feeds by commas, so that what is measured is the
loader. Lists and feeds only: no point reads, no writes, no rate limit, no misbehaviour. Feeds that
the folder does not hold (the WMS's transactions, its inventory) are there and empty.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import bisect
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import uvicorn
from starlette.types import Receive, Scope, Send

from sandbox import clock
from sandbox.carrier import basic_credentials
from sandbox.problems import PROBLEM_JSON
from sandbox.scale.write import read_manifest
from sandbox.server import listen_on
from sandbox.settings import WMS_CLOCK_FAST_SECONDS, Credentials
from sandbox.tables import to_json

MOST_ROWS = 1000
_EMPTY_FEEDS = ("transactions",)


@dataclass(frozen=True)
class _Part:
    """One file of documents, opened for reading; ``ends`` and ``keys`` by row."""

    path: Path
    ends: Any
    keys: Any


class Shelf:
    """The documents of one entity over all its parts, by key. A page ends where its part ends."""

    def __init__(self, folder: Path) -> None:
        self._parts: list[_Part] = []
        for path in sorted(folder.glob("part-*.ndjson")):
            ends, keys = np.load(path.with_suffix(".npy"), mmap_mode="r")
            if len(ends):
                self._parts.append(_Part(path, ends, keys))
        self._last_keys = [int(part.keys[-1]) for part in self._parts]
        self._first_rows = np.concatenate(
            ([0], np.cumsum([len(part.ends) for part in self._parts]))
        ).tolist()

    def __len__(self) -> int:
        return int(self._first_rows[-1])

    @property
    def last_key(self) -> int:
        """The greatest key; 0 when there is none."""
        return self._last_keys[-1] if self._last_keys else 0

    def row_after(self, key: int) -> int:
        """The first row whose key is greater."""
        number = bisect.bisect_right(self._last_keys, key)
        if number == len(self._parts):
            return len(self)
        inside = int(np.searchsorted(self._parts[number].keys, key, side="right"))
        return int(self._first_rows[number]) + inside

    def key_at(self, row: int) -> int:
        """The key of a row."""
        number = bisect.bisect_right(self._first_rows, row) - 1
        return int(self._parts[number].keys[row - self._first_rows[number]])

    def page(self, row: int, limit: int) -> tuple[bytes, int]:
        """Documents from a row on, joined by commas, and the row after them."""
        if row >= len(self):
            return b"", row
        number = bisect.bisect_right(self._first_rows, row) - 1
        part, start = self._parts[number], row - self._first_rows[number]
        stop = min(start + limit, len(part.ends))
        begin = int(part.ends[start - 1]) if start else 0
        with part.path.open("rb") as handle:
            handle.seek(begin)
            text = handle.read(int(part.ends[stop - 1]) - begin)
        return text[:-1].replace(b"\n", b","), self._first_rows[number] + stop


class _RefusedError(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class ScaleApp:
    """The ASGI app of both systems: their paths differ. Raises SandboxError for no such folder."""

    def __init__(self, folder: Path, credentials: Credentials | None = None) -> None:
        read_manifest(folder)
        self._credentials = credentials or Credentials()
        self._oms = {name: Shelf(folder / "oms" / name) for name in ("products", "orders")}
        self._wms = {
            name: Shelf(folder / "wms" / name) for name in ("items", "orders", "shipments")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        query = {
            name: given[-1] for name, given in parse_qs(scope["query_string"].decode()).items()
        }
        fast, media = 0.0, "application/json"
        try:
            if scope["method"] != "GET":
                raise _RefusedError(405, "scale data can only be read")
            root, _, rest = scope["path"].lstrip("/").partition("/")
            if root in ("feed", "inventory"):
                fast = WMS_CLOCK_FAST_SECONDS
            status, body = 200, self._answer(root, rest, query, headers)
        except _RefusedError as error:
            status, media = error.status, PROBLEM_JSON
            body = to_json({"type": "about:blank", "status": status, "detail": str(error)}).encode()
        sent = [
            (b"content-type", media.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"date", clock.http_date(clock.now() + fast).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    def _answer(
        self, root: str, rest: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> bytes:
        given = headers.get("authorization", "")
        known = self._credentials
        if root == "health":
            return b'{"status":"ok","system":"scale"}'
        if root == "v1" and rest in self._oms:
            if given != f"Bearer {known.oms_token}":
                raise _RefusedError(401, "the OMS does not accept these credentials")
            return self._list(rest, query)
        if (root == "feed" and rest in (*self._wms, *_EMPTY_FEEDS)) or root == "inventory":
            if basic_credentials(given) != (known.wms_user, known.wms_password):
                raise _RefusedError(401, "the WMS does not accept these credentials")
            if root == "inventory":
                return b'{"records":[],"next_offset":null,"high_water":0}'
            return self._feed(rest, query)
        raise _RefusedError(404, f"there is no {root}/{rest} in scale data")

    def _list(self, entity: str, query: Mapping[str, str]) -> bytes:
        """A page of the OMS: after ``updatedAfter``, or from the row that a cursor holds."""
        shelf, row = self._oms[entity], 0
        if "cursor" in query:
            try:
                row = int(json.loads(base64.urlsafe_b64decode(query["cursor"])))
            except (binascii.Error, ValueError, TypeError):
                raise _RefusedError(400, "the cursor is not one of ours") from None
        elif "updatedAfter" in query:
            try:
                moment = clock.parse_iso(query["updatedAfter"])
            except ValueError:
                raise _RefusedError(400, "updatedAfter is not an ISO-8601 time") from None
            row = shelf.row_after(round(moment * 1000))
        text, following = shelf.page(max(0, row), _limit(query))
        cursor = b"null"
        if following < len(shelf):
            cursor = b'"' + base64.urlsafe_b64encode(str(following).encode()) + b'"'
        return b'{"%s":[%s],"nextCursor":%s}' % (entity.encode(), text, cursor)

    def _feed(self, entity: str, query: Mapping[str, str]) -> bytes:
        """A page of the WMS: documents with a ``Seq`` above the offset."""
        offset = _whole(query, "offset", 0)
        shelf = self._wms.get(entity)
        if shelf is None or offset >= shelf.last_key:
            high = shelf.last_key if shelf else 0
            return b'{"records":[],"next_offset":%d,"high_water":%d}' % (offset, high)
        text, following = shelf.page(shelf.row_after(offset), _limit(query))
        reached = shelf.key_at(following - 1)
        return b'{"records":[%s],"next_offset":%d,"high_water":%d}' % (
            text,
            reached,
            shelf.last_key,
        )


def _limit(query: Mapping[str, str]) -> int:
    limit = _whole(query, "limit", 500)
    if not 1 <= limit <= MOST_ROWS:
        raise _RefusedError(400, f"limit is 1 to {MOST_ROWS}")
    return limit


def _whole(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name, str(usual))
    if not text.isdecimal():
        raise _RefusedError(400, f"{name} is a whole number")
    return int(text)


def scale_server(folder: Path) -> uvicorn.Server:
    """A server of a folder, to be run on a socket. Raises SandboxError."""
    return uvicorn.Server(
        uvicorn.Config(
            ScaleApp(folder),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


@contextlib.contextmanager
def running_scale(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder in a thread of this process; yields the base URL. Raises SandboxError."""
    server = scale_server(folder)
    listener = listen_on(port, "scale data")
    # Connections wait in its queue from now on, so nobody has to poll until it answers.
    listener.listen(128)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve([listener])), name="scale", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
