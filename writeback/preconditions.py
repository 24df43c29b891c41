"""The read of both systems right before a correction is sent: do its preconditions still hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from connectors.base import Record, Source, SourceError
from registry.errors import TallymanError
from writeback.canonical import same_value


class PreconditionUnreadableError(TallymanError):
    """A precondition can't be checked, so nothing may be sent."""


def first_broken(
    preconditions: Sequence[Mapping[str, Any]], sources: Mapping[str, Source]
) -> str | None:
    """The first precondition that does not hold now, in words, or None when all hold.

    A precondition is ``{"system", "entity", "key": {column: value}, "check", "field", "value"}``
    with check ``exists``, ``absent`` or ``equals`` (some record matches the key, and all that match
    hold the value). Raises SourceError when a system can't be read, and
    PreconditionUnreadableError when a precondition can't be understood.
    """
    # Two conditions on one record cost one read.
    read: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Record]] = {}
    for condition in preconditions:
        system, entity = str(condition.get("system")), str(condition.get("entity"))
        key = condition.get("key")
        if not isinstance(key, Mapping) or not key:
            raise PreconditionUnreadableError(f"a precondition on {system}.{entity} has no key")
        source = sources.get(system)
        if source is None:
            raise PreconditionUnreadableError(
                f"a precondition reads system '{system}', which is not in the systems file"
            )
        wanted = {str(column): str(value) for column, value in key.items()}
        place = (system, entity, tuple(sorted(wanted.items())))
        if place not in read:
            read[place] = _matching(_look_up(source, entity, wanted), wanted, f"{system}.{entity}")
        broken = _broken(condition, read[place], f"{system}.{entity} {wanted}")
        if broken is not None:
            return broken
    return None


def _look_up(source: Source, entity: str, key: Mapping[str, str]) -> Sequence[Record]:
    """Read by the whole key, or by as much of it as the source can look up by: a line is found
    among the lines of its document. A key that a source can't use costs no request."""
    for size in range(len(key), 0, -1):
        for columns in combinations(sorted(key), size):
            try:
                return source.read_one(entity, {column: key[column] for column in columns})
            except SourceError as error:
                if error.kind != "unknown_key":
                    raise
    raise PreconditionUnreadableError(
        f"{source.system.name} can't look up {entity} by any of {', '.join(sorted(key))}"
    )


def _matching(records: Sequence[Record], key: Mapping[str, str], place: str) -> list[Record]:
    """Records that hold every value of the key."""
    for record in records:
        absent = sorted(set(key) - set(record.fields))
        if absent:
            raise PreconditionUnreadableError(f"{place} has no field '{absent[0]}'")
    return [
        record
        for record in records
        if all(same_value(record.fields[column], value) for column, value in key.items())
    ]


def _broken(condition: Mapping[str, Any], records: Sequence[Record], place: str) -> str | None:
    check = condition.get("check")
    match check:
        case "exists":
            return None if records else f"{place} does not exist any more"
        case "absent":
            return f"{place} exists by now" if records else None
        case "equals":
            name = str(condition.get("field"))
            if not records:
                return f"{place} does not exist any more"
            for record in records:
                if name not in record.fields:
                    raise PreconditionUnreadableError(f"{place} has no field '{name}'")
                held = record.fields[name]
                if not same_value(held, condition.get("value")):
                    return f"{place} holds {name} = {held!r}, not {condition.get('value')!r}"
            return None
    raise PreconditionUnreadableError(f"a precondition on {place} has an unknown check '{check}'")
