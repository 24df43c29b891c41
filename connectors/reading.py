"""What all sources read over HTTP share: pages with the clock, errors for wrong questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from connectors.base import OUT_OF_ORDER, Page, Record, Source, SourceError
from connectors.http import HttpClient


def clocked_page(http: HttpClient, entity: str, records: list[Record], cursor: str | None) -> Page:
    """A page with what is known of the source's clock by now, and what was odd since the last."""
    offset = http.clock.offset()
    notices = tuple(sorted(http.notices))
    http.notices.clear()
    return Page(
        entity,
        records,
        cursor,
        clock_offset_seconds=offset.seconds if offset else None,
        clock_uncertainty_seconds=offset.uncertainty_seconds if offset else None,
        notices=notices,
    )


def note_order(http: HttpClient, entity: str, times: Iterable[datetime | None]) -> None:
    """Note when the change times of a page go back, where it should be in their order.

    A list out of its order may leave out what changes meanwhile.
    """
    told = [moment for moment in times if moment is not None]
    if any(later < earlier for earlier, later in pairwise(told)):
        http.notices.add(
            f"{OUT_OF_ORDER}: {entity} comes in another order than that of its change times"
        )


def source_now(http: HttpClient) -> datetime:
    """The present on the source's clock, at the latest that the measured offset allows."""
    offset = http.clock.offset()
    ahead = offset.seconds + offset.uncertainty_seconds if offset else 0.0
    return http.now() + timedelta(seconds=ahead)


def unknown_entity(source: Source, entity: str) -> SourceError:
    """For ``pages`` and ``read_one`` when asked for an entity that the connector does not have."""
    return SourceError(
        "unknown_entity",
        f"{source.system.name} has no entity '{entity}'; it has: {', '.join(source.entities)}",
    )


def unknown_key(source: Source, entity: str, key: Mapping[str, str]) -> SourceError:
    """For ``read_one`` when the system can't look an entity up by such a key."""
    if entity not in source.entities:
        return unknown_entity(source, entity)
    return SourceError(
        "unknown_key",
        f"{source.system.name} can't look up {entity} by {', '.join(key) or 'nothing'}: see the "
        f"docstring of its read_one for the keys",
    )
