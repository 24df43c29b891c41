"""A supplier out of PyPI: mock-edi behind its folders, and the 850s that a buyer sends to it.

The mock's drop folder is what we sent (``outbound``), its pickup folder what it sent (``inbound``),
as a partner's transport has them. It runs in a virtual environment of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import httpx

from real.processes import Daemon, RealSystemError, kept_port, virtual_environment

PACKAGE = "mock-edi==0.9.0"
# The mock knows some buyers; as this one it knows us. It calls itself MOCKEDI.
BUYER, SELLER = "ACME", "MOCKEDI"
PROMPT, SHORT, SILENT, REFUSING = "accept", "short-ship", "no-ack", "reject-ack"
ANSWER_TIMEOUT_SECONDS = 30.0


class Wanted(NamedTuple):
    """A line of a purchase order, by the supplier's item number."""

    number: int
    sku: str
    quantity: int
    price: Decimal


class Partner:
    """The running mock. Raises RealSystemError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.outbound = self.folder / "outbound"
        self.inbound = self.folder / "inbound"
        self._daemon = Daemon(self.folder, "mock-edi")
        self._control_number = 0
        self._http = httpx.Client(trust_env=False, timeout=ANSWER_TIMEOUT_SECONDS)

    def __enter__(self) -> Partner:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{kept_port(self.folder, 'mock-edi')}"

    def start(self) -> None:
        """Install and start what is not yet."""
        for folder in (self.outbound, self.inbound):
            folder.mkdir(parents=True, exist_ok=True)
        python = virtual_environment(self.folder / "venv", [PACKAGE])
        # It takes what we sent when asked to, so that one order after the other meets the
        # behaviour that is set for it.
        options = {
            "--port": str(kept_port(self.folder, "mock-edi")),
            "--drop-dir": str(self.outbound),
            "--pickup-dir": str(self.inbound),
            "--drop-interval-ms": "86400000",
            "--drop-settle-ms": "0",
            "--ack-delay": "0",
            "--response-delay": "0",
            "--despatch-delay": "0",
            "--invoice-delay": "0",
        }
        arguments = [part for option in options.items() for part in option]
        self._daemon.start([python, "-m", "mockedi", "-q", *arguments], self._is_healthy)

    def stop(self) -> None:
        self._http.close()
        self._daemon.stop()

    def send(self, number: str, ship_to: str, lines: Sequence[Wanted]) -> str:
        """Send a purchase order; the number of its functional group."""
        self._control_number += 1
        text = _order(self._control_number, number, ship_to, lines)
        draft = self.outbound / f"850-{number}.tmp"
        draft.write_text(text, encoding="ascii")
        draft.rename(draft.with_suffix(".edi"))
        return str(self._control_number)

    def work(self, behaviour: str = PROMPT) -> None:
        """Let the partner take what was sent, and do all that its behaviour promises for it."""
        self._ask("PATCH", f"/_mock/partners/{BUYER}", {"behaviour": behaviour})
        self._ask("POST", "/_mock/drop/scan")
        self._ask("POST", "/_mock/advance?seconds=1")

    def _ask(self, method: str, path: str, content: object = None) -> None:
        answer = self._http.request(method, self.url + path, json=content)
        if answer.is_error:
            raise RealSystemError(f"mock-edi answered {answer.status_code}: {answer.text[:300]}")

    def _is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self.url}/_mock/health").is_success
        except httpx.TransportError:
            return False


def _order(control: int, number: str, ship_to: str, lines: Sequence[Wanted]) -> str:
    """An 850 at 004010 in an interchange of its own."""
    now = datetime.now(UTC)
    body = [
        f"ST*850*{control:04}",
        f"BEG*00*SA*{number}**{now:%Y%m%d}",
        "CUR*BY*USD",
        f"N1*ST*{ship_to}*92*{ship_to}",
        *(f"PO1*{line.number}*{line.quantity}*EA*{line.price}**VP*{line.sku}" for line in lines),
        f"CTT*{len(lines)}",
    ]
    segments = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{BUYER:15}*ZZ*{SELLER:15}*{now:%y%m%d}*{now:%H%M}"
        f"*U*00401*{control:09}*0*P*>",
        f"GS*PO*{BUYER}*{SELLER}*{now:%Y%m%d}*{now:%H%M}*{control}*X*004010",
        *body,
        f"SE*{len(body) + 1}*{control:04}",
        f"GE*1*{control}",
        f"IEA*1*{control:09}",
    ]
    return "".join(f"{segment}~\n" for segment in segments)
