"""All systems in one process: in a thread of the caller, or in the foreground until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import compare_digest

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp

from sandbox import admin, carrier, clock, erp, oms, wms
from sandbox.distributor import Distributor
from sandbox.errors import SandboxError
from sandbox.http import Gate
from sandbox.misbehave import Misbehaviour
from sandbox.placing import place
from sandbox.settings import SERVICES, WMS_CLOCK_FAST_SECONDS, Credentials, Settings

_TICK_SECONDS = 0.5


@dataclass(frozen=True)
class SandboxHandle:
    """A running sandbox. ``urls``: base URLs by service (admin, oms, erp, wms, carrier).

    ``partners``: the folder of each partner with whom X12 files are exchanged, by kind and name;
    ``processes``: the business processes that the world tells of; ``drops``: the folder of each ERP
    that drops files, by its name; ``pushes``: the folder of what carriers push, likewise.
    """

    home: Path
    urls: dict[str, str]
    credentials: Credentials
    partners: dict[str, dict[str, Path]] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    drops: dict[str, Path] = field(default_factory=dict)
    pushes: dict[str, Path] = field(default_factory=dict)

    def wait_ready(self, timeout: float = 15.0) -> None:
        """Return when every service answers its health check. Raises SandboxError."""
        deadline = time.monotonic() + timeout
        for service, url in self.urls.items():
            while True:
                try:
                    with urllib.request.urlopen(url + "/health", timeout=timeout):
                        break
                except (urllib.error.URLError, OSError) as error:
                    if time.monotonic() > deadline:
                        raise SandboxError(f"{service} at {url} does not answer: {error}") from None
                    time.sleep(0.02)


class _Server(uvicorn.Server):
    """A server that leaves signals alone: several run in one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def listen_on(port: int, service: str) -> socket.socket:
    """A listening socket on a port of this machine, or a free one if 0. Raises SandboxError."""
    # Named TCP, else asyncio leaves Nagle's delay on and every answer waits 40 ms for its body.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"port {port} for {service} is taken ({error.strerror}); choose another port"
        ) from None
    return listener


def listen(base_port: int) -> dict[str, socket.socket]:
    """One listening socket a service: consecutive ports from ``base_port``, or free ones if 0."""
    sockets: dict[str, socket.socket] = {}
    for index, service in enumerate(SERVICES):
        try:
            sockets[service] = listen_on(base_port + index if base_port else 0, service)
        except SandboxError:
            for opened in sockets.values():
                opened.close()
            raise
    return sockets


def build_apps(distributor: Distributor) -> dict[str, ASGIApp]:
    """The ASGI app of each service."""
    settings = distributor.settings
    given = settings.credentials
    misbehaviour = Misbehaviour()

    def bearer(headers: Headers) -> str:
        return carrier.bearer_token(headers.get("authorization"))

    def oms_access(headers: Headers) -> bool:
        return compare_digest(bearer(headers).encode(), given.oms_token.encode())

    def erp_access(headers: Headers) -> bool:
        return compare_digest(headers.get("x-api-key", "").encode(), given.erp_api_key.encode())

    def wms_access(headers: Headers) -> bool:
        found = carrier.basic_credentials(headers.get("authorization"))
        return found == (given.wms_user, given.wms_password)

    def carrier_access(headers: Headers) -> bool:
        return carrier.token_is_valid(given, bearer(headers), clock.now())

    return {
        "admin": admin.build_app(distributor, misbehaviour),
        "oms": Gate(
            oms.build_app(distributor), "oms", distributor, misbehaviour, oms_access, "Bearer"
        ),
        "erp": Gate(
            erp.build_app(distributor), "erp", distributor, misbehaviour, erp_access, "X-Api-Key"
        ),
        "wms": Gate(
            wms.build_app(distributor),
            "wms",
            distributor,
            misbehaviour,
            wms_access,
            "Basic",
            clock_ahead=WMS_CLOCK_FAST_SECONDS,
        ),
        "carrier": Gate(
            carrier.build_app(distributor),
            "carrier",
            distributor,
            misbehaviour,
            carrier_access,
            "Bearer",
            open_paths=("/oauth/token",),
        ),
    }


class _Fleet:
    """The servers of one sandbox."""

    def __init__(self, home: Path, base_port: int, settings: Settings) -> None:
        self._sockets = listen(base_port)
        try:
            self._distributor = Distributor(home, settings)
        except BaseException:
            for opened in self._sockets.values():
                opened.close()
            raise
        self._servers = {
            service: _Server(
                uvicorn.Config(
                    app,
                    http="h11",
                    loop="asyncio",
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    date_header=service == "admin",
                    server_header=False,
                    timeout_graceful_shutdown=1,
                )
            )
            for service, app in build_apps(self._distributor).items()
        }
        urls = {
            service: f"http://127.0.0.1:{listener.getsockname()[1]}"
            for service, listener in self._sockets.items()
        }
        self.handle = SandboxHandle(
            home,
            urls,
            settings.credentials,
            self._distributor.partner_folders,
            self._distributor.processes,
            self._distributor.drop_folders,
            self._distributor.push_folders,
        )
        place(home / "endpoints.json", json.dumps(urls, indent=2) + "\n")

    async def serve(self) -> None:
        """Serve until ``stop``."""
        living = asyncio.create_task(self._live())
        try:
            await asyncio.gather(
                *(
                    server.serve([self._sockets[service]])
                    for service, server in self._servers.items()
                )
            )
        finally:
            living.cancel()
            self._distributor.close()

    async def _live(self) -> None:
        """Let a world go on while nobody asks: files appear without a request."""
        while self._distributor.is_watched:
            self._distributor.advance()
            await asyncio.sleep(_TICK_SECONDS)

    def stop(self) -> None:
        """Ask the servers to end. May be called from any thread."""
        for server in self._servers.values():
            server.should_exit = True


@contextlib.contextmanager
def running_sandbox(
    home: Path | str, base_port: int = 0, settings: Settings | None = None
) -> Iterator[SandboxHandle]:
    """A sandbox in a thread of this process, ready to answer; ended on leaving.

    ``home`` keeps its state: the same folder gives the same world again. ``base_port`` 0 takes
    free ports. Raises SandboxError.
    """
    fleet = _Fleet(Path(home), base_port, settings or Settings())
    thread = threading.Thread(
        target=lambda: asyncio.run(fleet.serve()), name="sandbox", daemon=True
    )
    thread.start()
    try:
        fleet.handle.wait_ready()
        yield fleet.handle
    finally:
        fleet.stop()
        thread.join(timeout=10)


def run_forever(home: Path, base_port: int, settings: Settings) -> None:
    """Serve in the foreground until SIGINT or SIGTERM. Raises SandboxError."""
    fleet = _Fleet(home, base_port, settings)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, fleet.stop)
        for service, url in fleet.handle.urls.items():
            print(f"{service:8} {url}", flush=True)
        await fleet.serve()

    asyncio.run(main())
