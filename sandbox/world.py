"""The history of a seed: faults and decoys are staged, then the simulation lives around them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.catalogue import Item, draw_items
from sandbox.clock import DAY
from sandbox.decoys import DECOYS
from sandbox.disturbances import TARGET_BEHAVES
from sandbox.events import Event
from sandbox.faults import FAULTS
from sandbox.faults.kind import Kind
from sandbox.faults.overlaps import OVERLAPS
from sandbox.numbers import Numbers
from sandbox.scene import OLD, RECENT, WINDOWS, Scene
from sandbox.settings import Settings
from sandbox.simulation.company import Company
from sandbox.simulation.demand import Demand
from sandbox.simulation.engine import Timeline

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*FAULTS, *OVERLAPS, *DECOYS)}
_DECOY_NAMES = frozenset(kind.name for kind in DECOYS)
_OVERLAP_NAMES = frozenset(kind.name for kind in OVERLAPS)


@dataclass
class History:
    """All events up to now (and the few scheduled after it), and the truth about the faults.

    ``company`` is the simulation, at the moment at which the history ends.
    """

    events: list[Event]
    truths: list[dict[str, Any]]
    numbers: Numbers
    items: list[Item]
    used: set[str]
    company: Company


def live_moments(rng: random.Random, settings: Settings, now: float) -> Callable[[], float]:
    """A source of moments for scheduled events, seconds after ``now``."""
    return lambda: now + settings.live_after_seconds + rng.uniform(0, settings.live_spread_seconds)


def build_history(settings: Settings, now: float) -> History:
    """The world of these settings, with its history up to ``now``."""
    rng = random.Random(f"{settings.seed}:history")
    numbers = Numbers(settings.orders)
    items = draw_items(settings.seed, settings.items)
    length = settings.days * DAY
    timeline = Timeline(now - length, length, settings.live or 1.0)
    demand = Demand(
        settings.seed, settings.orders, settings.days, settings.peak_days, settings.peak_factor
    )
    placed = list(enumerate(demand.history(), start=1))
    numbers.counts["order"] = settings.orders
    scene = Scene(rng, numbers, items, now, live_moments(rng, settings, now), set())
    scene.slots, reserved = _reserve(rng, placed, timeline)
    truths = stage_mix(scene, settings)
    unused = {number for slots in scene.slots.values() for number, _ in slots}
    healthy = [row for row in placed if row[0] not in reserved or row[0] in unused]
    staged = scene.all_events()
    company = Company(settings, items, numbers, timeline, demand, healthy, staged)
    return History(staged + company.history(), truths, numbers, items, scene.used, company)


def stage_mix(scene: Scene, settings: Settings) -> list[dict[str, Any]]:
    """Stage the faults and decoys of the settings; returns their truth rows.

    Kinds that need free stock positions come first: orders find others, whatever is taken. A kind
    that the world lacks the means for is left out.
    """
    rows = []
    kinds = sorted(KINDS.values(), key=lambda kind: not kind.takes_free_stock)
    for kind in kinds:
        if kind.missing(settings):
            continue
        usual = _usual_number(kind, settings) if kind.in_history else 0
        for _ in range(settings.mix.get(kind.name, usual)):
            rows += stage_one(scene, kind)
    return rows


def _usual_number(kind: Kind, settings: Settings) -> int:
    if kind.name in _DECOY_NAMES:
        return settings.decoys_per_kind
    if kind.name in _OVERLAP_NAMES:
        return settings.overlaps_per_kind
    return settings.faults_per_kind


def stage_one(scene: Scene, kind: Kind, late: bool = False) -> list[dict[str, Any]]:
    """Stage one more of a kind; returns its truth rows. Raises NothingLeftError.

    ``late``: into a world that others read already, so nothing can have been changed before now.
    """
    before = len(scene.events)
    staged = kind.stage(scene)
    behaviours = [
        {"name": event.subject, **{key: event.data[key] for key in ("mode", "system")}}
        for event in scene.events[before:]
        if event.kind == TARGET_BEHAVES
    ]
    rows: list[dict[str, Any]] = []
    for truth in staged if isinstance(staged, list) else [staged]:
        truth.behaviours = behaviours
        if late and kind.undated:
            truth.since = scene.now
        fault_id = scene.numbers.next("decoy" if truth.decoy else "fault")
        cause = rows[0]["fault_id"] if rows and kind.one_cause else None
        rows.append(truth.row(fault_id, scene.now, cause))
    return rows


def _reserve(
    rng: random.Random, placed: list[tuple[int, float]], timeline: Timeline
) -> tuple[dict[str, list[tuple[int, float]]], set[int]]:
    """Order numbers and moments by age, shuffled, from which faults and decoys take theirs."""
    slots: dict[str, list[tuple[int, float]]] = {}
    for age in (OLD, RECENT):
        shortest, longest = WINDOWS[age]
        fitting = [
            (number, timeline.moment(virtual))
            for number, virtual in placed
            if shortest <= timeline.length - virtual <= longest
        ]
        rng.shuffle(fitting)
        slots[age] = fitting[: len(fitting) // 2]
    return slots, {number for found in slots.values() for number, _ in found}
