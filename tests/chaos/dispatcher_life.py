"""Lives of a dispatcher: one process each, forked from a nursery that has imported everything.

``python dispatcher_life.py`` is the nursery. It takes orders, a JSON line each, and answers with
one: ``{"start": {...}}`` begins a life and gives its ``pid``; ``{"wait": [pids], "seconds": s}``
gives the first of them that ``ended`` (exit code, or minus the signal) or ``stopped``, or nothing.

A life is the product's own engine with the demo's connectors, through the proxies, on a store that
outlives it: gates, proposals, approvals, delivery, undo, and proof by a read after acceptance
(which stands for the extraction). At a named point it kills or stops itself, or its disk is full.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from connectors.base import Source, Target
from connectors.demo_erp.client import ErpClient
from connectors.demo_erp.source import ErpSource
from connectors.demo_erp.target import ErpTarget
from connectors.demo_oms.client import OmsClient
from connectors.demo_oms.source import OmsSource
from connectors.demo_oms.target import OmsTarget
from connectors.demo_wms.client import WmsClient
from connectors.demo_wms.source import WmsSource
from connectors.demo_wms.target import WmsTarget
from registry import crash_points
from registry.errors import TallymanError
from registry.systems import Policy, System
from writeback.approval import approve
from writeback.clock import system_rng
from writeback.dispatch import deliver_due
from writeback.propose import enqueue
from writeback.states import Event, State, sources
from writeback.store import OperationsStore
from writeback.undo import undo
from writeback.verify import apply_proofs

# Time of the engine runs so much faster than ours: its lease of three minutes is three seconds,
# and an answer that takes a third of a second is as late as one of 20 seconds.
FACTOR = 60.0
ANSWER_SECONDS = 0.3
SYSTEMS = ("erp", "oms", "wms")
FULL_AFTER_BYTES = 4096
TURNS = 3
_CLIENTS = {"erp": ErpClient, "oms": OmsClient, "wms": WmsClient}
_TARGETS = {"erp": ErpTarget, "oms": OmsTarget, "wms": WmsTarget}
_SOURCES = {"erp": ErpSource, "oms": OmsSource, "wms": WmsSource}


class FastClock:
    """The engine's time, the same in all processes of a story: real time, faster, with jumps.

    The file holds two numbers: when it began (seconds since 1970), and the sum of the jumps.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("dd", time.time(), 0.0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 16)
        self.began: float = struct.unpack_from("d", self._map)[0]

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at(time.time()), UTC)

    def monotonic(self) -> float:
        return time.monotonic() * FACTOR + self.jumped

    def at(self, real: float) -> float:
        """The engine's time at a real moment since the last jump."""
        return self.began + (real - self.began) * FACTOR + self.jumped

    @property
    def jumped(self) -> float:
        found: float = struct.unpack_from("d", self._map, 8)[0]
        return found

    def jump(self, seconds: float) -> None:
        """Time passes in which nobody did anything."""
        struct.pack_into("d", self._map, 8, self.jumped + seconds)


@dataclass(frozen=True)
class Life:
    """What one life is told. ``point``: where it comes to the ``nth`` passing of it, it does
    ``act``: kill, stop or no_room."""

    folder: str
    urls: Mapping[str, str]
    secrets: Mapping[str, str]
    point: str | None = None
    nth: int = 1
    act: str = "kill"
    write_mode: str = "on"
    gates: bool = False
    undo: tuple[str, ...] = ()
    proposals: tuple[Mapping[str, Any], ...] = ()


@dataclass
class Watch:
    """Counts the passings of the chosen point, and acts there."""

    life: Life
    passed: int = 0
    is_full: bool = field(default=False)

    def __call__(self, name: str) -> None:
        if name != self.life.point:
            return
        self.passed += 1
        if self.passed != self.life.nth:
            return
        note(self.life.folder, f"{self.life.act} {name}")
        if self.life.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.life.act == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self.is_full = True
            limit_files(FULL_AFTER_BYTES)


def limit_files(size: int) -> None:
    """From now on the kernel refuses to let any file grow beyond this (EFBIG)."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def note(folder: str, text: str) -> None:
    """Append a line that survives the death of its writer."""
    handle = os.open(Path(folder) / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


def store_of(folder: str | Path, clock: FastClock) -> OperationsStore:
    return OperationsStore(f"sqlite:///{Path(folder) / 'operations.sqlite'}", clock)


def connected(life: Life, clock: FastClock) -> tuple[dict[str, Target], dict[str, Source]]:
    """Targets and sources of the three systems, through the proxies, on the engine's time."""
    targets: dict[str, Target] = {}
    read: dict[str, Source] = {}
    for name in SYSTEMS:
        system = System(
            name=name,
            role=name,  # type: ignore[arg-type]
            connector=f"demo_{name}",
            base_url=life.urls[name],
            write_mode=life.write_mode,  # type: ignore[arg-type]
            requests_per_second=1000,
            secrets={role: role for role in life.secrets},
            options={"timeout_seconds": ANSWER_SECONDS},
        )
        client = _CLIENTS[name](
            system,
            life.secrets,
            now=clock.now,
            sleep=lambda seconds: time.sleep(seconds / FACTOR),
        )
        targets[name] = _TARGETS[name](system, client)  # type: ignore[arg-type]
        read[name] = _SOURCES[name](system, client)  # type: ignore[arg-type]
    return targets, read


class Dispatcher:
    """What the product does with its outbox, turn after turn, until nothing is due."""

    def __init__(self, life: Life, watch: Watch) -> None:
        self.life = life
        self.watch = watch
        self.clock = FastClock(Path(life.folder) / "clock")
        self.store = store_of(life.folder, self.clock)
        self.targets, self.sources = connected(life, self.clock)
        self.policy = Policy()

    def run(self) -> None:
        for _ in range(TURNS):
            try:
                self.turn()
            except OperationalError as error:
                if not self.watch.is_full:
                    raise
                note_full(self.life.folder, error)
                self.watch.is_full = False
                continue
            if not self.store.due_count(self.clock.now(), SYSTEMS):
                return

    def turn(self) -> None:
        store, clock = self.store, self.clock
        if self.life.gates or not all(store.gate(name).is_open for name in SYSTEMS):
            store.open_gates("build", SYSTEMS)
            store.set_gates("build", dict.fromkeys(SYSTEMS, (True, "")))
        taken = enqueue(store, self.life.proposals, self.policy, clock, complete=False)
        assert not taken.invalid, taken.invalid
        # Another dispatcher may be ahead of this one, with an approval or an undo: then the engine
        # says so, and that is all.
        for waiting in store.list(state=State.AWAITING_APPROVAL):
            seen = waiting.payload_hash
            with suppress(TallymanError):
                approve(store, waiting.correction_key, "maria", "", payload_hash=seen)
        deliver_due(store, self.targets, self.sources, self.policy, clock, system_rng(), 100)
        self.prove()
        for key in self.life.undo:
            if store.get(key).correction.state in sources(Event.UNDO):
                with suppress(TallymanError):
                    undo(store, self.targets, key, "maria", "", clock, system_rng())

    def prove(self) -> None:
        """Read what was accepted: the read begins after acceptance, as a later extraction does."""
        proofs = []
        for correction in self.store.list(state=State.ACCEPTED, limit=500):
            try:
                state = self.targets[correction.target_system].read(correction.request())
            except TallymanError:
                continue
            ours = state.applied and state.applied_by_key is not False
            proofs.append(
                {
                    "correction_key": correction.correction_key,
                    "verdict": "verified" if ours else "unproven",
                    "effect_observed": ours,
                    "exceptions_open": 0,
                    "extractions_since": 2,
                    "effect_raw_key": state.target_record_id,
                }
            )
        apply_proofs(self.store, proofs, self.clock)


def note_full(folder: str, error: OperationalError) -> None:
    """There is room again, and the process that met the full disk goes on."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    note(folder, f"full {error.orig}")


def live(life: Life) -> int:
    """One life, in the process that it has for itself; returns its exit code."""
    watch = Watch(life)
    try:
        with crash_points.observed(watch):
            Dispatcher(life, watch).run()
    except BaseException:
        note(life.folder, "broken " + traceback.format_exc().replace("\n", " | "))
        return 1
    return 0


# ---- the nursery ---------------------------------------------------------------------------


def nursery() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            answer: dict[str, Any] = {"pid": born(Life(**order["start"]))}
        else:
            answer = waited(order["wait"], order["seconds"])
        print(json.dumps(answer), flush=True)


def born(life: Life) -> int:
    pid = os.fork()
    if pid:
        return pid
    # The orders and answers are the nursery's.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    random.seed()
    os._exit(live(life))


def waited(pids: list[int], seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        for pid in pids:
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status):
                return {"pid": pid, "stopped": True}
            if found:
                return {"pid": pid, "ended": os.waitstatus_to_exitcode(status)}
        if time.monotonic() >= deadline:
            return {}
        time.sleep(0.002)


def as_order(life: Life) -> dict[str, Any]:
    return {"start": asdict(life)}


if __name__ == "__main__":
    nursery()
