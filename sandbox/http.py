"""What all systems do alike on the wire: clock, access, rate, idempotent writes, misbehaviour."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.disturbances import AFTER_EFFECT, Behaviour
from sandbox.events import Event
from sandbox.misbehave import PAGE_MODES, STATUS_MODES, WRITE_MODES, Misbehaviour, distort
from sandbox.problems import answer_with_problems, problem
from sandbox.tables import to_json

WRITE_METHODS = ("POST", "PATCH", "PUT", "DELETE")

# Never remembered under an idempotency key: the request was not let through to the operation.
_BEFORE_THE_OPERATION = (400, 401, 405, 409, 412, 428, 429)


@dataclass(frozen=True)
class Effect:
    """A write that was applied: what ``GET /admin/ledger`` tells of it."""

    kind: str
    name: str
    before: Any
    after: Any


def new_app(title: str) -> FastAPI:
    """A bare app that answers errors as problem documents."""
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None)
    answer_with_problems(app)
    return app


def json_response(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response from JSON text."""
    return Response(body, status, headers, media_type="application/json")


def applied(
    request: Request,
    status: int,
    name: str,
    before: Any,
    after: Any,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer a write that was applied to the object ``name``, and note it for the ledger."""
    route = request.scope["route"].path
    request.scope["effect"] = Effect(f"{request.method} {route}", name, before, after)
    return json_response(to_json(after), status, headers)


def noted(request: Request, name: str, after: Any, key: str) -> None:
    """Note one item of a batch that was applied, and what is answered when its key comes again.

    In the ledger it is what it would have been alone: a batch is a way to send, no other effect.
    """
    gate: Gate = request.scope["gate"]
    route = request.scope["route"].path.removesuffix("/batch")
    gate.note(Effect(f"{request.method} {route}", name, None, after), key)
    gate.distributor.store.remember_answer(gate.system, key, "batch", 201, {}, to_json(after))
    request.scope["has_items"] = True


def page_texts(request: Request, entity: str, texts: list[str]) -> list[str]:
    """The records of a list page, broken if misbehaviour is armed for it."""
    gate: Gate = request.scope["gate"]
    mode = gate.mode(PAGE_MODES, request.method, request.url.path)
    request.scope["page_mode"] = mode
    disturbances = gate.distributor.disturbances
    for record in disturbances.skipped(gate.system, request.url.path, clock.now()):
        texts = [text for text in texts if record not in text]
    return distort(mode, gate.system, entity, texts)


def is_silent(request: Request) -> bool:
    """Whether this list page pretends that there is nothing."""
    return bool(request.scope.get("page_mode") == "silent")


class Gate:
    """The ASGI app in front of one system's app.

    ``authenticate(headers)`` says whether a request may pass; ``open_paths`` need no access.
    ``clock_ahead``: seconds by which the system's clock, and so its Date header, runs fast.
    """

    def __init__(
        self,
        app: ASGIApp,
        system: str,
        distributor: Distributor,
        misbehaviour: Misbehaviour,
        authenticate: Callable[[Headers], bool],
        challenge: str,
        clock_ahead: float = 0.0,
        open_paths: tuple[str, ...] = (),
    ) -> None:
        self.app = app
        self.system = system
        self.distributor = distributor
        self.misbehaviour = misbehaviour
        self.authenticate = authenticate
        self.challenge = challenge
        self.clock_ahead = clock_ahead
        self.open_paths = open_paths
        self._rate = distributor.settings.requests_per_second
        self._tokens = self._rate
        self._refilled = time.monotonic()
        self._writing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.distributor.advance()
        response = await self._respond(scope, receive)
        if response is None:
            await self._hang(receive)
            return
        now = clock.now()
        ahead = self.clock_ahead + self.distributor.disturbances.clock_ahead(self.system, now)
        response.headers["date"] = clock.http_date(now + ahead)
        await response(scope, receive, send)

    def mode(self, modes: tuple[str, ...], method: str, path: str) -> str | None:
        """The one of ``modes`` that a request meets: armed for it, or disturbing the system now."""
        armed = self.misbehaviour.take(self.system, modes, method, path)
        return armed or self.distributor.disturbances.mode(self.system, modes, path, clock.now())

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        if path == "/health":
            return json_response(to_json({"status": "ok", "system": self.system}))
        mode = self.mode(tuple(STATUS_MODES), method, path)
        if mode is not None:
            retry = {"Retry-After": "1"} if mode == "status_429" else {}
            response = problem(STATUS_MODES[mode], "the system misbehaves, as it was told to")
            response.headers.update(retry)
            return response
        if path not in self.open_paths and not self.authenticate(headers):
            response = problem(401, f"{self.system} does not accept these credentials")
            response.headers["www-authenticate"] = self.challenge
            return response
        if not self._within_rate():
            response = problem(429, f"more than {self._rate:g} requests a second")
            response.headers["retry-after"] = "1"
            return response
        body = await _read(receive)
        if body is None:
            return None
        if method not in WRITE_METHODS or path in self.open_paths:
            response = await self._call(scope, body)
            if scope.get("page_mode") == "cut_page":
                response = json_response(bytes(response.body).decode()[: len(response.body) // 2])
            if scope.get("page_mode") == "byte_order_mark":
                response = Response(codecs.BOM_UTF8 + bytes(response.body), response.status_code)
            if scope.get("page_mode") == "windows_letters":
                response.body = bytes(response.body).decode().encode("cp1252")
                response.headers["content-length"] = str(len(response.body))
            return response
        async with self._writing:
            response = await self._write(scope, headers, body)
        unanswered = scope.get("unanswered") or self.misbehaviour.take(
            self.system, WRITE_MODES, method, path
        )
        has_effect = scope.get("effect") is not None or scope.get("has_items")
        return None if has_effect and unanswered else response

    async def _write(self, scope: Scope, headers: Headers, body: bytes) -> Response:
        """Apply a write once, however often its key is sent; commit before it is answered."""
        store = self.distributor.store
        key = headers.get("idempotency-key")
        target = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}\n".encode()
        fingerprint = hashlib.sha256(target + body).hexdigest()
        if key is not None and (first := store.answer(self.system, key)) is not None:
            if first[0] != fingerprint:
                return problem(422, f"the idempotency key {key} was used for another request")
            return Response(first[3], first[1], first[2] | {"Idempotent-Replayed": "true"})
        scope["idempotency_key"] = key
        behaviour = self.distributor.disturbances.behaviour(
            self.system, scope["path"] + body.decode(errors="replace")
        )
        if behaviour is None:
            response = await self._call(scope, body)
        else:
            response = await self._behave(behaviour, scope, body)
        store.begin()
        effect: Effect | None = scope.get("effect")
        if effect is not None:
            self.note(effect, key)
        final = response.status_code < 500 and response.status_code not in _BEFORE_THE_OPERATION
        if key is not None and final:
            kept = {
                name: value
                for name, value in response.headers.items()
                if name in ("content-type", "etag", "location")
            }
            text = bytes(response.body).decode()
            store.remember_answer(self.system, key, fingerprint, response.status_code, kept, text)
        self.distributor.commit()
        return response

    async def _behave(self, behaviour: Behaviour, scope: Scope, body: bytes) -> Response:
        """Treat a write as the target was told to, whatever it would do by itself."""
        view, mode = self.distributor.views[self.system], behaviour.mode
        if behaviour.once:
            self.distributor.use_up(behaviour)
        if mode in ("refuse", "unavailable", "comes_first"):
            self.distributor.note_met(behaviour)
        if mode == "refuse":
            return problem(422, "this target takes no such change, as it was told to")
        if mode == "unavailable":
            return problem(503, "this target takes no changes now, as it was told to")
        if mode == "comes_first":
            now, needs = clock.now(), behaviour.needs
            view.hear(Event(now, needs["event"], behaviour.about, needs["data"], {}), now, now)
        response = await self._call(scope, body)
        effect: Effect | None = scope.get("effect")
        if effect is None:
            return response
        self.distributor.note_met(behaviour)
        if mode == "ignore":
            # It answers as if; what it holds is what it held.
            view.tables[behaviour.needs["entity"]].put(effect.before)
            del scope["effect"]
        elif mode == "drop_field":
            lines = [line | behaviour.needs["fields"] for line in effect.after["lines"]]
            after = effect.after | {"lines": lines}
            view.tables[behaviour.needs["entity"]].put(after)
            scope["effect"] = replace(effect, after=after)
        elif mode == "apply_twice":
            self.note(effect, scope["idempotency_key"])
            response = await self._call(scope, body)
        elif mode in AFTER_EFFECT:
            response = problem(AFTER_EFFECT[mode], "a gateway says so; the target did its work")
        elif mode in ("never_answer", "sender_dies"):
            scope["unanswered"] = True
            scope["sender_dies"] = mode == "sender_dies"
        return response

    def note(self, effect: Effect, key: str | None) -> None:
        """Write an effect into the ledger."""
        self.distributor.store.begin()
        self.distributor.store.add_effect(
            self.system,
            effect.kind,
            effect.name,
            key,
            clock.iso_utc(clock.now()),
            effect.before,
            effect.after,
        )

    async def _call(self, scope: Scope, body: bytes) -> Response:
        """Let the system's app answer, and collect its answer."""
        scope["gate"] = self
        messages: list[Message] = []
        request: Message = {"type": "http.request", "body": body, "more_body": False}

        async def receive() -> Message:
            return request

        async def send(message: Message) -> None:
            messages.append(message)

        try:
            await self.app(scope, receive, send)
        except Exception:
            logging.getLogger(__name__).exception("%s %s", scope["method"], scope["path"])
            return problem(500, "the sandbox itself failed; its log tells more")
        start = messages[0]
        content = b"".join(message.get("body", b"") for message in messages[1:])
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        headers.pop("content-length", None)
        return Response(content, start["status"], headers)

    def _within_rate(self) -> bool:
        moment = time.monotonic()
        refill = (moment - self._refilled) * self._rate
        self._tokens = min(self._rate, self._tokens + refill)
        self._refilled = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _hang(self, receive: Receive) -> None:
        """Never answer; give the connection up when the caller does, or after a while."""
        try:
            async with asyncio.timeout(self.distributor.settings.hang_seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            # The server's own request object is the only way to drop a connection unanswered.
            transport = getattr(getattr(receive, "__self__", None), "transport", None)
            if transport is not None:
                transport.abort()
                await asyncio.sleep(0.05)


async def _read(receive: Receive) -> bytes | None:
    """The body; None when the sender hung up in the middle: half a request is none."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
