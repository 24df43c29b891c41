"""Writes that arrived over the interfaces, as the ledger holds them, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_BOOKKEEPING = frozenset(
    {"version", "updatedAt", "row_version", "modified", "Version", "UpdatedMs", "Seq"}
)
_OWN_NUMBERS = (
    "id",
    "orderNumber",
    "doc_no",
    "ext_ref",
    "ful_no",
    "inv_no",
    "ref",
    "ship_ref",
    "OrderNbr",
    "HostOrder",
    "ShipNbr",
    "Sku",
    "item_no",
)


@dataclass(frozen=True)
class Correction:
    """One applied write: ``changes`` as (field, old, new) texts; none when a document is new."""

    system: str
    operation: str
    name: str
    applied_at: str
    key: str
    changes: list[tuple[str, str, str]]


def corrections_on(
    effects: Iterable[dict[str, Any]], names: set[str], positions: set[str]
) -> list[Correction]:
    """What arrived on documents with one of these numbers, or on these ``item_no@whs``."""
    found = []
    for effect in effects:
        after = effect["after"]
        own = {effect["object"].split("/")[0], *_references(after)}
        place = f"{after.get('item_no')}@{after.get('whs')}" if isinstance(after, dict) else ""
        if own & names or place in positions:
            found.append(_correction(effect))
    return found


def last_touched(effects: Iterable[dict[str, Any]]) -> dict[str, str]:
    """When a write last changed or made a document, by each number of that document."""
    return {
        name: effect["applied_at"]
        for effect in effects
        for name in {effect["object"].split("/")[0], *_references(effect["after"])}
    }


def _references(document: Any) -> set[str]:
    """The numbers by which a document names itself and the order it belongs to."""
    if not isinstance(document, dict):
        return set()
    return {str(document[field]) for field in _OWN_NUMBERS if document.get(field)}


def _correction(effect: dict[str, Any]) -> Correction:
    before, after = effect["before"], effect["after"]
    changes = [] if before is None else list(_changes("", before, after))
    return Correction(
        effect["system"],
        effect["kind"],
        effect["object"],
        effect["applied_at"],
        effect["idempotency_key"] or "",
        changes,
    )


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Fields in which two documents differ, bookkeeping left out."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            if name not in _BOOKKEEPING:
                inner = f"{path}.{name}" if path else name
                yield from _changes(inner, before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, pair in enumerate(zip(before, after, strict=True), start=1):
            yield from _changes(f"{path} {position}", *pair)
    elif before != after:
        yield path, _word(before), _word(after)


def _word(value: Any) -> str:
    return "–" if value is None else str(value)
