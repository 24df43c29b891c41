"""How many corrections a second the whole engine does, with every guarantee on, and in how much
memory.

    .venv/bin/python -m bench.corrections [--corrections N] [--threads N] [--dispatchers N]
        [--json FILE]

Each round is a build: proposals into the outbox, approvals of those that want a person, delivery
(lease, read of the target and of every precondition in both systems, last look at gates and
switches, one write under a key and a version, outcome on disk), then an extraction over HTTP and
its proofs. The target is ``bench.loopback_oms``, asked through the connector of the demo OMS. The
named alternative is the same requests to the same target without an engine: one write each, nothing
read before, nothing kept. That is the upper bound; the ratio is what the guarantees cost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.loopback_oms import OLD_QUANTITY, RIGHT_QUANTITY
from connectors.allowances import sharing
from connectors.base import Source
from connectors.demo_oms.client import OmsClient
from connectors.demo_oms.source import OmsSource
from connectors.demo_oms.target import OmsTarget
from registry.systems import Policy, System
from writeback.approval import approve
from writeback.clock import SystemClock
from writeback.dispatch import deliver_due
from writeback.propose import enqueue
from writeback.states import State
from writeback.store import OperationsStore
from writeback.verify import apply_proofs

ROUND = 500
# One in so many is worth more than the policy lets pass without a person.
APPROVED_ONE_IN = 20
ENVIRONMENT = {"TOKEN": "loopback"}


@dataclass
class Figures:
    """``samples``: (corrections verified so far, resident MB, corrections a second since the last
    sample). ``ratio``: the engine's rate by that of the alternative."""

    corrections: int
    threads: int
    dispatchers: int
    naive_per_second: float
    per_second: float = 0.0
    ratio: float = 0.0
    requests: int = 0
    samples: list[tuple[int, float, float]] = field(default_factory=list)
    seconds_of: dict[str, float] = field(default_factory=dict)
    processor_ms: float = 0.0  # of all dispatchers, for one correction
    load: float = 0.0  # of the machine, before: what else wanted its processors
    processors: int = 0
    first_mb: float = 0.0
    last_mb: float = 0.0


@contextmanager
def loopback() -> Iterator[str]:
    """The URL of a target in a process of its own."""
    command = [sys.executable, "-m", "bench.loopback_oms"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()


def _system(name: str, url: str, threads: int = 1) -> System:
    return System(
        name=name,
        role="oms",
        connector="demo_oms",
        base_url=url,
        settle_seconds=0,
        write_mode="on",
        write_threads=threads,
        requests_per_second=10_000,
        secrets={"token": "TOKEN"},
    )


def _source(system: System) -> OmsSource:
    return OmsSource(system, OmsClient(system, ENVIRONMENT))


def proposal(number: int, frontier: datetime) -> dict[str, Any]:
    """Order n: the quantity that the authority holds. Both systems are read before it is sent."""
    order, so = f"ord_{number}", f"SO-{number}"

    def holds(system: str, quantity: int) -> dict[str, Any]:
        key = {"order_id": order, "line_no": "1"}
        condition = {"system": system, "entity": "order_lines", "key": key, "check": "equals"}
        return {**condition, "field": "qty", "value": quantity}

    return {
        "rule_id": "O04",
        "obligation_ids": [f"O04:{so}/1"],
        "object_type": "order_line",
        "object_id": f"{so}/1",
        "order_id": so,
        "order_line_id": f"{so}/1",
        "target_system": "oms",
        "target_role": "oms",
        "kind": "update_quantity",
        "old_value": {"quantity": OLD_QUANTITY},
        "new_value": {"quantity": RIGHT_QUANTITY},
        "payload": {
            "order_record": order,
            "line_record": "1",
            "quantity": RIGHT_QUANTITY,
            "old_quantity": OLD_QUANTITY,
        },
        "preconditions": [holds("oms", OLD_QUANTITY), holds("hq", RIGHT_QUANTITY)],
        "value_at_risk": "2500" if number % APPROVED_ONE_IN == 0 else "25",
        "currency": "USD",
        "first_sighting_at": frontier,
        "frontier_at": frontier,
    }


def naive(url: str, corrections: int) -> float:
    """Writes a second without an engine, over the same client."""
    client = OmsClient(_system("oms", url), ENVIRONMENT)
    started = time.perf_counter()
    for number in range(corrections):
        path = f"v1/orders/ord_naive{number}/lines/1"
        headers = {"Idempotency-Key": f"naive-{number}"}
        client.http.send("PATCH", path, {"qty": RIGHT_QUANTITY}, headers).raise_for_status()
    return corrections / (time.perf_counter() - started)


class Engine:
    """The engine on a store, with a target and two sources on loopback."""

    def __init__(self, url: str, folder: Path, threads: int) -> None:
        self.helpers: list[Connection] = []
        self.clock = SystemClock()
        self.store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}", self.clock)
        system = _system("oms", url, threads)
        with sharing({}):
            self.target = OmsTarget(system, OmsClient(system, ENVIRONMENT))
            self.sources: dict[str, Source] = {
                "oms": _source(system),
                "hq": _source(_system("hq", f"{url}/hq")),
            }
        self.policy = Policy(max_corrections_per_run=ROUND)
        self.cursor: str | None = None
        self.helped: list[tuple[float, float]] = []
        self.seconds_of = dict.fromkeys(("propose", "approve", "deliver", "extract", "prove"), 0.0)

    def deliver(self, limit: int) -> None:
        """Send what is due."""
        rng = random.SystemRandom()
        targets = {"oms": self.target}
        deliver_due(self.store, targets, self.sources, self.policy, self.clock, rng, limit)

    def round(self, first: int, count: int) -> int:
        """Bring ``count`` corrections to their proof; returns how many were proved."""
        marks = [time.perf_counter()]
        frontier = datetime.now(UTC)
        proposals = [proposal(number, frontier) for number in range(first, first + count)]
        enqueue(self.store, proposals, self.policy, self.clock, complete=False)
        marks.append(time.perf_counter())
        for waiting in self.store.list(state=State.AWAITING_APPROVAL.value, limit=count):
            approve(self.store, waiting.correction_key, "bench", "as the authority says")
        marks.append(time.perf_counter())
        for helper in self.helpers:
            helper.send(count)
        self.deliver(count)
        self.helped = [helper.recv() for helper in self.helpers]
        marks.append(time.perf_counter())
        shown = {}
        for page in self.sources["oms"].pages("order_lines", self.cursor):
            for record in page.records:
                shown[str(record.reference)] = (record.record_id, record.fields["qty"])
            self.cursor = page.cursor
        marks.append(time.perf_counter())
        proofs = []
        for accepted in self.store.list(state=State.ACCEPTED.value, limit=count):
            record, quantity = shown.get(str(accepted.order_id), (None, None))
            seen = quantity == RIGHT_QUANTITY
            proofs.append(
                {
                    "correction_key": accepted.correction_key,
                    "extractions_since": 1,
                    "effect_observed": seen,
                    "effect_raw_key": record,
                    "exceptions_open": 0 if seen else 1,
                    "verdict": "verified" if seen else "waiting",
                }
            )
        proved = apply_proofs(self.store, proofs, self.clock).verified
        marks.append(time.perf_counter())
        for name, begin, end in zip(self.seconds_of, marks, marks[1:], strict=False):
            self.seconds_of[name] += end - begin
        return proved


def _help(url: str, folder: Path, threads: int, asked: Connection) -> None:
    """Another dispatcher on the same store, in a process of its own; it tells its memory and the
    processor time that it took so far."""
    engine = Engine(url, folder, threads)
    while (limit := asked.recv()) is not None:
        engine.deliver(limit)
        asked.send((resident_mb(), time.process_time()))


@contextmanager
def helping(engine: Engine, url: str, folder: Path, threads: int, count: int) -> Iterator[None]:
    """So many dispatchers beside the one of this process."""
    context = multiprocessing.get_context("spawn")
    processes = []
    for _ in range(count):
        ours, theirs = context.Pipe()
        engine.helpers.append(ours)
        processes.append(context.Process(target=_help, args=(url, folder, threads, theirs)))
        processes[-1].start()
        # Started and connected before the time runs.
        ours.send(0)
        ours.recv()
    try:
        yield
    finally:
        for helper in engine.helpers:
            helper.send(None)
        for process in processes:
            process.join()


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def measure(corrections: int, threads: int, dispatchers: int = 1, samples: int = 20) -> Figures:
    """The engine and its alternative on one target. Raises RuntimeError when a correction was lost
    or doubled: a rate without its guarantees is none."""
    with loopback() as url, tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        load, processors = os.getloadavg()[0], os.cpu_count() or 1
        figures = Figures(corrections, threads, dispatchers, naive(url, min(corrections, 2000)))
        figures.load, figures.processors = load, processors
        engine = Engine(url, Path(folder), threads)
        engine.store.set_gates("build", {"oms": (True, ""), "hq": (True, "")})
        cleanup.enter_context(helping(engine, url, Path(folder), threads, dispatchers - 1))
        worked, started = time.process_time(), time.perf_counter()
        last = started
        done = proved = sampled = 0
        while done < corrections:
            count = min(ROUND, corrections - done)
            proved += engine.round(done + 1, count)
            done += count
            if done - sampled >= corrections / samples or done == corrections:
                now = time.perf_counter()
                memory = resident_mb() + sum(memory for memory, _ in engine.helped)
                figures.samples.append((done, memory, (done - sampled) / (now - last)))
                last, sampled = now, done
        elapsed = last - started
        worked = time.process_time() - worked + sum(seconds for _, seconds in engine.helped)
        figures.processor_ms = worked / corrections * 1000
        ledger = engine.target.http.get_json(f"{url}/ledger")
        ours = {key: n for key, n in ledger["effects"].items() if key.startswith("tly-")}
        audit = engine.store.verify_audit()
        if proved != corrections or len(ours) != corrections or set(ours.values()) != {1}:
            raise RuntimeError(f"{proved} proved, {len(ours)} applied, {corrections} wanted")
        if audit.problem is not None or not audit.entries >= corrections // APPROVED_ONE_IN:
            raise RuntimeError(f"the audit log is not whole: {audit}")
        engine.store.close()
    figures.per_second = corrections / elapsed
    figures.ratio = figures.per_second / figures.naive_per_second
    figures.requests = ledger["requests"]
    figures.seconds_of = engine.seconds_of
    # The first tenth fills caches; from there on nothing may grow.
    figures.first_mb = figures.samples[min(len(figures.samples) - 1, samples // 10)][1]
    figures.last_mb = figures.samples[-1][1]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.corrections", description="The whole engine.")
    parser.add_argument("--corrections", type=int, default=5_000)
    parser.add_argument("--threads", type=int, default=12)
    parser.add_argument("--dispatchers", type=int, default=1, help="processes that deliver")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    figures = measure(given.corrections, given.threads, given.dispatchers)
    for done, memory, rate in figures.samples:
        print(f"{done:>9,} verified {memory:>8.1f} MB {rate:>8,.0f}/s")
    shares = ", ".join(f"{name} {s:.1f} s" for name, s in figures.seconds_of.items())
    print(f"where the time went: {shares}; {figures.requests:,} requests")
    print(f"without an engine  {figures.naive_per_second:>8,.0f}/s   x1.00 (one write each)")
    machine = f"load {figures.load:.1f} on {figures.processors} processors"
    print(
        f"the whole engine   {figures.per_second:>8,.0f}/s   x{figures.ratio:.2f} "
        f"({figures.dispatchers} processes of {figures.threads} threads; memory "
        f"{figures.first_mb:.1f} to {figures.last_mb:.1f} MB; "
        f"{figures.processor_ms:.2f} ms of a processor each; {machine})"
    )
    if given.json:
        given.json.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
