"""When customers order: the shape of a day, and the days on which everybody orders at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

from sandbox.clock import DAY, HOUR, MINUTE

_SHAPE = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 8, 9, 10, 11, 10, 8, 6, 5, 4, 3, 2, 1)
"""Orders by hour of the day, relative to each other."""

_HISTORY_ENDS_AT = 15
"""The hour of the day at which every history ends: equal worlds whatever the hour they are made."""

_NEWEST_AGE = 3 * MINUTE


class Demand:
    """The intensity of orders over virtual time.

    ``orders`` in the history of ``days``; ``peak_days`` of its whole days (and as many of every
    such stretch after it) have ``peak_factor`` times the orders of the others.
    """

    def __init__(
        self, seed: int, orders: int, days: float, peak_days: int = 0, peak_factor: float = 1.0
    ) -> None:
        self._seed = seed
        self._orders = orders
        self._length = days * DAY
        self._stretch = max(1, int(days))
        self._peaks = min(peak_days, self._stretch)
        self._factor = peak_factor
        self._peak_days: dict[int, frozenset[int]] = {}
        self._rng = random.Random(f"{seed}:demand")

    def weight(self, virtual: float) -> float:
        """How many orders a moment brings, relative to others."""
        hour = int((virtual - self._length) // HOUR + _HISTORY_ENDS_AT) % 24
        return _SHAPE[hour] * (self._factor if self.is_peak(virtual) else 1.0)

    def is_peak(self, virtual: float) -> bool:
        """Whether a moment lies on a peak day."""
        stretch, day = divmod(int(virtual // DAY), self._stretch)
        if stretch not in self._peak_days:
            rng = random.Random(f"{self._seed}:peaks:{stretch}")
            self._peak_days[stretch] = frozenset(rng.sample(range(self._stretch), self._peaks))
        return day in self._peak_days[stretch]

    def history(self) -> list[float]:
        """Virtual moments of the history's orders, oldest first."""
        hours = range(max(1, int(self._length // HOUR)))
        totals = list(accumulate(self.weight((hour + 0.5) * HOUR) for hour in hours))
        newest = self._length - _NEWEST_AGE
        drawn = self._rng.choices(hours, cum_weights=totals, k=self._orders)
        return sorted(min(newest, (hour + self._rng.random()) * HOUR) for hour in drawn)

    def after(self) -> Iterator[float]:
        """Virtual moments of the orders after the history, without end (thinned Poisson)."""
        usual = sum(_SHAPE) / len(_SHAPE)
        share = self._peaks / self._stretch
        rate = self._orders / self._length / (1 + share * (self._factor - 1)) / usual
        most = rate * max(_SHAPE) * max(1.0, self._factor if self._peaks else 1.0)
        moment = self._length
        while True:
            moment += self._rng.expovariate(most)
            if self._rng.random() * most < rate * self.weight(moment):
                yield moment
