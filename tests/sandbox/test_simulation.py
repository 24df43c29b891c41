"""The simulation: equal for equal seeds, loses no unit, and lets no healthy fact be late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.events import Event
from sandbox.settings import CARRIERS, PARTNERS, PROCESSES, REGIONS, Settings
from sandbox.simulation.demand import Demand
from sandbox.simulation.stock import kept_back
from sandbox.truth import GRACE_SECONDS
from sandbox.world import History, build_history

NOW = 1_795_000_000.0
FULL: dict[str, Any] = {
    "processes": PROCESSES,
    "partners": PARTNERS,
    "regions": REGIONS,
    "carriers": CARRIERS,
}

# Whose word counts as that of another system.
ALIKE = {"threepl": "wms", "erp_north": "erp", "pushes": "carrier"}

# Rule, the event and system that begins it, the event and system that must follow.
PRESENCE = (
    ("O02", "order_accepted", "oms", "order_accepted", "erp"),
    ("O05", "lines_cancelled", "oms", "lines_cancelled", "erp"),
    ("O06", "order_released", "erp", "order_released", "wms"),
    ("S01", "shipped", "wms", "shipped", "erp"),
    ("F01", "shipped", "wms", "invoiced", "erp"),
    ("S04", "shipped", "wms", "PU", "carrier"),
    ("S05", "DL", "carrier", "DL", "oms"),
    ("S01D", "shipped by supplier", "suppliers", "shipped by supplier", "erp"),
    ("F01D", "shipped by supplier", "suppliers", "invoiced by supplier", "erp"),
    ("I11", "stock_received", "wms", "stock_received", "erp"),
    ("I11", "stock_adjusted", "wms", "stock_adjusted", "erp"),
)


def healthy(seed: int, orders: int = 300, **more: Any) -> Settings:
    return Settings(seed=seed, orders=orders, faults_per_kind=0, decoys_per_kind=0, **more)


def shape(events: Iterable[Event]) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """What happened, without the moments."""
    moments = dict.fromkeys(("scanned_at", "shipped_at", "promised_at", "expected_at", "as_of"))
    return [
        (event.kind, event.subject, {**event.data, **moments}, sorted(event.seen))
        for event in sorted(events, key=lambda event: event.at)
    ]


# What looks at the calendar lies elsewhere in a world that ends at another time of the month.
NO_CALENDAR: dict[str, Any] = {"mix": {"C6": 0}}
FULL_BUT_PERIODS: dict[str, Any] = {
    **FULL,
    "processes": tuple(process for process in PROCESSES if process != "periods"),
}


@pytest.mark.parametrize("world", [{}, FULL_BUT_PERIODS])
def test_equal_seeds_give_equal_worlds_at_any_moment(world: dict[str, Any]) -> None:
    settings = Settings(orders=300, **world, **NO_CALENDAR)
    one = build_history(settings, NOW)
    other = build_history(settings, NOW + 1_234_567.89)
    assert shape(one.events) == shape(other.events)
    assert one.numbers.counts == other.numbers.counts
    another = build_history(Settings(orders=300, seed=5, **world, **NO_CALENDAR), NOW)
    assert shape(one.events) != shape(another.events)


def test_only_orders_at_a_month_end_lie_elsewhere_at_another_moment() -> None:
    settings = Settings(orders=300)
    one = build_history(settings, NOW)
    other = build_history(settings, NOW + 1_234_567.89)
    assert build_history(settings, NOW).events == one.events
    bound = at_month_end(one)
    assert bound == at_month_end(other) and len(bound) == settings.decoys_per_kind
    assert shape(one.events) != shape(other.events)
    the_others = {event.subject for event in one.events} - bound
    for subjects in (the_others, *({subject} for subject in bound)):
        told = [
            [row for row in shape(history.events) if row[1] in subjects] for history in (one, other)
        ]
        assert told[0] == told[1] != []
    assert len(one.events) == len(other.events)
    assert one.numbers.counts == other.numbers.counts


def at_month_end(history: History) -> set[str]:
    """The orders that lie at the month's end in the calendar, not so long before the world's."""
    rows = [row for row in history.truths if row["fault_type"] == "C6"]
    return {row["entity_keys"]["order_number"] for row in rows}


def test_nothing_healthy_is_recorded_after_the_world_has_stopped() -> None:
    for seed in range(20):
        late = [
            (event.kind, event.subject)
            for event in build_history(healthy(seed, **(FULL if seed % 2 else {})), NOW).events
            if max([event.at, *event.seen.values()]) > NOW
        ]
        assert late == []


def test_no_healthy_fact_is_recorded_later_than_the_rules_wait() -> None:
    for seed in range(25):
        # A peak day a week, so that the queues are long.
        world = FULL if seed % 2 else {}
        events = build_history(healthy(seed, days=30.0, peak_days=4, **world), NOW).events
        recorded: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for event in events:
            kind = event.data["code"] if event.kind == "parcel_scanned" else event.kind
            subject = event.subject
            if str(event.data.get("shipment")).startswith("ASN-"):
                # A supplier's parcel is no warehouse's, and one of several of an order.
                kind, subject = f"{kind} by supplier", event.data["shipment"]
            for system, when in event.seen.items():
                recorded[kind, ALIKE.get(system, system)][subject] = when
        assert bool(recorded["shipped by supplier", "suppliers"]) == bool(world)
        for rule, first, first_system, second, second_system in PRESENCE:
            for subject, since in recorded[first, first_system].items():
                answer = recorded[second, second_system].get(subject)
                if second_system == "oms" and subject not in recorded["order_placed", "oms"]:
                    # What the office of a region takes the OMS never has.
                    assert answer is None
                    continue
                if first == "lines_cancelled" and answer is None:
                    # Cancelled before it was accepted: the ERP has never heard of it.
                    assert subject not in recorded["order_accepted", "erp"]
                    continue
                assert answer is not None, (seed, rule, subject)
                assert since <= answer <= since + GRACE_SECONDS[rule], (seed, rule, subject)


def moved(events: Iterable[Event], until: float) -> dict[tuple[int, str], int]:
    """Eaches by position that entered, less those that left, by the events alone.

    What the warehouse was told counts: of a wrong item it knows, what was ordered never moved.
    """
    totals: dict[tuple[int, str], int] = defaultdict(int)
    for event in events:
        heard = event.seen.keys() & {"wms", "threepl"}
        if not heard or event.at > until:
            continue
        (system,) = heard
        data = event.as_told_to(system)
        if event.kind in ("shipped", "return_received"):
            sign = -1 if event.kind == "shipped" else 1
            for line in data["lines"]:
                totals[line["item"], data["location"]] += sign * line["qty"]
        elif event.kind in ("stock_received", "stock_adjusted"):
            totals[data["item"], data["location"]] += data["qty"]
        elif event.kind == "transfer_shipped":
            totals[data["item"], data["from"]] -= data["qty"]
        elif event.kind == "transfer_received":
            totals[data["item"], data["to"]] += data["qty"]
    return totals


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_supplier_is_to_ship_is_bought_before_the_world_ends(seed: int) -> None:
    """Else the line of a released order waits for a warehouse that never hears of it."""
    events = build_history(healthy(seed, **FULL), NOW).events
    chosen = {
        (event.subject, line)
        for event in events
        if event.kind == "order_accepted"
        for line in event.data.get("drop_shipped", ())
    }
    bought = {
        (event.subject, int(line))
        for event in events
        if event.kind == "lines_bought"
        for line in event.data["lines"]
    }
    cancelled = {event.subject for event in events if event.kind == "lines_cancelled"}
    left = {subject for subject, _ in chosen - bought}
    assert bought and bought <= chosen and left <= cancelled


@pytest.mark.parametrize("world", [{}, FULL])
@pytest.mark.parametrize("seed", range(3))
def test_units_are_conserved_at_any_time(seed: int, world: dict[str, Any]) -> None:
    history = build_history(Settings(seed=seed, orders=400, live=1.0, **world), NOW)
    events, company = history.events, history.company
    # All that staged events move has moved; what is left waits for orders of theirs for ever.
    kept = {position: level.spoken_for for position, level in company.stock.levels.items()}
    waiting = kept_back(events)
    for hours in (0, 1, 7, 30, 200):
        moment = NOW + hours * HOUR
        events += company.go_on(moment)
        on_hand = {position: level.on_hand for position, level in company.stock.levels.items()}
        assert on_hand == moved(events, moment)
        for position, level in company.stock.levels.items():
            assert level.allocated >= 0 and level.allocated + level.spoken_for <= level.on_hand
            assert level.spoken_for == kept[position] <= waiting[position]
            assert level.wanted >= 0 and level.on_order >= 0


def test_a_day_has_a_shape_and_some_days_ten_times_the_orders() -> None:
    demand = Demand(seed=7, orders=20_000, days=40.0, peak_days=2, peak_factor=10.0)
    moments = demand.history()
    assert len(moments) == 20_000
    by_day: dict[int, int] = defaultdict(int)
    by_hour: dict[int, int] = defaultdict(int)
    for moment in moments:
        by_day[int(moment // DAY)] += 1
        by_hour[int(moment % DAY // HOUR)] += 1
    ordinary = sorted(by_day.values())[:-2]
    peaks = [count for day, count in by_day.items() if demand.is_peak(day * DAY)]
    assert len(peaks) == 2
    for count in peaks:
        assert 9 <= count / (sum(ordinary) / len(ordinary)) <= 11
    assert max(by_hour.values()) > 5 * min(by_hour.values())


def test_orders_wait_for_hands_on_a_peak_day() -> None:
    def waits(**peaks: float) -> list[float]:
        events = build_history(healthy(3, orders=4000, **peaks), NOW).events
        released = {e.subject: e.at for e in events if e.kind == "order_released"}
        return sorted(e.at - released[e.subject] for e in events if e.kind == "order_picked")

    usual, peak = waits(peak_days=0), waits(peak_days=1)
    # Without a peak a wave is at most 3 h 25 min after the release, and a line takes 5 minutes.
    assert usual[int(len(usual) * 0.99)] < 6 * HOUR
    assert peak[int(len(peak) * 0.99)] > usual[int(len(usual) * 0.99)] + 3 * HOUR
    assert peak[len(peak) // 10] >= 25 * MINUTE
