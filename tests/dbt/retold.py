"""Generated histories, and the same facts told again in other ways that must make no difference."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from scenario import NOW, SYSTEMS, Scenario, ago
from trade import Line, Order, balances, erp_movement, masters, wms_movement

PACK = 12
STOCK = 10_000
READ_AT = [NOW - timedelta(minutes=minutes) for minutes in (60, 40, 20, 0)]
"""The first reading brings the masters, each later one a part of the orders."""

ERP_ZONE = SYSTEMS["erp"][2]


@dataclass(frozen=True)
class Tale:
    """One order: how long ago, how many cases, and who said what of it."""

    hours_ago: int
    cases: int
    steps: frozenset[str]
    shipped_cases: int
    price: str

    @property
    def shipped(self) -> int:
        return PACK * min(self.shipped_cases, self.cases) if "shipped" in self.steps else 0


STEPS = (
    "released",
    "warehouse",
    "shipped",
    "fulfilled",
    "invoiced",
    "invoiced_twice",
    "cancelled",
    "scanned",
)

# Old enough to have been there at every reading, and young enough that no clock changed meanwhile.
tales = st.builds(
    Tale,
    hours_ago=st.integers(6, 180),
    cases=st.integers(1, 3),
    steps=st.frozensets(st.sampled_from(STEPS)),
    shipped_cases=st.integers(1, 3),
    price=st.sampled_from(["12.500000", "12.500000", "11.000000"]),
)
worlds = st.lists(tales, min_size=8, max_size=25)


@dataclass(frozen=True)
class Telling:
    """How the facts arrive: ``seed`` for which reading brings which row and in which order, what
    share of the rows comes a second time, the ERP's zone, and the warehouse's unit."""

    seed: int = 0
    repeated: float = 0.0
    erp_zone: str = ERP_ZONE
    in_cases: bool = False


tellings = st.builds(
    Telling,
    seed=st.integers(1, 10_000),
    repeated=st.sampled_from([0.0, 0.3, 1.0]),
    erp_zone=st.sampled_from(["Asia/Kolkata", "UTC", "America/St_Johns", "Pacific/Auckland"]),
    in_cases=st.booleans(),
)


class _Rows(Scenario):
    """Keeps what is said instead of reading it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def say(self, system: str, entity: str, **fields: Any) -> None:
        self.said.append((system, entity, fields))


def retold(world: Sequence[Tale], telling: Telling, readings: int = len(READ_AT) - 1) -> Scenario:
    """The scenario after so many readings that brought orders (the first one brings none)."""
    zone = telling.erp_zone
    systems = {**SYSTEMS, "erp": (*SYSTEMS["erp"][:2], zone)}
    scenario = Scenario(systems)
    masters(scenario)
    _in_zone(scenario, zone)
    scenario.read(READ_AT[0])
    chance = random.Random(telling.seed)
    batches: list[list[tuple[str, str, dict[str, Any]]]] = [[] for _ in READ_AT[1:]]
    rows = _rows(world, telling.in_cases)
    chance.shuffle(rows)
    for row in rows:
        first = chance.randrange(len(batches))
        batches[first].append(row)
        for later in batches[first + 1 :]:
            if chance.random() < telling.repeated:
                later.append(row)
    for moment, batch in list(zip(READ_AT[1:], batches, strict=True))[:readings]:
        for system, entity, fields in batch:
            scenario.say(system, entity, **fields)
        shipped = sum(tale.shipped for tale in world)
        balances(scenario, erp=STOCK - _posted(world), wms=STOCK - shipped, at=moment)
        _in_zone(scenario, zone)
        scenario.read(moment)
    return scenario


def _posted(world: Sequence[Tale]) -> int:
    return sum(tale.shipped for tale in world if "fulfilled" in tale.steps)


def _rows(world: Sequence[Tale], in_cases: bool) -> list[tuple[str, str, dict[str, Any]]]:
    rows = _Rows()
    wms_movement(rows, 1, "RCPT", STOCK, "RC-000001", ago(days=9))
    erp_movement(rows, 1, "101", STOCK, "RC-000001", ago(days=9))
    for number, tale in enumerate(world, start=1):
        _tell(rows, number, tale, in_cases)
    return rows.said


def _tell(rows: Scenario, number: int, tale: Tale, in_cases: bool) -> None:
    order = Order(rows, 500_000 + number, ago(hours=tale.hours_ago), [Line(1, PACK * tale.cases)])
    steps = tale.steps
    cancelled = order.at(30) if "cancelled" in steps else None
    order.oms(cancelled_at=cancelled, updated=cancelled, unit_price=tale.price)
    if "released" in steps:
        order.released()
    elif "warehouse" in steps or "fulfilled" in steps:
        order.erp()
    unit = "CS" if in_cases else "EA"
    size = PACK if in_cases else 1
    if "warehouse" in steps:
        order.warehouse(ord_qty=PACK * tale.cases // size, uom=unit)
    if tale.shipped:
        order.shipped(quantity=tale.shipped // size, uom=unit)
        wms_movement(rows, 10 + number, "SHIP", -tale.shipped, order.shipment, order.at(60))
    if "fulfilled" in steps:
        quantity = tale.shipped or PACK * tale.cases
        order.fulfilled(quantity=quantity)
        if tale.shipped:
            erp_movement(rows, 10 + number, "601", -quantity, order.shipment, order.at(65))
    if "invoiced" in steps or "invoiced_twice" in steps:
        order.invoiced(quantity=tale.shipped or PACK * tale.cases)
    if "invoiced_twice" in steps:
        again = f"I8{order.number}"
        order.invoiced(quantity=tale.shipped or PACK * tale.cases, number=again, after=130)
    if "scanned" in steps and tale.shipped:
        order.scanned("PU")


def _in_zone(scenario: Scenario, zone: str) -> None:
    """What the ERP is about to tell, in another zone's local time."""
    for (system, _), rows in scenario.waiting():
        if system != "erp" or zone == ERP_ZONE:
            continue
        for fields in rows:
            for name, value in fields.items():
                if isinstance(value, datetime) and value.tzinfo is None:
                    moment = value.replace(tzinfo=ZoneInfo(ERP_ZONE))
                    fields[name] = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
