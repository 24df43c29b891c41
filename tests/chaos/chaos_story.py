"""One story by seed: dispatchers that die, stop and meet a full disk, on a network that fails.

A pretend distributor and a proxy before each of its systems live in this process; dispatchers are
processes of their own. Each round brings new corrections and one thing that goes wrong with its
dispatcher, and mostly one or two with the network; then a phase in which nothing does, after which
everything must have come to rest. The seed draws all of it; when a request meets what another
process does, the machine decides.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaos_judge import UNFINISHED, judge
from chaos_people import EDITS, OTHER_FIELD, OTHER_VALUE, People
from demo_sandbox import FAULT_OF_KIND, Sandbox
from dispatcher_life import SYSTEMS, FastClock, Life, as_order, store_of
from toxic_proxy import HTTP_FAULTS, TOXICS, Toxic, ToxicProxy

from sandbox.server import running_sandbox
from sandbox.settings import Settings
from writeback.approval import replay
from writeback.model import Correction
from writeback.states import Event, State, sources

# Between each durable step of a correction's way, and around its request.
POINTS = (
    "writeback.during_gates",
    "writeback.after_gates",
    "writeback.during_enqueue",
    "writeback.after_enqueue",
    "writeback.during_approval",
    "writeback.after_approval",
    "writeback.during_rehearsal",
    "writeback.after_rehearsal",
    "writeback.during_lease",
    "writeback.after_lease",
    "writeback.before_look",
    "writeback.after_look",
    "writeback.before_send",
    "connectors.before_request",
    "connectors.after_answer",
    "writeback.after_send_before_mark",
    "writeback.during_mark",
    "writeback.after_settlement",
    "writeback.after_mark",
    "writeback.during_expiry",
    "writeback.after_expiry",
    "writeback.before_read_back",
    "writeback.after_read_back",
    "writeback.during_verify",
    "writeback.after_verify",
    "writeback.during_claim",
    "writeback.before_undo",
    "writeback.after_undo_before_mark",
    "writeback.during_undo_mark",
    "writeback.after_undo",
)
REPEATED = frozenset(
    {
        "writeback.before_look",
        "writeback.after_look",
        "writeback.before_send",
        "connectors.before_request",
        "connectors.after_answer",
        "writeback.after_send_before_mark",
        "writeback.during_mark",
        "writeback.after_settlement",
        "writeback.after_mark",
    }
)
# Where a dispatcher is stopped with an old read in its hands, or with an answer not yet noted.
STOPS = (
    "writeback.after_look",
    "writeback.before_send",
    "connectors.before_request",
    "connectors.after_answer",
    "writeback.after_send_before_mark",
)
NO_ROOM = ("writeback.before_send", "writeback.after_send_before_mark", "writeback.after_lease")
LEASE_SECONDS = 180.0
PATIENCE = 60.0  # real seconds until a life counts as hung
MOST_REPEATS = 4
MOST_QUIET_ROUNDS = 40
# A late request is on its way for less than this many real seconds.
LONGEST_WAY = 1.0


@dataclass
class StoryResult:
    """``figures``: counts to add up; ``broken``: (property, what) of each violation."""

    seed: int
    figures: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    toxics: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """What goes wrong with the dispatcher: ``act`` kill, stop, no_room, or nothing; at a named
    point, or (None) at a random moment. ``second``: another one works at the same time."""

    act: str
    point: str | None = None
    second: bool = False


class Nursery:
    """The process that lives are forked from."""

    def __init__(self) -> None:
        here = Path(__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, str(here / "dispatcher_life.py")],
            env={**os.environ, "PYTHONPATH": str(here.parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def start(self, life: Life) -> int:
        pid: int = self._ask(as_order(life))["pid"]
        return pid

    def wait(self, pids: list[int], seconds: float) -> dict[str, Any]:
        """See dispatcher_life: the first that ended or stopped, or nothing within the time."""
        return self._ask({"wait": pids, "seconds": seconds})

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Story:
    """See the module. ``run`` plays and judges it."""

    def __init__(self, seed: int, folder: Path, sandbox: Sandbox, nursery: Nursery) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.folder = folder
        self.sandbox = sandbox
        self.nursery = nursery
        self.clock = FastClock(folder / "clock")
        self.jumps = [(0.0, 0.0)]
        self.store = store_of(folder, self.clock)
        self.people = People({name: sandbox.client(name) for name in SYSTEMS})
        self.proposals: dict[str, dict[str, Any]] = {}
        self.seen_movements: dict[str, frozenset[int]] = {}
        self.fresh: list[dict[str, Any]] = []
        self.undo: list[str] = []
        self.proxies = {
            name: ToxicProxy((urlsplit(url).hostname or "", urlsplit(url).port or 0), seed)
            for name, url in sandbox.urls.items()
            if name in SYSTEMS
        }
        self.result = StoryResult(seed)
        self._kinds: list[str] = []
        self._troubles: list[str] = []

    # ---- the plan --------------------------------------------------------------------------

    def plan(self, random_kills: int) -> list[Round]:
        """Each point once, and in between all else."""
        rng = self.rng
        early = [point for point in POINTS if "undo" not in point and "claim" not in point]
        late = [point for point in POINTS if point not in early]
        rng.shuffle(early)
        rng.shuffle(late)
        rounds = [Round("kill", point, rng.random() < 0.25) for point in early]
        others = [Round("kill", None, rng.random() < 0.5) for _ in range(random_kills)]
        others += [Round("stop", point) for point in rng.sample(STOPS, 3)] + [Round("stop")]
        others += [Round("no_room", rng.choice(NO_ROOM)), Round("none", second=True)]
        for other in others:
            rounds.insert(rng.randint(2, len(rounds)), other)
        for point in late:
            rounds.insert(rng.randint(len(rounds) // 2, len(rounds)), Round("kill", point))
        return rounds

    # ---- what there is to correct ----------------------------------------------------------

    def find_drift(self, kind: str | None = None) -> None:
        """A fresh fault of the distributor, and the proposal that it calls for."""
        if kind is None:
            if not self._kinds:
                self._kinds = self.rng.sample(sorted(FAULT_OF_KIND), len(FAULT_OF_KIND))
            kind = self._kinds.pop()
        row = self.sandbox.fault(FAULT_OF_KIND[kind])
        expected, keys = row["expected_correction"], row["entity_keys"]
        payload = dict(expected["payload"])
        if kind == "adjust_stock":
            # Before the look at the balance: what moves between the two counts as seen by nobody.
            seen = frozenset(self._movements(payload))
            payload = self.sandbox.correction_of_stock(payload)
        proposal = {
            "rule_id": "chaos",
            "object_id": _object_of(kind, payload),
            "target_system": expected["system"],
            "kind": kind,
            "payload": payload,
            "needs_approval": expected["needs_approval"],
            "frontier_at": self.clock.now().isoformat(),
            "preconditions": _preconditions(kind, payload, keys),
        }
        if proposal["object_id"] in self.proposals:
            return
        self.proposals[proposal["object_id"]] = proposal
        if kind == "adjust_stock":
            self.seen_movements[proposal["object_id"]] = seen
        self.fresh.append(proposal)
        if len(self.fresh) > 8:
            self.fresh.pop(0)

    def _movements(self, payload: Mapping[str, Any]) -> dict[int, str | None]:
        """What moved the stock of an adjustment: the number of each movement, and its key."""
        found = self.sandbox.erp(
            "stock_movements", item_no=payload["target_item"], whs=payload["target_location"]
        )
        return {movement["mv_no"]: movement["origin"] for movement in found}

    def _moved_by_others(self, correction: Correction) -> bool:
        """Whether stock moved after its adjustment was proposed, and not by that adjustment: a
        shipment of the same goods is posted late, or a new order is shipped."""
        if correction.kind != "adjust_stock":
            return False
        own = (correction.idempotency_key, f"{correction.idempotency_key}-undo")
        movements = self._movements(self.proposals[correction.object_id]["payload"])
        seen = self.seen_movements[correction.object_id]
        return any(number not in seen and key not in own for number, key in movements.items())

    # ---- rounds ----------------------------------------------------------------------------

    def play(self, one: Round) -> None:
        """A round, again and more simply until what was to happen has happened. What does not
        happen in any story is missed when the stories are added up."""
        for repeat in range(MOST_REPEATS):
            if repeat:
                # What the network did to the target is over, and nobody else takes its work.
                one = replace(one, second=one.act == "none")
                self.jump(LEASE_SECONDS + 20)
            self._prepare(one)
            with ExitStack() as stack:
                if repeat < 2:
                    self._disturb(stack)
                happened = self._live_and_die(one)
            for proxy in self.proxies.values():
                proxy.disarm()
                proxy.before_write = None
            if happened:
                return

    def _prepare(self, one: Round) -> None:
        point = one.point or ""
        for _ in range(2):
            self.find_drift()
        if "approval" in point:
            self.find_drift("void_invoice")
        if "undo" in point or "claim" in point:
            self._choose_undo()
        if point.endswith(("expiry", "read_back")) and self._count(State.SENDING) == 0:
            ends = self._run(self._life(point="writeback.before_send"))
            self.result.kills["writeback.before_send"] += ends.count(-signal.SIGKILL)
        past_lease = point.endswith(("expiry", "read_back")) or self.rng.random() < 0.5
        self.jump(LEASE_SECONDS + 20 if past_lease else self.rng.choice((0.0, 5.0, 40.0)))

    def _choose_undo(self) -> None:
        """A proved one that nobody takes back yet."""
        for correction in self.store.list(state=State.VERIFIED):
            if correction.correction_key not in self.undo and not self.people.touched(
                correction.object_id
            ):
                self.undo.append(correction.correction_key)
                return

    def _disturb(self, stack: ExitStack) -> None:
        """What goes wrong on the network, and what people do meanwhile."""
        rng = self.rng
        if rng.random() < 0.75:
            if not self._troubles:
                self._troubles = rng.sample((*TOXICS, *HTTP_FAULTS), len(TOXICS + HTTP_FAULTS))
            trouble = self._troubles.pop()
            for name in SYSTEMS if trouble in HTTP_FAULTS else rng.sample(SYSTEMS, 2):
                proxy = self.proxies[name]
                if trouble in HTTP_FAULTS:
                    proxy.arm(trouble, 2 if trouble in ("unavailable", "rate_limited") else 1)
                else:
                    stack.enter_context(proxy.poisoned(*_toxics(trouble, rng)))
        for proposal in self.fresh:
            if rng.random() < 0.25:
                self._edit(proposal, rng)
        if rng.random() < 0.4:
            wanted = [p for p in self.fresh if OTHER_VALUE in EDITS.get(p["kind"], ())]
            if wanted:
                self._edit_in_push(rng.choice(wanted), rng.choice((OTHER_VALUE, OTHER_FIELD)))

    def _edit(self, proposal: Mapping[str, Any], rng: random.Random) -> None:
        possible = EDITS.get(proposal["kind"], ())
        if possible and not self.people.touched(proposal["object_id"]):
            self.people.edit(rng.choice(possible), proposal)

    def _edit_in_push(self, proposal: Mapping[str, Any], what: str) -> None:
        """Somebody writes between the dispatcher's last read of a record and its write."""
        if what not in EDITS[proposal["kind"]]:
            what = OTHER_VALUE
        proxy = self.proxies[proposal["target_system"]]
        place = _place_of(proposal)

        def meanwhile(method: str, path: str) -> None:
            if path == place:
                proxy.before_write = None
                if self.people.edit(what, proposal):
                    self.people.counts["in_push"] += 1

        proxy.before_write = meanwhile

    def _live_and_die(self, one: Round) -> bool:
        """Whether what was to happen to the dispatcher happened."""
        if one.act == "none":
            self._run(self._life(), self._life())
            return True
        lives = [self._life(one)] + ([self._life()] if one.second else [])
        if one.act == "stop":
            return self._stop_and_go_on(lives[0], one.point is None)
        kill_after = self.rng.uniform(0.02, 0.35) if one.point is None else None
        ends = self._run(*lives, kill_after=kill_after)
        if one.act == "no_room":
            return "full" in self._last_notes
        if -signal.SIGKILL not in ends:
            return False
        self.result.kills[one.point or "at a random moment"] += ends.count(-signal.SIGKILL)
        return True

    def _life(self, one: Round | None = None, point: str | None = None) -> Life:
        rehearses = one is not None and "rehearsal" in (one.point or "")
        often = one is not None and one.point in REPEATED and one.act == "kill"
        return Life(
            folder=str(self.folder),
            urls={name: proxy.url for name, proxy in self.proxies.items()},
            secrets=self.secrets,
            point=one.point if one else point,
            nth=self.rng.choice((1, 1, 1, 2, 3)) if often else 1,
            act=one.act if one else "kill",
            write_mode="dry_run" if rehearses else "on",
            gates=one is not None and "gates" in (one.point or ""),
            undo=tuple(self.undo),
            proposals=tuple(self.fresh),
        )

    @property
    def secrets(self) -> dict[str, str]:
        given = self.sandbox.environment
        return {
            "api_key": given["ERP"],
            "token": given["OMS"],
            "user": given["USER"],
            "password": given["PASSWORD"],
        }

    def _run(self, *lives: Life, kill_after: float | None = None) -> list[int]:
        """Lives at once; exit codes in the order in which they ended. ``kill_after``: all of them
        are killed so many seconds after they began."""
        self._noted = len(self._notes())
        alive = [self.nursery.start(life) for life in lives]
        self.result.figures["lives"] += len(alive)
        if len(alive) > 1:
            self.result.figures["two_at_once"] += 1
        ends: list[int] = []
        deadline = time.monotonic() + PATIENCE
        while alive:
            told = self.nursery.wait(alive, kill_after or 1.0)
            if "ended" in told:
                alive.remove(told["pid"])
                ends.append(told["ended"])
            elif kill_after is not None or time.monotonic() > deadline:
                if kill_after is None:
                    self.result.broken.append(("broken", f"a life hangs: {lives}"))
                for pid in alive:
                    os.kill(pid, signal.SIGKILL)
                kill_after = None
        self._read_notes()
        return ends

    def _stop_and_go_on(self, life: Life, at_random: bool) -> bool:
        """A dispatcher is stopped for longer than its lease; people and another dispatcher go on
        meanwhile; then it wakes up with what it had read."""
        self._noted = len(self._notes())
        if at_random:
            life = self._life()
        sleeper = self.nursery.start(life)
        self.result.figures["lives"] += 1
        if at_random:
            told = self.nursery.wait([sleeper], self.rng.uniform(0.03, 0.25))
            if "ended" in told:
                return False
            os.kill(sleeper, signal.SIGSTOP)
        told = self.nursery.wait([sleeper], PATIENCE)
        if not told.get("stopped"):
            if not told:
                self.result.broken.append(("broken", "a life hangs before it stops"))
                os.kill(sleeper, signal.SIGKILL)
            return False
        self.result.figures["stops"] += 1
        for proposal in self.fresh:
            if self.rng.random() < 0.7:
                self._edit(proposal, self.rng)
        self.jump(LEASE_SECONDS + 60)
        other = self.nursery.start(self._life())
        self.result.figures["lives"] += 1
        # Stopped inside a transaction, it keeps the other one waiting: they wake up together.
        waited = self.nursery.wait([other], 2.0 if at_random else PATIENCE)
        os.kill(sleeper, signal.SIGCONT)
        alive = [sleeper] if "ended" in waited else [sleeper, other]
        deadline = time.monotonic() + PATIENCE
        while alive and time.monotonic() < deadline:
            told = self.nursery.wait(alive, 1.0)
            if "ended" in told:
                alive.remove(told["pid"])
        for pid in alive:
            self.result.broken.append(("broken", "a life hangs after it was stopped"))
            os.kill(pid, signal.SIGKILL)
        self._read_notes()
        return True

    # ---- time and notes --------------------------------------------------------------------

    def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)
        self.jumps.append((time.time(), self.clock.jumped))

    def engine_time(self, real: float) -> float:
        """The engine's time at a real moment of the story."""
        jumped = [total for when, total in self.jumps if when <= real][-1]
        return self.clock.at(real) - self.clock.jumped + jumped

    def _notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _read_notes(self) -> None:
        fresh = self._notes()[self._noted :]
        self._last_notes = [line.split(" ")[0] for line in fresh]
        for line in fresh:
            if line.startswith("broken"):
                self.result.broken.append(("broken", line))
        self.result.figures["full_disks"] += self._last_notes.count("full")

    def _count(self, state: State) -> int:
        return self.store.counts_by_state()[state.value]

    # ---- rest and judgement ----------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more; returns when nothing is left to do."""
        deadline = time.monotonic() + 10
        while not all(p.is_quiet for p in self.proxies.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(LONGEST_WAY)
        for number in range(MOST_QUIET_ROUNDS):
            ends = self._run(self._life())
            if ends != [0]:
                self.result.broken.append(("broken", f"a quiet life ended with {ends}"))
            if number == 5:
                # After an outage, a person tries once more what has spent its attempts.
                replay(self.store, "maria", "")
            if self._is_at_rest():
                self.result.figures["quiet_rounds"] += number + 1
                return
            self.jump(3700.0)

    def _is_at_rest(self) -> bool:
        counts = self.store.counts_by_state()
        open_states = [*UNFINISHED, State.ACCEPTED]
        taken_back = all(map(self._is_taken_back, self.undo))
        return taken_back and not any(counts[state.value] for state in open_states)

    def _is_taken_back(self, key: str) -> bool:
        """Or can't be: the system says that a rightful one is in its place by now."""
        correction = self.store.get(key).correction
        refused = correction.state_reason.startswith("undo by maria: refused")
        return refused or correction.state not in sources(Event.UNDO)

    def run(self, random_kills: int) -> StoryResult:
        for _ in range(6):
            self.find_drift()
        with ExitStack() as stack:
            for proxy in self.proxies.values():
                stack.enter_context(proxy)
            for one in self.plan(random_kills):
                self.play(one)
            self.come_to_rest()
            self._judge()
        self.store.close()
        return self.result

    def _judge(self) -> None:
        result = self.result
        corrections = list(reversed(self.store.list(limit=10_000)))
        ledger = self.sandbox.ledger()
        moved = frozenset(c.object_id for c in corrections if self._moved_by_others(c))
        verdict = judge(corrections, self.proposals, ledger, self.people, self.engine_time, moved)
        result.broken += verdict.broken
        result.states.update(verdict.states)
        if self.store.verify_audit().problem is not None:
            result.broken.append(("broken", "the audit chain is not whole"))
        for proxy in self.proxies.values():
            result.toxics.update(proxy.fired)
            result.figures["writes_passed_on"] += proxy.written.total()
        result.toxics["down"] = sum(
            1
            for correction in corrections
            for attempt in self.store.get(correction.correction_key).attempts
            if attempt.code == "unreachable"
        )
        result.edits.update(self.people.counts)
        result.figures.update(
            corrections=len(corrections),
            effects=verdict.effects,
            overtaken=verdict.overtaken,
            verified=verdict.states[State.VERIFIED],
            reverted=verdict.states[State.REVERTED],
            people_edits=sum(1 for effect in ledger if effect["idempotency_key"] is None),
        )


def _toxics(name: str, rng: random.Random) -> list[Toxic]:
    """One of Toxiproxy's toxics, on requests or on answers; 0.3 seconds are a time-out here."""
    stream = rng.choice(("upstream", "downstream"))
    match name:
        case "latency":
            return [Toxic(name, stream, seconds=rng.choice((0.03, 0.45)), toxicity=0.4)]
        case "bandwidth":
            return [Toxic(name, stream, size=rng.choice((2000, 20_000)), toxicity=0.5)]
        case "slicer":
            return [Toxic(name, stream, seconds=0.002, size=40, toxicity=0.7)]
        case "timeout" | "reset_peer":
            return [Toxic(name, stream, seconds=rng.choice((0.0, 0.1, 0.4)), toxicity=0.3)]
        case "limit_data":
            return [Toxic(name, stream, size=rng.randint(200, 4000))]
        case "slow_close":
            return [Toxic(name, seconds=0.3), Toxic("reset_peer", stream, toxicity=0.1)]
    return [Toxic(name)]


def _object_of(kind: str, payload: Mapping[str, Any]) -> str:
    names = (
        "order_number",
        "host_order",
        "fulfilment_record",
        "invoice_record",
        "document",
        "target_item",
        "order_record",
    )
    about = next(str(payload[name]) for name in names if name in payload)
    line = payload.get("line_record") or payload.get("target_location") or ""
    return f"{kind}:{about}/{line}"


def _preconditions(
    kind: str, payload: Mapping[str, Any], keys: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What the leading system must still say, where the demo has two systems agree on a value."""
    if kind == "update_price":
        key = {"doc_no": keys["doc_no"], "pos": str(int(payload["line_record"]) * 10)}
        value = payload["unit_price"]
        return [_equals("erp", "sales_order_lines", key, "prc", value)]
    if kind == "update_quantity":
        line = str(int(payload["line_record"]) // 10)
        key = {"order_number": keys["order_number"], "line_no": line}
        return [_equals("oms", "order_lines", key, "qty", payload["quantity"])]
    return []


def _equals(
    system: str, entity: str, key: Mapping[str, str], name: str, value: Any
) -> dict[str, Any]:
    check = {"check": "equals", "field": name, "value": value}
    return {"system": system, "entity": entity, "key": dict(key), **check}


def _place_of(proposal: Mapping[str, Any]) -> str:
    """The path under which a correction of a value is sent."""
    payload = proposal["payload"]
    match proposal["kind"]:
        case "update_price":
            return f"/v1/orders/{payload['order_record']}/lines/{payload['line_record']}"
        case "update_quantity":
            return f"/api/sales_orders/{payload['order_record']}/lines/{payload['line_record']}"
        case "set_pack":
            return f"/items/{payload['target_item']}"
    return f"/api/fulfilments/{payload['fulfilment_record']}"


def run_story(seed: int, folder: Path, random_kills: int = 10) -> StoryResult:
    """Play and judge one seed in a folder of its own."""
    folder.mkdir(parents=True)
    settings = Settings(
        seed=seed,
        orders=600,
        processes=("returns",),
        faults_per_kind=0,
        decoys_per_kind=0,
        requests_per_second=100_000,
        hang_seconds=1,
    )
    with ExitStack() as stack:
        handle = stack.enter_context(running_sandbox(folder / "sandbox", 0, settings))
        nursery = Nursery()
        stack.callback(nursery.close)
        return Story(seed, folder, Sandbox(handle), nursery).run(random_kills)
