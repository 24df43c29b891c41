"""Random histories of two quantities that must follow each other, against what that means.

Something is broken once the most that B was within a grace is less than the least that A was within
it, and no more once B is as much as that. And what was judged once stays so, whatever comes later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from build import Warehouse

BEGIN = datetime(2026, 11, 10, tzinfo=UTC)
RULES = {
    # rule: grace in minutes, then role and milestone of A and of B
    "O06Q": (60, ("erp", "released"), ("wms", "released")),
    "S07": (0, ("wms", "shipped"), ("oms", "captured")),
}
QUANTITIES = (2, 4, 5, 6, 8, 10, 12, 15)
A = "a"


@dataclass(frozen=True)
class Told:
    """What one record says from a minute on: a quantity, or None once it is taken back."""

    minute: int
    record: str
    quantity: int | None


def history(chance: Random) -> list[Told]:
    """One A and one or two B's, each told and then changed, in distinct minutes."""
    records = [A, "b", "c"][: chance.choice([2, 2, 3])]
    minutes = sorted(chance.sample(range(1, 360), len(records) + chance.randint(1, 5)))
    chance.shuffle(records)
    told: list[Told] = []
    held: dict[str, int | None] = {}
    for number, minute in enumerate(minutes):
        if number < len(records):
            record, quantity = records[number], chance.choice(QUANTITIES)
        else:
            record = chance.choice(records)
            quantity = chance.choice((*QUANTITIES, 0))
            if held[record] in (None, quantity):
                continue
            if chance.random() < 0.07:
                quantity = None
        held[record] = quantity
        told.append(Told(minute, record, quantity))
    return told


def meant(told: list[Told], grace: int) -> list[tuple[int, int | None]]:
    """Each span in which it is broken, in minutes; None while it is."""

    def at(minute: int, of_a: bool) -> int:
        now = {one.record: one.quantity for one in told if one.minute <= minute}
        return sum(quantity or 0 for record, quantity in now.items() if (record == A) == of_a)

    gone = min(
        (one.minute for one in told if one.record == A and one.quantity is None), default=None
    )
    begin = max(
        min(one.minute for one in told if one.record == A),
        min(one.minute for one in told if one.record != A),
    )
    moments = {one.minute for one in told}
    spans: list[tuple[int, int | None]] = []
    broken: int | None = None
    for minute in sorted(moments | {moment + grace for moment in moments | {begin}}):
        if minute < begin + grace:
            continue
        if gone is not None and minute >= gone:
            break
        since = max(minute - grace, begin)
        window = {since} | {moment for moment in moments if since < moment <= minute}
        owed = min(at(moment, True) for moment in window)
        if broken is None and max(at(moment, False) for moment in window) < owed:
            broken = minute
        elif broken is not None and at(minute, False) >= owed:
            spans.append((broken, minute))
            broken = None
    return [*spans, (broken, gone)] if broken is not None else spans


def facts(rule: str, name: str, told: list[Told]) -> Iterator[dict[str, Any]]:
    """The facts as order_events makes them of what was told."""
    _, of_a, of_b = RULES[rule]
    records: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        records[one.record].append(one)
    for record, versions in records.items():
        role, milestone = of_a if record == A else of_b
        stated = [(one.minute, one.quantity) for one in versions if one.quantity is not None]
        changes = [
            {"change": now - before, "changed_from": moment(minute), "changed_to": moment(minute)}
            for (_, before), (minute, now) in pairwise(stated)
        ]
        gone = next((moment(one.minute) for one in versions if one.quantity is None), None)
        yield {
            "fact_id": f"{rule}/{name}/{record}",
            "record_id": f"{rule}/{name}/{record}",
            "system": role,
            "role": role,
            "milestone": milestone,
            "ordinal": 1,
            "object_type": "order_line",
            "object_id": f"{name}/1",
            "document": name,
            "quantity": stated[-1][1],
            "quantity_changes": changes or None,
            "recorded_from": moment(stated[0][0]),
            "recorded_to": moment(stated[0][0]),
            "reversed_from": gone,
            "reversed_to": gone,
            "is_echo": False,
        }


def moment(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("quantities"), artefacts)


def judged(warehouse: Warehouse, rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[tuple]]:
    """By rule and history: ordinal, minute at which it broke and at which it ended, of each."""
    warehouse.tell("reconciliation.facts", rows)
    with warehouse.opened() as connection:
        connection.execute(
            "delete from reconciliation.rule_routes; "
            "insert into reconciliation.rule_routes (rule_id, a_system, role, system) "
            "values ('O06Q', 'erp', 'erp', 'erp'), ('O06Q', 'erp', 'wms', 'wms'), "
            "('S07', 'wms', 'wms', 'wms'), ('S07', 'wms', 'oms', 'oms')"
        )
        found = connection.execute(
            "select rule_id, document, ordinal, epoch(due_at), epoch(end_to) "
            "from reconciliation.obligations_presence where coalesce(end_to > due_at, true) "
            "order by all"
        ).fetchall()
    told: dict[tuple[str, str], list[tuple]] = defaultdict(list)
    for rule, name, ordinal, due, ended in found:
        begun = BEGIN.timestamp()
        minutes = (round((one - begun) / 60) if one is not None else None for one in (due, ended))
        told[rule, name].append((ordinal, *minutes))
    return told


def test_what_is_broken_is_what_is_meant_and_stays_so(warehouse: Warehouse) -> None:
    chance = Random(20261127)
    histories = {(rule, f"H{number}"): history(chance) for rule in RULES for number in range(400)}
    rows = []
    for (rule, name), told in histories.items():
        for length in range(1, len(told) + 1):
            rows += facts(rule, f"{name}-{length}", told[:length])
    found = judged(warehouse, rows)
    wrong = []
    for (rule, name), told in histories.items():
        grace = RULES[rule][0]
        is_judged = {one.record == A for one in told} == {True, False}
        spans = [tuple(span[1:]) for span in found[rule, f"{name}-{len(told)}"]]
        if is_judged and spans != meant(told, grace):
            wrong.append(f"{rule} {told}: {spans} and not {meant(told, grace)}")
        for length in range(1, len(told)):
            # Told of by the next change: what has begun by then, and what has ended.
            until = told[length].minute
            after = {span[0]: span[1:] for span in found[rule, f"{name}-{length + 1}"]}
            for ordinal, due, ended in found[rule, f"{name}-{length}"]:
                kept = after.get(ordinal, (None, None))
                if due < until and (kept[0] != due or (ended is not None and kept[1] != ended)):
                    wrong.append(f"{rule} {told[: length + 1]}: {ordinal} {due, ended} is {kept}")
    assert not wrong, "\n".join(wrong)
    assert sum(len(spans) for spans in found.values()) > 500
