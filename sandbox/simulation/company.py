"""The whole distributor: its processes wired together, and the history that they make."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count

from sandbox.catalogue import LOCATIONS, NORTH, THIRD_PARTY, Item, erp_system
from sandbox.clock import DAY, HOUR, LONGEST_DAY
from sandbox.drop_shipping import NEEDS
from sandbox.events import Event
from sandbox.numbers import LIVE_NUMBERS_FROM, Numbers
from sandbox.orders import OrderWriter, Position
from sandbox.settings import Settings
from sandbox.simulation.advices import Advices
from sandbox.simulation.billing import Billing
from sandbox.simulation.carriers import Carrier
from sandbox.simulation.counts import Counts
from sandbox.simulation.customers import Customers
from sandbox.simulation.demand import Demand
from sandbox.simulation.drop_shipping import DropShipping
from sandbox.simulation.engine import Engine, Process, Timeline
from sandbox.simulation.periods import Periods
from sandbox.simulation.prices import Prices
from sandbox.simulation.purchasing import Purchasing, receipt
from sandbox.simulation.returns import Returns
from sandbox.simulation.stock import Stock, kept_back, moves_of
from sandbox.simulation.transfers import Transfers
from sandbox.simulation.warehouse import Warehouse

_UNITS_AN_ORDER = 17
"""Eaches of an average order."""

OPENING = -DAY
"""The virtual moment at which the distributor opens: a day before the first order."""


class Company:
    """The running simulation. ``healthy``: order number and virtual moment of each of its orders.

    ``staged``: what faults and decoys have made happen, in real moments; it moves units too.
    """

    def __init__(
        self,
        settings: Settings,
        items: list[Item],
        numbers: Numbers,
        timeline: Timeline,
        demand: Demand,
        healthy: Iterable[tuple[int, float]],
        staged: Iterable[Event],
    ) -> None:
        self.timeline = timeline
        self.numbers = numbers
        rng = random.Random(f"{settings.seed}:simulation")
        self.engine = Engine(rng, math.inf if settings.live else timeline.length)
        items = list(items)
        writer = OrderWriter(rng, numbers, items)
        told = frozenset(settings.processes)
        third_party = "threepl" in settings.partners
        self.locations = (
            *LOCATIONS,
            *([NORTH] if "north" in settings.regions else []),
            *([THIRD_PARTY] if third_party else []),
        )
        a_day = settings.orders / settings.days
        here = a_day / len(self.locations)
        self.stock = Stock(self.engine)
        billing = Billing(self.engine, writer, "payments" in told)
        warehouses = {
            location: Warehouse(self.engine, writer, self.stock, billing, here, settings.carriers)
            for location in self.locations
        }
        carriers = {
            location: Carrier(self.engine, writer, location, van=math.ceil(5 + here / 4))
            for location in self.locations
        }
        daily = here * _UNITS_AN_ORDER / len(items)
        hear = {"erp", "wms"} if "purchasing" in told else set()
        hear |= set(settings.partners)
        # In a live world a real day is many virtual ones.
        a_day = LONGEST_DAY * max(1.0, settings.live)
        purchasing = Purchasing(
            self.engine, numbers, items, self.stock, daily, frozenset(hear), a_day
        )
        finds = max(5, len(items) // 2)
        returns = Returns(self.engine, writer, self.stock) if "returns" in told else None
        customers = Customers(
            self.engine,
            writer,
            self.stock,
            warehouses,
            carriers,
            returns,
            "credit" in told,
            DropShipping(self.engine, writer, items, billing)
            if told.union(settings.partners).issuperset(NEEDS)
            else None,
        )

        self._open(items, purchasing, sorted(staged, key=lambda event: event.at))
        self.stock.when_low = purchasing.replenish
        counts = Counts(
            self.engine,
            numbers,
            items,
            self.stock,
            settings.days * DAY / finds,
            "counts" in told,
        )
        live = zip(count(LIVE_NUMBERS_FROM + 1), demand.after(), strict=False)
        arrivals: Iterator[tuple[int, float]] = iter(healthy)
        self.engine.start(customers.order(arrivals))
        if settings.live:
            self.engine.start(self._go_live(customers, live))
        for carrier in carriers.values():
            self.engine.start(carrier.collect())
        self.engine.start(billing.run())
        self.engine.start(counts.run())
        self.engine.start(Prices(self.engine, items).run())
        if "transfers" in told:
            self.engine.start(Transfers(self.engine, numbers, items, self.stock).run())
        if third_party:
            self.engine.start(Advices(self.engine, numbers, items, self.stock).run())
        if "periods" in told:
            self.engine.start(Periods(self.engine, timeline, purchasing).run())

    def history(self) -> list[Event]:
        """Let the history happen; returns it in real moments.

        In a live world some of it is recorded after its end.
        """
        return self._run(self.timeline.length)

    def go_on(self, until: float) -> list[Event]:
        """Let a live world go on to a real moment; returns what has happened since the last one."""
        return self._run(self.timeline.virtual(until))

    def _run(self, until: float) -> list[Event]:
        return [self.timeline.dated(event) for event in self.engine.run(until)]

    def _go_live(self, customers: Customers, arrivals: Iterator[tuple[int, float]]) -> Process:
        """After the history: numbers of one's own, and orders without end."""
        yield self.engine.wait(self.timeline.length)
        self.numbers.leave_room()
        yield from customers.order(arrivals)

    def _open(self, items: list[Item], purchasing: Purchasing, staged: list[Event]) -> None:
        """Master data and opening stock; what staged events take away, or have promised and leave
        where it is, is there from the start."""
        engine = self.engine
        moves = [
            (round(self.timeline.virtual(event.at), 3), position, qty)
            for event in staged
            for position, qty in moves_of(event)
        ]
        leaving: Counter[Position] = Counter()
        for _, position, qty in moves:
            leaving[position] += max(0, -qty)
        leaving += kept_back(staged)
        for item in items:
            engine.tell(_created(item, self.locations))
            for location in self.locations:
                position = (item.number, location)
                spoken_for = leaving[position]
                qty = purchasing.whole_cases(item.number, purchasing.target + spoken_for)
                self.stock.open(position, qty, spoken_for)
                at = OPENING + 2 * HOUR
                engine.tell(receipt(engine, self.numbers, at, position, qty))
        engine.start(self._follow(moves))

    def _follow(self, moves: list[tuple[float, Position, int]]) -> Process:
        """Units that staged events move, at their moments."""
        for moment, position, qty in moves:
            yield self.engine.wait(max(0.0, moment - self.engine.now))
            if qty < 0:
                self.stock.leave(position, -qty)
            else:
                self.stock.arrive(position, qty)


def _created(item: Item, locations: tuple[str, ...]) -> Event:
    erps = {erp_system(location) for location in locations}
    return Event(
        OPENING,
        "item_created",
        item.gtin,
        {
            "item": item.number,
            "gtin": item.gtin,
            "title": item.title,
            "case_pack": item.case_pack,
            "weight": item.weight,
            "price": item.price,
            "locations": list(locations),
        },
        dict.fromkeys(erps, OPENING) | {"oms": OPENING + 1.0, "wms": OPENING + 2.0},
    )
