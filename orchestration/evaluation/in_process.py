"""The pretend distributor in this process: its apps answer without sockets, its time is ours."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

from connectors.in_process import Hosted, hosting
from orchestration.installation import Installation
from orchestration.pretend import Drops, SandboxError, secrets_of, write_configuration
from registry.settings import Settings
from sandbox import clock
from sandbox.distributor import Distributor, drop_folders, partner_folders, push_folders
from sandbox.server import build_apps
from sandbox.settings import SERVICES
from sandbox.settings import Settings as World

FIRST_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
YEARS_MINUTES = 2 * 365 * 24 * 60


class SandboxClock:
    """The sandbox's clock as the product's: both skip the same waits."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(clock.now(), UTC)

    def monotonic(self) -> float:
        return clock.now()


class SenderDiedError(BaseException):
    """The process that sent a write is dead from here on, as of SIGKILL: nothing may catch it but
    who starts the next one."""


class AsgiTransport(httpx.BaseTransport):
    """Answers requests by an ASGI app of this process, one at a time.

    ``lock`` and ``loop`` are shared by all apps of one distributor, which is not thread-safe. A
    request that the app never answers raises httpx.ReadTimeout, at once, or SenderDiedError.
    """

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, lock: threading.Lock) -> None:
        self._app = app
        self._loop = loop
        self._lock = lock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 0),
            "root_path": "",
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        heard = [{"type": "http.request", "body": body, "more_body": False}]
        said: list[Message] = []

        async def receive() -> Message:
            return heard.pop() if heard else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            said.append(message)

        with self._lock:
            self._loop.run_until_complete(self._app(scope, receive, send))
        if scope.get("sender_dies"):
            raise SenderDiedError
        if not said:
            raise httpx.ReadTimeout("never answered", request=request)
        return httpx.Response(
            said[0]["status"],
            headers=said[0]["headers"],
            content=b"".join(message.get("body", b"") for message in said[1:]),
            request=request,
        )


@dataclass(frozen=True)
class PretendWorld:
    """A running distributor. ``settings`` are ours for it; ``clock`` is the one of both."""

    settings: Settings
    clock: SandboxClock
    rng: random.Random
    admin: httpx.Client
    skip: Callable[[float], None]

    def installed(self) -> Installation:
        """Our side, as a process that has just begun has it. One system is read after another: each
        look at the clock lets time pass, so that the order of looks must be the same each time."""
        return Installation.load(self.settings, clock=self.clock, rng=self.rng, readers=1)

    def truth(self) -> list[dict[str, Any]]:
        """Truth rows of faults and decoys."""
        return self._asked("truth", "faults")

    def ledger(self) -> list[dict[str, Any]]:
        """Every write that was applied."""
        return self._asked("ledger", "effects")

    def behaved(self) -> list[str]:
        """The behaviours of targets that a write met."""
        answer = self.admin.get("/admin/behaviours")
        answer.raise_for_status()
        return list(answer.json()["met"])

    def documents(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """What systems hold of some entities (system, entity) now."""
        held: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for system, entity in sorted(wanted):
            documents = self._asked(f"documents/{system}/{entity}", "documents")
            held.setdefault(system, {})[entity] = documents
        return held

    def inject(self, kind: str, count: int) -> list[dict[str, Any]]:
        """More of a kind; returns its truth rows. Raises SandboxError when none can be had."""
        answer = self.admin.post("/admin/inject", json={"kind": kind, "count": count})
        if answer.is_error:
            raise SandboxError(f"cannot inject '{kind}': {answer.json().get('detail')}")
        return list(answer.json()["faults"])

    def _asked(self, path: str, key: str) -> list[dict[str, Any]]:
        answer = self.admin.get(f"/admin/{path}")
        answer.raise_for_status()
        return list(answer.json()[key])


def host(service: str) -> str:
    """The name under which a service is hosted."""
    return f"{service}.pretend"


URLS = {service: f"http://{host(service)}" for service in SERVICES}


def configuration(home: Path, world: World) -> Settings:
    """Our settings, kept in ``home``, for such a world in this process."""
    folders = partner_folders(home / "sandbox", world.partners)
    drops = Drops(
        drop_folders(home / "sandbox", world.regions),
        push_folders(home / "sandbox", world.carriers),
        world.drop_seconds,
    )
    secrets = secrets_of(world.credentials)
    return write_configuration(home, URLS, secrets, folders, world.processes, drops)


def moment_of(seed: int) -> datetime:
    """When the world of a seed is looked at first: some minute of two years, so that worlds differ
    in month ends, weekdays and changes of the clock, and a seed does not from one day to another.
    """
    minutes = random.Random(f"{seed}:moment").randrange(YEARS_MINUTES)
    return FIRST_MOMENT + timedelta(minutes=minutes)


@contextmanager
def world_in_process(home: Path, choices: World) -> Iterator[PretendWorld]:
    """Make the world of these choices below ``home``, and let connectors reach it. Its time is its
    own (``moment_of``): what happens in it depends on nothing but the choices."""
    with clock.time_of_its_own(moment_of(choices.seed).timestamp()):
        yield from _world(home, choices)


def _world(home: Path, choices: World) -> Iterator[PretendWorld]:
    distributor = Distributor(home / "sandbox", choices)
    loop = asyncio.new_event_loop()
    lock = threading.Lock()
    transports = {
        host(service): AsgiTransport(app, loop, lock)
        for service, app in build_apps(distributor).items()
    }
    time = SandboxClock()

    def skip(seconds: float) -> None:
        clock.skip(seconds)
        # Whoever writes files does so at its times, and not when somebody asks another system.
        with lock:
            distributor.advance()

    try:
        hosts = {name: Hosted(app, time.now) for name, app in transports.items()}
        with hosting(hosts):
            yield PretendWorld(
                settings=configuration(home, choices),
                clock=time,
                rng=random.Random(f"{choices.seed}:rng"),
                admin=httpx.Client(base_url=URLS["admin"], transport=transports[host("admin")]),
                skip=skip,
            )
    finally:
        distributor.close()
        loop.close()
