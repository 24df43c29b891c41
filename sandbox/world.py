"""The history of a seed: every order, its faults and decoys, and the stock that it needs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.catalogue import LOCATIONS, Item, draw_items
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.decoys import DECOYS
from sandbox.events import Event
from sandbox.faults import FAULTS, Kind
from sandbox.numbers import Numbers
from sandbox.orders import OrderWriter, lag
from sandbox.scene import OLD, RECENT, WINDOWS, Scene
from sandbox.settings import Settings

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*FAULTS, *DECOYS)}
_DECOY_NAMES = frozenset(kind.name for kind in DECOYS)
_NEWEST_ORDER_AGE = 3 * MINUTE
_REORDER_POINT = 120


@dataclass
class History:
    """All events up to now (and the few scheduled after it), and the truth about the faults."""

    events: list[Event]
    truths: list[dict[str, Any]]
    numbers: Numbers
    items: list[Item]
    used: set[str]


def live_moments(rng: random.Random, settings: Settings, now: float) -> Callable[[], float]:
    """A source of moments for scheduled events, seconds after ``now``."""
    return lambda: now + settings.live_after_seconds + rng.uniform(0, settings.live_spread_seconds)


def build_history(settings: Settings, now: float) -> History:
    """The world of these settings, ending at ``now``."""
    rng = random.Random(f"{settings.seed}:history")
    numbers = Numbers(settings.orders)
    items = draw_items(settings.seed, settings.items)
    placed = sorted(
        now - rng.uniform(_NEWEST_ORDER_AGE, settings.days * DAY) for _ in range(settings.orders)
    )
    numbers.counts["order"] = settings.orders
    scene = Scene(rng, numbers, items, now, live_moments(rng, settings, now), set())
    scene.slots, reserved = _reserve(rng, placed, now)
    truths = stage_mix(scene, settings)
    unused = {number for slots in scene.slots.values() for number, _ in slots}
    writer = scene.write
    events = scene.all_events()
    for number, moment in enumerate(placed, start=1):
        if number not in reserved or number in unused:
            events += _healthy_order(writer, number, moment, now)
    beginning = min(event.at for event in events) - DAY
    events += _master_data(items, beginning)
    events += _stock(rng, numbers, items, events, beginning, now)
    return History(events, truths, numbers, items, scene.used)


def stage_mix(scene: Scene, settings: Settings) -> list[dict[str, Any]]:
    """Stage the faults and decoys of the settings; returns their truth rows.

    Kinds that need free stock positions come last, when all positions of orders are known.
    """
    rows = []
    kinds = sorted(KINDS.values(), key=lambda kind: kind.name in {"I1", "I2", "I3", "M6"})
    for kind in kinds:
        usual = settings.decoys_per_kind if kind.name in _DECOY_NAMES else settings.faults_per_kind
        for _ in range(settings.mix.get(kind.name, usual)):
            rows.append(stage_one(scene, kind))
    return rows


def stage_one(scene: Scene, kind: Kind, late: bool = False) -> dict[str, Any]:
    """Stage one more fault or decoy; returns its truth row. Raises NothingLeftError.

    ``late``: into a world that others read already, so nothing can have been changed before now.
    """
    truth = kind.stage(scene)
    if late and kind.undated:
        truth.since = scene.now
    return truth.row(scene.numbers.next("decoy" if truth.decoy else "fault"), scene.now)


def _reserve(
    rng: random.Random, placed: list[float], now: float
) -> tuple[dict[str, list[tuple[int, float]]], set[int]]:
    """Order numbers by age, shuffled, from which faults and decoys take theirs."""
    slots: dict[str, list[tuple[int, float]]] = {}
    for age in (OLD, RECENT):
        shortest, longest = WINDOWS[age]
        fitting = [
            (number, moment)
            for number, moment in enumerate(placed, start=1)
            if shortest <= now - moment <= longest
        ]
        rng.shuffle(fitting)
        slots[age] = fitting[: len(fitting) // 2]
    return slots, {number for found in slots.values() for number, _ in found}


def _healthy_order(writer: OrderWriter, number: int, placed: float, now: float) -> list[Event]:
    """One order on which all systems agree, in a state that promises nothing for later.

    It is complete, or cancelled on all sides, or still waits where no deadline runs.
    """
    rng = writer.rng
    order = writer.start(number)
    age = now - placed
    chance = rng.random()
    if age < 2 * HOUR:
        writer.place(order, placed)
    elif age < 9 * HOUR:
        if chance < 0.5:
            writer.place(order, placed)
        elif chance < 0.9:
            writer.booked(order, placed)
        else:
            writer.cancel(order, writer.place(order, placed) + 40.0, systems=("oms",))
    elif chance < 0.035:
        accepted = writer.booked(order, placed)
        writer.cancel(order, accepted + rng.uniform(25 * MINUTE, 38 * MINUTE))
    elif chance < 0.05:
        released = writer.released(order, placed, pace=0.1)
        writer.cancel(order, released + 20 * MINUTE, systems=("oms", "erp", "wms"))
    elif age < 3 * DAY and chance < 0.25:
        if chance < 0.15:
            writer.booked(order, placed)
        else:
            writer.released(order, placed, pace=0.2)
    else:
        writer.delivered(order, placed, pace=min(1.0, (age - 6.5 * HOUR) / (76 * HOUR)))
    return order.events


def _master_data(items: list[Item], at: float) -> list[Event]:
    return [
        Event(
            at,
            "item_created",
            item.gtin,
            {
                "item": item.number,
                "gtin": item.gtin,
                "title": item.title,
                "case_pack": item.case_pack,
                "weight": item.weight,
                "price": item.price,
            },
            {"erp": at, "oms": at + 1.0, "wms": at + 2.0},
        )
        for item in items
    ]


def _stock(
    rng: random.Random,
    numbers: Numbers,
    items: list[Item],
    events: list[Event],
    beginning: float,
    now: float,
) -> list[Event]:
    """Receipts (opening stock, then replenishment) and adjustments, recorded on both sides."""
    made: list[Event] = []

    def receive(at: float, item: int, location: str, qty: int) -> None:
        ref = numbers.next("receipt")
        wms = at + lag(rng, "wms")
        made.append(
            Event(
                at,
                "stock_received",
                ref,
                {"ref": ref, "item": item, "location": location, "qty": qty},
                {"wms": wms, "erp": wms + lag(rng, "erp_stock")},
            )
        )

    balance: dict[tuple[int, str], int] = {}
    for item in items:
        for location in LOCATIONS:
            cases = rng.randrange(12, 30)
            balance[item.number, location] = cases * item.case_pack
            receive(beginning + 2 * HOUR, item.number, location, cases * item.case_pack)
            # Small packs give small opening stocks, so a second receipt fills up.
            if cases * item.case_pack < 2 * _REORDER_POINT:
                balance[item.number, location] += 2 * _REORDER_POINT
                receive(beginning + 3 * HOUR, item.number, location, 2 * _REORDER_POINT)
    for event in sorted(events, key=lambda event: event.at):
        if event.kind != "shipped":
            continue
        for line in event.data["lines"]:
            position = (line["item"], event.data["location"])
            balance[position] -= line["qty"]
            if balance[position] < _REORDER_POINT and event.at < now - 3 * HOUR:
                pack = items[line["item"] - 1].case_pack
                qty = pack * rng.randrange(10, 40)
                balance[position] += qty
                receive(event.at + 5 * MINUTE, *position, qty)
    for _ in range(max(5, len(items) // 2)):
        at = rng.uniform(beginning + DAY, now - 3 * HOUR)
        ref = numbers.next("adjustment")
        reason = rng.choice(("CC", "CC", "DMG"))
        qty = -rng.randrange(1, 4) if reason == "DMG" else rng.choice((-3, -2, -1, 1, 2, 4))
        wms = at + lag(rng, "wms")
        made.append(
            Event(
                at,
                "stock_adjusted",
                ref,
                {
                    "ref": ref,
                    "item": rng.choice(items).number,
                    "location": rng.choice(LOCATIONS),
                    "qty": qty,
                    "reason": reason,
                },
                {"wms": wms, "erp": wms + lag(rng, "erp_stock")},
            )
        )
    return made
