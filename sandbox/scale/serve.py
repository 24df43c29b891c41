"""A scale folder over HTTP, in the dialects of its systems: slices of files written before.

A page costs one read and one replacement of line feeds by commas, so that what is measured is the
loader; where it spans parts (the ERP's overlap by up to two days), a read a part. Lists and feeds
only: no point reads, no writes, no rate limit, no misbehaviour. Feeds that the folder does not hold
(the WMS's transactions, what is on stock) are there and empty.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn
from starlette.types import Receive, Scope, Send

from sandbox import clock
from sandbox.carrier import (
    TOKEN_SECONDS,
    basic_credentials,
    bearer_token,
    issue_token,
    token_is_valid,
)
from sandbox.errors import SandboxError
from sandbox.problems import PROBLEM_JSON
from sandbox.scale.shelf import Shelf
from sandbox.scale.write import read_manifest
from sandbox.server import listen_on
from sandbox.settings import WMS_CLOCK_FAST_SECONDS, Credentials
from sandbox.tables import to_json

MOST_ROWS = 1000
_EMPTY_FEEDS = ("transactions",)
_EMPTY_LISTS = ("stock_movements", "stock")
_TOKEN = "oauth/token"
_MOST_DIGITS = 18


class _RefusedError(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class _Question:
    """What is asked: ``rest`` of the path below the system's own, ``access`` as given."""

    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def access(self) -> str:
        return self.headers.get("authorization", "")

    def only(self, *known: str) -> None:
        """Raises _RefusedError for a filter: who believed its answer would take all for a match."""
        for name in self.query:
            if name not in known:
                raise _RefusedError(400, f"scale data are not found by {name}")

    def whole(self, name: str, usual: int) -> int:
        """A number in the query. Raises _RefusedError."""
        text = self.query.get(name, str(usual))
        if not text.isdecimal() or len(text) > _MOST_DIGITS:
            raise _RefusedError(400, f"{name} is a whole number")
        return int(text)

    def limit(self, name: str = "limit") -> int:
        """How many are wanted at once. Raises _RefusedError."""
        limit = self.whole(name, 500)
        if not 1 <= limit <= MOST_ROWS:
            raise _RefusedError(400, f"{name} is 1 to {MOST_ROWS}")
        return limit


@dataclass(frozen=True)
class _Answer:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class ScaleApp:
    """The ASGI app of all systems: their paths differ. Raises SandboxError for no such folder."""

    def __init__(self, folder: Path, credentials: Credentials | None = None) -> None:
        read_manifest(folder)
        self._credentials = credentials or Credentials()
        self._oms, self._erp, self._wms, self._carrier = (
            _shelves(folder / system) for system in ("oms", "erp", "wms", "carrier")
        )
        self._systems = {
            "health": self._health,
            "v1": self._ask_oms,
            "api": self._ask_erp,
            "feed": self._ask_wms,
            "inventory": self._ask_wms_stock,
            "oauth": self._ask_token,
            "track": self._ask_carrier,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        root, _, rest = scope["path"].lstrip("/").partition("/")
        asked = _Question(
            rest,
            {
                name: given[-1]
                for name, given in parse_qs(scope["query_string"].decode("latin-1")).items()
            },
            {name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
            await _body(receive),
        )
        ahead = WMS_CLOCK_FAST_SECONDS if root in ("feed", "inventory") else 0.0
        status, media = 200, "application/json"
        try:
            if scope["method"] != ("POST" if f"{root}/{rest}" == _TOKEN else "GET"):
                raise _RefusedError(405, "scale data can only be read")
            if root not in self._systems:
                raise _not_there(f"{root}/{rest}")
            answer = self._systems[root](asked)
        except _RefusedError as error:
            status, media = error.status, PROBLEM_JSON
            told = {"type": "about:blank", "status": status, "detail": str(error)}
            answer = _Answer(to_json(told).encode())
        sent = {
            "content-type": media,
            "content-length": str(len(answer.body)),
            "date": clock.http_date(clock.now() + ahead),
            **answer.headers,
        }
        headers = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _health(self, asked: _Question) -> _Answer:
        return _Answer(b'{"status":"ok","system":"scale"}')

    def _ask_oms(self, asked: _Question) -> _Answer:
        """A page of the OMS: after ``updatedAfter``, or from the row that a cursor holds."""
        if asked.rest not in self._oms:
            raise _not_there(f"v1/{asked.rest}")
        if asked.access != f"Bearer {self._credentials.oms_token}":
            raise _RefusedError(401, "the OMS does not accept these credentials")
        asked.only("cursor", "updatedAfter", "limit")
        shelf, row = self._oms[asked.rest], 0
        if "cursor" in asked.query:
            try:
                row = int(json.loads(base64.urlsafe_b64decode(asked.query["cursor"])))
            except (ValueError, TypeError, OverflowError):
                raise _RefusedError(400, "the cursor is not one of ours") from None
        elif "updatedAfter" in asked.query:
            try:
                moment = clock.parse_iso(asked.query["updatedAfter"])
            except ValueError:
                raise _RefusedError(400, "updatedAfter is not an ISO-8601 time") from None
            row = shelf.row_after(round(moment * 1000))
        text, following = shelf.page(max(0, row), asked.limit())
        cursor = b"null"
        if following < len(shelf):
            cursor = b'"' + base64.urlsafe_b64encode(str(following).encode()) + b'"'
        return _Answer(b'{"%s":[%s],"nextCursor":%s}' % (asked.rest.encode(), text, cursor))

    def _ask_erp(self, asked: _Question) -> _Answer:
        """A page of the ERP by its number, of all documents or of those from ``modified_from``."""
        shelf = self._erp.get(asked.rest)
        if shelf is None and asked.rest not in _EMPTY_LISTS:
            raise _not_there(f"api/{asked.rest}")
        if asked.headers.get("x-api-key") != self._credentials.erp_api_key:
            raise _RefusedError(401, "the ERP does not accept these credentials")
        asked.only("page", "per_page", "modified_from")
        limit, number = asked.limit("per_page"), max(1, asked.whole("page", 1))
        text, total = b"", 0
        if shelf is not None:
            first = 0
            if "modified_from" in asked.query:
                try:
                    moment = clock.parse_local_naive(asked.query["modified_from"])
                except ValueError:
                    raise _RefusedError(400, "modified_from is not a local time") from None
                first = shelf.row_from(round(moment * 1000))
            total = len(shelf) - first
            text, _ = shelf.page(first + (number - 1) * limit, limit)
        pages = max(1, -(-total // limit))
        return _Answer(
            b'{"data":[%s],"page":%d,"pages":%d,"total":%d}' % (text, number, pages, total)
        )

    def _ask_wms(self, asked: _Question) -> _Answer:
        """A page of the WMS: documents with a ``Seq`` above the offset."""
        shelf = self._wms.get(asked.rest)
        if shelf is None and asked.rest not in _EMPTY_FEEDS:
            raise _not_there(f"feed/{asked.rest}")
        self._open_wms(asked)
        asked.only("offset", "limit")
        offset = reached = asked.whole("offset", 0)
        text, high = b"", 0
        if shelf is not None:
            high = shelf.last_key
            row = shelf.row_after(offset)
            text, following = shelf.page(row, asked.limit())
            reached = shelf.key_at(following - 1) if following > row else offset
        return _Answer(b'{"records":[%s],"next_offset":%d,"high_water":%d}' % (text, reached, high))

    def _ask_wms_stock(self, asked: _Question) -> _Answer:
        self._open_wms(asked)
        return _Answer(b'{"records":[],"next_offset":null,"high_water":0}')

    def _open_wms(self, asked: _Question) -> None:
        known = self._credentials
        if basic_credentials(asked.access) != (known.wms_user, known.wms_password):
            raise _RefusedError(401, "the WMS does not accept these credentials")

    def _ask_token(self, asked: _Question) -> _Answer:
        known = self._credentials
        if asked.rest != "token":
            raise _not_there(f"oauth/{asked.rest}")
        if basic_credentials(asked.access) != (
            known.carrier_client_id,
            known.carrier_client_secret,
        ):
            raise _RefusedError(401, "the carrier does not accept these credentials")
        if parse_qs(asked.body.decode("latin-1")).get("grant_type") != ["client_credentials"]:
            raise _RefusedError(400, "the carrier grants by client_credentials only")
        token = issue_token(known, clock.now())
        given = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return _Answer(to_json(given).encode())

    def _ask_carrier(self, asked: _Question) -> _Answer:
        """A page of the carrier: scans with a ``seq`` above ``since-seq``."""
        version, _, entity = asked.rest.partition("/")
        if version != "v2" or entity not in self._carrier:
            raise _not_there(f"track/{asked.rest}")
        if not token_is_valid(self._credentials, bearer_token(asked.access), clock.now()):
            raise _RefusedError(401, "the carrier does not accept these credentials")
        asked.only("since-seq", "limit")
        shelf, limit = self._carrier[entity], asked.limit()
        text, following = shelf.page(shelf.row_after(asked.whole("since-seq", 0)), limit)
        headers = {}
        if following < len(shelf):
            place = f"/track/v2/{entity}?since-seq={shelf.key_at(following - 1)}&limit={limit}"
            headers["link"] = f'<{place}>; rel="next"'
        return _Answer(b'{"%s":[%s]}' % (entity.encode(), text), headers)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _shelves(folder: Path) -> dict[str, Shelf]:
    """By the names of the entities. Raises SandboxError where the system's folder is missing."""
    if not folder.is_dir():
        raise SandboxError(f"{folder} is missing: write the scale data again")
    return {place.name: Shelf(place) for place in folder.iterdir()}


def _not_there(place: str) -> _RefusedError:
    return _RefusedError(404, f"there is no {place} in scale data")


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
