"""A carrier: vans that collect from a warehouse, and the scans of a parcel up to its delivery."""

from __future__ import annotations

import simpy

from sandbox.clock import HOUR, MINUTE
from sandbox.orders import DESTINATION_ZONES, LAGS, ORIGIN_ZONE, Order, OrderWriter
from sandbox.simulation.engine import Engine, Process

_VAN_EVERY = 90 * MINUTE
_NOBODY_WAITS_LONGER = 3 * HOUR
"""What has waited this long goes with the next van, full or not."""

# Scans after the collection: code, least seconds since the one before, spread, far from home.
_STEPS = (
    ("DP", 20 * MINUTE, 3 * HOUR, False),
    ("AR", 2 * HOUR, 24 * HOUR, True),
    ("OD", 30 * MINUTE, 6 * HOUR, True),
)


class Carrier:
    """The carrier at one warehouse; a van takes ``van`` parcels."""

    def __init__(self, engine: Engine, writer: OrderWriter, location: str, van: int) -> None:
        self.engine = engine
        self.writer = writer
        self.origin = ORIGIN_ZONE[location]
        self.van = van
        self._at_dock: list[tuple[float, simpy.Event]] = []

    def carry(self, order: Order) -> Process:
        """From the dock to the customer."""
        engine, writer = self.engine, self.writer
        collected = engine.env.event()
        self._at_dock.append((engine.now, collected))
        yield collected
        engine.tell(writer.scan(order, engine.now, "PU", self.origin))
        destination = engine.rng.choice(DESTINATION_ZONES)
        for code, least, spread, far in _STEPS:
            yield engine.wait(least, spread)
            yield from engine.settles(LAGS["carrier"][1])
            zone = destination if far else self.origin
            engine.tell(writer.scan(order, engine.now, code, zone))
        yield engine.wait(30 * MINUTE, 7 * HOUR)
        yield from engine.settles(LAGS["carrier"][1] + LAGS["oms_status"][1])
        engine.tell(writer.dropped(order, engine.now, destination))

    def collect(self) -> Process:
        """Vans, for ever."""
        while True:
            yield self.engine.wait(_VAN_EVERY)
            late = self.engine.now - _NOBODY_WAITS_LONGER
            patient = sum(1 for since, _ in self._at_dock if since <= late)
            load = max(self.van, patient)
            taken, self._at_dock = self._at_dock[:load], self._at_dock[load:]
            for _, collected in taken:
                yield self.engine.wait(2.0, 6.0)
                collected.succeed()
