"""A demo's score, from the pretend distributor's own truth and ledger and not our tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Key = tuple[str, str]  # (rule id, object id)


@dataclass(frozen=True)
class Score:
    """Counts of faults (not of rows), but ``false`` counts exceptions.

    ``found``: every exception that the fault must cause was opened. ``false``: exceptions opened
    that no fault explains, those on decoys among them. ``doubled``: effects in the ledger beyond
    the first for one change of one object. ``wrong``: effects on objects that no fault touched.
    """

    injected: int
    detectable: int
    found: int
    missed: int
    false: int
    decoys: int
    decoys_reported: int
    doubled: int
    wrong: int
    missed_faults: list[str] = field(default_factory=list)
    false_exceptions: list[str] = field(default_factory=list)
    by_kind: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _expected(fault: Mapping[str, Any]) -> set[Key]:
    return {(row["rule"], row["object"]) for row in fault["expected"]}


_PLAIN_NUMBER = re.compile(r"-?\d{1,7}(\.\d+)?")


def identifiers(value: Any) -> frozenset[str]:
    """Every name of a thing in nested keys: texts that hold a digit and are no mere number.

    A line number, a price or a place says nothing about which object is meant.
    """
    if isinstance(value, Mapping):
        return frozenset().union(*map(identifiers, value.values()))
    if isinstance(value, list | tuple):
        return frozenset().union(*map(identifiers, value))
    text = str(value)
    named = any(letter.isdigit() for letter in text) and not _PLAIN_NUMBER.fullmatch(text)
    return frozenset({text}) if named else frozenset()


def names_of(object_id: str) -> frozenset[str]:
    """An exception's object, and the order or item of which it is a part (``SO-1/2``,
    ``gtin@place``)."""
    return frozenset({object_id, re.split("[/@]", object_id)[0]})


def score(
    truth: Iterable[Mapping[str, Any]],
    exceptions: Iterable[Key],
    ledger: Iterable[Mapping[str, Any]],
) -> Score:
    """Compare truth rows and ledger of the sandbox with the exceptions (rule, object) we opened."""
    rows = list(truth)
    opened = set(exceptions)
    faults = [row for row in rows if not row["decoy"]]
    decoys = [row for row in rows if row["decoy"]]
    detectable = [row for row in faults if row["detectable"]]
    found = [row for row in detectable if _expected(row) <= opened]
    missed = [row for row in detectable if not _expected(row) <= opened]
    explained = set().union(*(_expected(row) for row in faults)) if faults else set()
    false = sorted(opened - explained)

    decoy_objects = {id(row): identifiers(row["entity_keys"]) for row in decoys}
    alarmed = frozenset().union(*(names_of(obj) for _, obj in false))
    reported = [row for row in decoys if alarmed & decoy_objects[id(row)]]

    effects = sent_once(ledger)
    times = Counter(intent(effect) for effect in effects)
    faulty = set().union(*(identifiers(row["entity_keys"]) for row in faults)) if faults else set()
    wrong = [effect for effect in effects if not mentioned(effect) & faulty]

    by_kind: dict[str, dict[str, int]] = {}
    for row in faults:
        kind = by_kind.setdefault(
            row["fault_type"], {"injected": 0, "detectable": 0, "found": 0, "missed": 0}
        )
        kind["injected"] += 1
        kind["detectable"] += bool(row["detectable"])
        kind["found"] += row in found
        kind["missed"] += row in missed
    return Score(
        injected=len(faults),
        detectable=len(detectable),
        found=len(found),
        missed=len(missed),
        false=len(false),
        decoys=len(decoys),
        decoys_reported=len(reported),
        doubled=sum(
            count if intent[-1] == "nothing" else count - 1 for intent, count in times.items()
        ),
        wrong=len(wrong),
        missed_faults=[
            f"{row['fault_type']} {row['fault_id']}: "
            + ", ".join(f"{rule} {obj}" for rule, obj in sorted(_expected(row) - opened))
            for row in missed
        ],
        false_exceptions=[f"{rule} {obj}" for rule, obj in false],
        by_kind=dict(sorted(by_kind.items())),
    )


# What a created document is about, in the words of the pretend systems. A movement of stock is also
# told by how much: one that takes another back refers to the same.
_ABOUT = ("ext_ref", "doc_no", "ship_ref", "ref", "HostOrder", "orderNumber", "qty")
# What moves with every write and says nothing about what was written.
_BOOKKEEPING = {"modified", "row_version", "updatedAt", "version", "UpdatedMs", "Version", "Seq"}


def intent(effect: Mapping[str, Any]) -> tuple[str, ...]:
    """What an effect did to what: two effects with one intent are one change applied twice."""
    before, after = effect["before"], effect["after"]
    if before is None:
        # Its own number is new each time; what it refers to is not.
        names = ("ext_ref",) if after.get("ext_ref") else _ABOUT
        about = "|".join(str(after[name]) for name in names if after.get(name))
        return (effect["system"], effect["kind"], about or str(effect["object"]))
    changed = {
        name: value
        for name, value in after.items()
        if name not in _BOOKKEEPING and before.get(name) != value
    }
    # A write that changed nothing repeats an earlier one, whatever that was.
    what = json.dumps(changed, sort_keys=True) if changed else "nothing"
    return (effect["system"], effect["kind"], str(effect["object"]), what)


def sent_once(ledger: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first effect of each request: what a target made of one request beyond that is its own
    doing, and shows as a fault of its own."""
    keys: set[str] = set()
    first = []
    for effect in ledger:
        key = effect.get("idempotency_key")
        if key not in keys:
            first.append(effect)
        if key is not None:
            keys.add(key)
    return first


def mentioned(effect: Mapping[str, Any]) -> frozenset[str]:
    """Identifiers in the head of the document that was written; its lines name common items."""
    heads = [document for document in (effect["before"], effect["after"]) if document]
    values = [value for head in heads for value in head.values() if isinstance(value, str | int)]
    return identifiers([str(effect["object"]), *str(effect["object"]).split("/"), *values])
