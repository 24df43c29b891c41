"""One block of orders as columns: states, lines, and when each step was made and heard of.

Orders are drawn from their end: the moment at which the OMS last changed one comes first, in order
of time, and its life is laid before it. So the OMS's list is in the order of its changes over all
blocks, and no block has to know of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.catalogue import draw_items
from sandbox.scale.plan import (
    BOOKED,
    CANCELLED_AT_ONCE,
    CANCELLED_BOOKED,
    CANCELLED_RELEASED,
    DELIVERED,
    HOUR_MS,
    MINUTE_MS,
    PLACED,
    RELEASED,
    SHARES,
    ScalePlan,
)

Ints = NDArray[np.int64]

STEPS = (
    "order_placed",
    "order_accepted",
    "order_released",
    "order_picked",
    "order_packed",
    "scan_OC",
    "shipped",
    "invoiced",
    "scan_PU",
    "scan_DP",
    "scan_AR",
    "scan_OD",
    "scan_DL",
    "lines_cancelled",
)
"""The columns of steps. A scan's code follows ``scan_``."""
STEP = {name: position for position, name in enumerate(STEPS)}
SYSTEMS = ("oms", "erp", "wms", "carrier")
NEVER = np.iinfo(np.int64).min
"""The moment of what did not happen or was not heard."""

# Typical lag and limit in milliseconds, as the event-by-event world has them.
_LAGS = {
    "oms": (4_000, 30_000),
    "oms_status": (90_000, 20 * MINUTE_MS),
    "erp_order": (60_000, 18 * MINUTE_MS),
    "erp_posting": (120_000, 15 * MINUTE_MS),
    "wms": (2_000, 20_000),
    "wms_order": (45_000, 12 * MINUTE_MS),
    "carrier": (60_000, 25 * MINUTE_MS),
}
_REACHED = {
    PLACED: ("order_placed",),
    BOOKED: ("order_placed", "order_accepted"),
    CANCELLED_AT_ONCE: ("order_placed", "lines_cancelled"),
    CANCELLED_BOOKED: ("order_placed", "order_accepted", "lines_cancelled"),
    CANCELLED_RELEASED: ("order_placed", "order_accepted", "order_released", "lines_cancelled"),
    RELEASED: ("order_placed", "order_accepted", "order_released"),
    DELIVERED: tuple(name for name in STEPS if name != "lines_cancelled"),
}
_LINE_COUNTS = (0.35, 0.32, 0.18, 0.10, 0.05)


@dataclass(frozen=True)
class Lines:
    """Order lines: ``order`` is the row of the order, ``first`` its first line (one more at the
    end). ``item`` counts from 1; ``qty`` in eaches, ``price`` in cents, ``pack`` 1 for eaches."""

    order: Ints
    first: Ints
    number: Ints
    item: Ints
    qty: Ints
    price: Ints
    pack: Ints


@dataclass(frozen=True)
class Block:
    """Orders ``first`` + 1 to ``first`` + size.

    ``happened`` and ``heard`` by system are moments in milliseconds since 1970, a row an order and
    a column a step; NEVER where there is none.
    """

    first: int
    state: Ints
    customer: Ints
    channel: Ints
    location: Ints
    happened: Ints
    heard: dict[str, Ints]
    lines: Lines

    @property
    def size(self) -> int:
        """How many orders."""
        return len(self.state)

    @property
    def number(self) -> Ints:
        """The orders' numbers, from 1 over all blocks."""
        return np.arange(self.first + 1, self.first + 1 + self.size, dtype=np.int64)

    def at(self, step: str) -> Ints:
        """When a step was made."""
        return self.happened[:, STEP[step]]

    def told(self, system: str, step: str) -> Ints:
        """When a system heard of a step."""
        return self.heard[system][:, STEP[step]]


def draw_block(plan: ScalePlan, number: int) -> Block:
    """The orders of one block. Depends on plan and number alone."""
    first, size, begin, end = plan.block(number)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, number])))
    last = np.sort(rng.integers(begin, end, size))
    state = _states(rng, plan.until - last)
    happened, heard = _life(rng, state)
    reached = np.zeros((len(_REACHED), len(STEPS)), dtype=bool)
    for code, names in _REACHED.items():
        reached[code, [STEP[name] for name in names]] = True
    made = reached[state]
    # Cancelled at once: neither the ERP nor the warehouse ever heard of the order.
    heard["erp"][state == CANCELLED_AT_ONCE] = NEVER
    heard["wms"][np.isin(state, (CANCELLED_AT_ONCE, CANCELLED_BOOKED))] = NEVER
    happened[~made] = NEVER
    for moments in heard.values():
        moments[~made] = NEVER
    # Lay the lives so that the OMS's last change falls on the moment drawn.
    shift = last - heard["oms"].max(axis=1)
    for moments in (happened, *heard.values()):
        np.add(moments, shift[:, None], out=moments, where=moments != NEVER)
    return Block(
        first=first,
        state=state,
        customer=rng.integers(1, 40_000, size),
        channel=rng.integers(0, 4, size),
        location=rng.integers(0, 2, size),
        happened=happened,
        heard=heard,
        lines=_lines(rng, plan, size),
    )


def _states(rng: np.random.Generator, age: Ints) -> Ints:
    state = np.empty(len(age), dtype=np.int64)
    chance = rng.random(len(age))
    group = np.searchsorted([limit for limit, _ in SHARES], age, side="right")
    for position, (_, shares) in enumerate(SHARES):
        chosen = np.flatnonzero(group == position)
        bounds = np.cumsum(list(shares.values()))
        # Sums of decimals may end a hair below 1.
        place = np.minimum(np.searchsorted(bounds, chance[chosen], side="right"), len(shares) - 1)
        state[chosen] = np.array(list(shares))[place]
    return state


def _life(rng: np.random.Generator, state: Ints) -> tuple[Ints, dict[str, Ints]]:
    """Every step of every order, counted from its placing, whether it gets that far or not."""
    size = len(state)

    def spread(least: int, more: int) -> Ints:
        return least + rng.integers(0, max(1, more), size)

    def lag(subject: str) -> Ints:
        typical, limit = _LAGS[subject]
        drawn = typical * rng.lognormal(0.0, 0.9, size)
        return np.minimum(limit, drawn).astype(np.int64)

    at = {"order_placed": np.zeros(size, dtype=np.int64)}
    at["order_accepted"] = spread(MINUTE_MS, 20 * MINUTE_MS)
    until_release = rng.integers(0, 18 * HOUR_MS, size)
    brisk = np.isin(state, (RELEASED, CANCELLED_RELEASED))
    until_release = np.where(brisk, until_release // 5, until_release)
    at["order_released"] = at["order_accepted"] + 40 * MINUTE_MS + until_release
    at["order_picked"] = at["order_released"] + spread(25 * MINUTE_MS, 6 * HOUR_MS)
    at["order_packed"] = at["order_picked"] + spread(5 * MINUTE_MS, 2 * HOUR_MS)
    at["shipped"] = at["order_packed"] + spread(5 * MINUTE_MS, 3 * HOUR_MS)
    at["invoiced"] = at["shipped"] + spread(20 * MINUTE_MS, 6 * HOUR_MS)
    at["scan_OC"] = at["shipped"] - 3 * MINUTE_MS
    moment = at["shipped"]
    for code, least, more in (
        ("PU", 4 * MINUTE_MS, 5 * HOUR_MS),
        ("DP", 20 * MINUTE_MS, 3 * HOUR_MS),
        ("AR", 2 * HOUR_MS, 24 * HOUR_MS),
        ("OD", 30 * MINUTE_MS, 6 * HOUR_MS),
        ("DL", 30 * MINUTE_MS, 7 * HOUR_MS),
    ):
        moment = moment + spread(least, more)
        at[f"scan_{code}"] = moment
    at["lines_cancelled"] = np.select(
        [state == CANCELLED_AT_ONCE, state == CANCELLED_BOOKED],
        [np.int64(40_000), at["order_accepted"] + spread(25 * MINUTE_MS, 13 * MINUTE_MS)],
        at["order_released"] + 20 * MINUTE_MS,
    )
    happened = np.stack([at[name] for name in STEPS], axis=1)
    heard = {system: np.full_like(happened, NEVER) for system in SYSTEMS}

    def hears(system: str, step: str, moments: Ints) -> Ints:
        heard[system][:, STEP[step]] = moments
        return moments

    hears("oms", "order_placed", lag("oms"))
    accepted = hears("oms", "order_accepted", at["order_accepted"] + lag("oms"))
    hears("erp", "order_accepted", accepted + lag("erp_order"))
    released = hears("erp", "order_released", at["order_released"] + 1000)
    hears("wms", "order_released", released + lag("wms_order"))
    hears("wms", "order_picked", at["order_picked"] + lag("wms"))
    hears("wms", "order_packed", at["order_packed"] + lag("wms"))
    shipped = hears("wms", "shipped", at["shipped"] + lag("wms"))
    hears("erp", "shipped", shipped + lag("erp_posting"))
    hears("oms", "shipped", shipped + lag("oms_status"))
    hears("erp", "invoiced", at["invoiced"])
    for name in STEPS:
        if name.startswith("scan_"):
            hears("carrier", name, at[name] + lag("carrier"))
    hears("oms", "scan_DL", heard["carrier"][:, STEP["scan_DL"]] + lag("oms_status"))
    cancelled = hears("oms", "lines_cancelled", at["lines_cancelled"] + 1000)
    booked = hears("erp", "lines_cancelled", cancelled + lag("erp_order"))
    hears("wms", "lines_cancelled", booked + lag("wms_order"))
    return happened, heard


def _lines(rng: np.random.Generator, plan: ScalePlan, size: int) -> Lines:
    items = draw_items(plan.seed, plan.items)
    packs = np.array([item.case_pack for item in items], dtype=np.int64)
    prices = np.array([item.price for item in items], dtype=np.int64)
    eaches_only = np.array([item.eaches_only for item in items])
    counts = 1 + np.searchsorted(np.cumsum(_LINE_COUNTS[:-1]), rng.random(size), side="right")
    first = np.concatenate(([0], np.cumsum(counts)))
    order = np.repeat(np.arange(size, dtype=np.int64), counts)
    number = np.arange(len(order), dtype=np.int64) - first[order] + 1
    # A start and a stride an order: its items differ, and all items come equally often.
    start = rng.integers(0, plan.items, size)
    stride = rng.integers(1, max(2, plan.items // len(_LINE_COUNTS)), size)
    item = (start[order] + (number - 1) * stride[order]) % plan.items
    in_cases = ~eaches_only[item] & (rng.random(len(order)) < 0.1)
    pack = np.where(in_cases, packs[item], 1)
    qty = np.where(
        in_cases,
        pack * rng.integers(1, 4, len(order)),
        rng.integers(1, 13, len(order)),
    )
    discount = np.array((0, 0, 0, 5, 10))[rng.integers(0, 5, len(order))]
    price = prices[item] * (100 - discount) // 100
    return Lines(order, first.astype(np.int64), number, item + 1, qty, price, pack)
