"""The running distributor: its views and store, the passing of time, injection, transactions."""

from __future__ import annotations

import contextlib
import gc
import heapq
import math
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sandbox import clock
from sandbox.catalogue import LOCATIONS, SUPPLIERS, Item, draw_items, wms_sku
from sandbox.disturbances import EVENT_KINDS, Behaviour, Disturbances
from sandbox.drops import DropBox
from sandbox.events import Event
from sandbox.inbox import Inbox
from sandbox.mailbox import Mailbox, folders_of
from sandbox.numbers import Numbers
from sandbox.scene import NothingLeftError, Scene, position_key
from sandbox.settings import Settings
from sandbox.simulation.company import Company
from sandbox.store import Store
from sandbox.views.base import Books, View
from sandbox.views.carrier import CarrierView
from sandbox.views.channels import OmsChannels
from sandbox.views.counts import WmsCounts
from sandbox.views.erp import ErpView
from sandbox.views.north import NAME as NORTH_NAME
from sandbox.views.north import NorthErpView
from sandbox.views.oms import OmsView
from sandbox.views.partners import PartnersView
from sandbox.views.periods import ErpPeriods
from sandbox.views.purchasing import ErpPurchasing, WmsPurchasing
from sandbox.views.pushes import NAME as PUSHES_NAME
from sandbox.views.pushes import PushesView
from sandbox.views.returns import ErpReturns, OmsReturns, WmsReturns
from sandbox.views.settlements import ErpSettlements
from sandbox.views.suppliers import SuppliersView
from sandbox.views.thirdparty import NAME as THIRD_PARTY_NAME
from sandbox.views.thirdparty import ThirdPartyView
from sandbox.views.transfers import ErpTransfers, WmsTransfers
from sandbox.views.wms import WmsView
from sandbox.world import KINDS, build_history, live_moments, stage_one


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Millions of small objects that all stay: looking for garbage among them costs a quarter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


TRADERS = {"suppliers": SUPPLIERS, "threepl": (THIRD_PARTY_NAME,)}
"""Who they are, by the kind of partner."""


def partner_folders(home: Path, partners: Iterable[str]) -> dict[str, dict[str, Path]]:
    """The folder of each trading partner of a state folder, by its kind and name."""
    return {kind: folders_of(home / "partners", TRADERS[kind]) for kind in partners}


def drop_folders(home: Path, regions: Iterable[str]) -> dict[str, Path]:
    """Into which folder the ERP of each region of a state folder drops its files, by its name."""
    return {NORTH_NAME: home / "drops" / NORTH_NAME} if "north" in regions else {}


def push_folders(home: Path, carriers: Iterable[str]) -> dict[str, Path]:
    """Where what the carriers of a state folder push is left, by the name of who receives it."""
    return {PUSHES_NAME: home / PUSHES_NAME} if list(carriers) else {}


class Distributor:
    """One state folder, opened: made at the first start, taken back at every later one.

    Not thread-safe: all calls come from the server's event loop. ``anchor`` is the moment of the
    first start, at which the history ends.
    """

    def __init__(self, home: Path, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(home)
        self.items: list[Item] = []
        self.numbers = Numbers(counts=self.store.get("numbers"))
        self._pending: list[tuple[float, int, str, Event]] = []
        self._versions: list[tuple[str, str, str, int | None, str]] = []
        self._used: set[str] = set()
        self._company: Company | None = None
        self.disturbances = Disturbances(self.store.get("used_up"), self.store.get("met"))
        fresh = self.store.get("anchor") is None
        if fresh:
            self.numbers = Numbers(settings.orders)
        self.oms = OmsView(self.numbers)
        self.erp = ErpView(self.numbers)
        self.wms = WmsView(self.numbers)
        self.carrier = CarrierView(self.numbers)
        self.views: dict[str, View] = {
            view.system: view for view in (self.oms, self.erp, self.wms, self.carrier)
        }
        choices = settings.world_choices() if fresh else self.store.get("settings")
        self.processes = tuple(choices["processes"])
        self.channels = OmsChannels(self.wms)
        self.settlements = ErpSettlements(self.numbers)
        self.drops: dict[str, DropBox] = {}
        for name, folder in drop_folders(home, choices["regions"]).items():
            north = self.views[name] = NorthErpView(self.numbers)
            every = choices["drop_seconds"]
            self.drops[name] = DropBox(folder, north, self.store, every, self.disturbances)
        self.pushes = PushesView(self.numbers)
        self.push_folders = push_folders(home, choices["carriers"])
        self._inboxes: list[Inbox] = []
        for name, folder in self.push_folders.items():
            self.views[name] = self.pushes
            self._inboxes.append(Inbox(folder, self.pushes.scans, self.store))
        self._keep_books(self.processes)
        self._mailboxes = self._trade_with(home / "partners", choices["partners"])
        with _no_garbage_collection():
            if fresh:
                self._create()
            else:
                self._take_back()
        self._deliver()
        for box in self.drops.values():
            box.write_if_due(clock.now())
        for view in self.views.values():
            for table in view.tables.values():
                table.on_write = self._recorder(view.system)

    @property
    def partner_folders(self) -> dict[str, dict[str, Path]]:
        """The folder of each partner with whom X12 files are exchanged, by its kind and name."""
        return {kind: mailbox.folders for kind, mailbox in self._mailboxes.items()}

    @property
    def drop_folders(self) -> dict[str, Path]:
        """The folder of each ERP that drops files, by its name."""
        return {name: box.folder for name, box in self.drops.items()}

    @property
    def is_watched(self) -> bool:
        """Whether files are to appear also while nobody asks."""
        return self.is_live or bool(self.drops) or bool(self._inboxes)

    @property
    def is_live(self) -> bool:
        """Whether the world goes on by itself."""
        return self._company is not None

    def _trade_with(self, root: Path, partners: Iterable[str]) -> dict[str, Mailbox]:
        """Give the world its trading partners; returns the mailbox of each kind."""
        views: dict[str, PartnersView] = {
            "suppliers": SuppliersView(self.numbers),
            "threepl": ThirdPartyView(self.numbers),
        }
        mailboxes = {}
        for kind in partners:
            view = self.views[kind] = views[kind]
            mailboxes[kind] = Mailbox(root, TRADERS[kind], view.interchanges, self.store, kind)
        return mailboxes

    def _deliver(self) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.deliver()
        for inbox in self._inboxes:
            inbox.deliver()

    def _keep_books(self, processes: Iterable[str]) -> None:
        """Give the views the documents of the business processes that this world tells of."""
        kept: dict[str, tuple[tuple[View, Books], ...]] = {
            "purchasing": ((self.erp, ErpPurchasing(self.erp)), (self.wms, WmsPurchasing())),
            "transfers": ((self.erp, ErpTransfers(self.erp)), (self.wms, WmsTransfers(self.wms))),
            "counts": ((self.wms, WmsCounts()),),
            "returns": (
                (self.oms, OmsReturns()),
                (self.wms, WmsReturns(self.wms)),
                (self.erp, ErpReturns(self.erp)),
                (self.erp, self.settlements),
            ),
            "periods": ((self.erp, ErpPeriods()),),
            "channels": ((self.oms, self.channels),),
            "payments": ((self.erp, self.settlements),),
        }
        for box in self.drops.values():
            north = box.view
            kept["payments"] += ((north, ErpSettlements(self.numbers)),)
            kept["purchasing"] += ((north, ErpPurchasing(north)),)
        # Two processes may share books.
        told = [pair for name in processes for pair in kept.get(name, ())]
        wanted = {id(books): (view, books) for view, books in told}
        for view, books in wanted.values():
            view.keep(books)

    @property
    def scheduled_count(self) -> int:
        """How many deliveries are still to come."""
        return len(self._pending)

    def close(self) -> None:
        """Close the state folder."""
        self.store.close()

    def advance(self) -> None:
        """Let happen what has happened since the last request, and the systems hear what is due.

        Nobody can have looked in between, so what is recorded at its due time was never late.
        """
        now = clock.now()
        if self._company is not None and (events := self._company.go_on(now)):
            self.store.begin()
            self.store.set("lived_until", now)
            self._record(events, -math.inf)
        while self._pending and self._pending[0][0] <= now:
            due, event_id, system, event = heapq.heappop(self._pending)
            # Who looks at a fast clock writes down what it shows.
            shown = due + self.disturbances.clock_ahead(system, due)
            self.store.begin()
            self.views[system].hear(event, shown, shown)
            self.store.mark_heard(event_id, system)
        self.commit()
        for box in self.drops.values():
            box.write_if_due(now)

    def commit(self) -> None:
        """Make durable what has changed since the last commit."""
        if self._versions:
            self.store.begin()
            self.store.add_documents(self._versions)
            self._versions.clear()
            self.store.set("numbers", self.numbers.counts)
        self.store.commit()
        self._deliver()

    @property
    def world(self) -> Settings:
        """What decides the world's content, as it was when the world was made."""
        return Settings.of_world(self.store.get("settings"))

    def inject(self, name: str, count: int) -> list[dict[str, Any]]:
        """Stage ``count`` more of a kind, overdue as far as its dates can make it.

        Returns the truth rows, of an overlap several each.

        What happened before now is heard at once, under its old dates but with a fresh
        ``modified``. Raises KeyError for an unknown kind and NothingLeftError.
        """
        kind = KINDS[name]
        if missing := kind.missing(self.world):
            raise NothingLeftError(
                f"this world has no {' and no '.join(missing)}: start one that does, "
                "like `tallyman sandbox up --world full`"
            )
        now = clock.now()
        rng = random.Random(f"{self.settings.seed}:inject:{self.store.get('injected') or 0}")
        live = live_moments(rng, self.settings, now)
        free = self._free_units()
        scene = Scene(rng, self.numbers, self.items, now, live, set(self._used), dict(free))
        rows = [row for _ in range(count) for row in stage_one(scene, kind, late=True)]
        self.store.begin()
        self.store.set("injected", (self.store.get("injected") or 0) + 1)
        self._used = scene.used
        self.store.set("used", sorted(self._used))
        self._note_taken(free, scene.free or {})
        self.happen(scene.all_events(), rows, now)
        return rows

    def _free_units(self) -> dict[str, int]:
        """Units of each position of the warehouses that orders injected now may take.

        Those that earlier ones took are told by the warehouse only later, so they count as taken
        for good.
        """
        taken = self.store.get("taken") or {}
        free = {}
        for item in self.items:
            for location in LOCATIONS:
                position = self.wms.inventory.edit(f"{wms_sku(item.number)}@{location}")
                key = position_key((item.number, location))
                promised = position["Allocated"] + position["Damaged"] + taken.get(key, 0)
                free[key] = position["OnHand"] - promised
        return free

    def _note_taken(self, before: dict[str, int], after: dict[str, int]) -> None:
        taken = self.store.get("taken") or {}
        for key, units in after.items():
            if units != before[key]:
                taken[key] = taken.get(key, 0) + before[key] - units
        self.store.set("taken", taken)

    def use_up(self, behaviour: Behaviour) -> None:
        """A target treats no other write in this way."""
        self.disturbances.used.append(behaviour.name)
        self.store.begin()
        self.store.set("used_up", self.disturbances.used)

    def note_met(self, behaviour: Behaviour) -> None:
        """A write met a behaviour of its target, and what it makes of it has happened."""
        if behaviour.name not in self.disturbances.met:
            self.disturbances.met.append(behaviour.name)
            self.store.begin()
            self.store.set("met", self.disturbances.met)

    def happen(self, events: Iterable[Event], truths: list[dict[str, Any]], now: float) -> None:
        """Let events into the running world, with their truth rows, and commit.

        What was recorded before now is heard at once, under its old date; the rest is scheduled.
        """
        self.store.begin()
        self.store.add_truths(truths)
        for when, system, event in self._record(events, now):
            self.views[system].hear(event, when, now)
        self.store.set("numbers", self.numbers.counts)
        self.commit()

    def _record(self, events: Iterable[Event], now: float) -> list[tuple[float, str, Event]]:
        """Append events to the history; returns what is heard by now, in order of time.

        What is heard later is scheduled.
        """
        ordered = sorted(events, key=lambda event: event.at)
        first = self.store.add_events(ordered)
        heard: list[tuple[float, str, Event]] = []
        later: list[tuple[float, int, str, Event]] = []
        for event_id, event in enumerate(ordered, start=first):
            self.disturbances.take_up(event)
            for system, when in event.seen.items():
                if when <= now:
                    heard.append((when, system, event))
                else:
                    later.append((when, event_id, system, event))
        heard.sort(key=lambda delivery: delivery[0])
        self.store.schedule((event_id, system, when) for when, event_id, system, _ in later)
        for delivery in later:
            heapq.heappush(self._pending, delivery)
        return heard

    def _create(self) -> None:
        anchor = clock.now()
        history = build_history(self.settings, anchor)
        self.numbers.counts.clear()
        self.numbers.counts.update(history.numbers.counts)
        self.items, self._used = history.items, history.used
        self._company = history.company if self.settings.live else None
        tables = [table for view in self.views.values() for table in view.tables.values()]
        for table in tables:
            table.begin_bulk()
        self.store.begin()
        for when, system, event in self._record(history.events, anchor):
            self.views[system].hear(event, when, when)
        for table in tables:
            table.seal()
        self.store.add_truths(history.truths)
        self.store.add_documents(
            (view.system, table.entity, record_id, sequence, text)
            for view in self.views.values()
            for table in view.tables.values()
            for record_id, sequence, text in table.versions()
        )
        self.store.set("settings", self.settings.world_choices())
        self.store.set("used", sorted(self._used))
        self.store.set("numbers", self.numbers.counts)
        self.store.set("anchor", anchor)
        self.store.commit()

    def _take_back(self) -> None:
        choices = self.store.get("settings")
        self.items = draw_items(choices["seed"], choices["items"])
        self._used = set(self.store.get("used"))
        for _, event in self.store.events_after(0, EVENT_KINDS):
            self.disturbances.take_up(event)
        self._pending = self.store.scheduled()
        heapq.heapify(self._pending)
        if choices["live"]:
            # A simulation can't be stored, but lived through again: it comes to the same state.
            history = build_history(Settings.of_world(choices), self.store.get("anchor"))
            self._company = history.company
            self._company.go_on(self.store.get("lived_until") or self.store.get("anchor"))
        for system, entity, record_id, sequence, text in self.store.documents():
            self.views[system].tables[entity].load(record_id, sequence, text)
        for view in self.views.values():
            for table in view.tables.values():
                table.finish_loading()

    def _recorder(self, system: str) -> Callable[[str, str, int | None, str], None]:
        def record(entity: str, record_id: str, sequence: int | None, text: str) -> None:
            self._versions.append((system, entity, record_id, sequence, text))

        return record
