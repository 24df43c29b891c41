"""What can be read from the carrier: tracking events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from connectors.base import Page, Record
from connectors.cursors import FeedPosition, instant
from connectors.demo_carrier.client import CarrierClient
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, source_now, unknown_entity, unknown_key
from registry.contracts import contract_of
from registry.systems import System

ENTITY = "tracking_events"


class CarrierSource:
    """Reads one carrier account. The cursor is the last sequence number that is settled."""

    def __init__(self, system: System, client: CarrierClient) -> None:
        self.system = system
        self.client = client
        self._reader = DocumentReader(contract_of("demo_carrier", ENTITY))

    @property
    def entities(self) -> tuple[str, ...]:
        return (ENTITY,)

    def probe(self) -> None:
        self.client.http.get_json("track/v2/events", {"since-seq": 0, "limit": 1})

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity != ENTITY:
            raise unknown_entity(self, entity)
        http = self.client.http
        start = int(cursor) if cursor else 0
        position: FeedPosition | None = None
        for events in self.client.events(start):
            if position is None:
                # Only now is the source's clock known.
                now = source_now(http)
                settle = timedelta(seconds=self.system.settle_seconds)
                position = FeedPosition(start, now - settle, now + settle)
            for event in events:
                number = event.get("seq") if isinstance(event, dict) else None
                if isinstance(number, int):
                    position.see(number - 1, instant(event.get("reported-at")))
                    position.reach(number)
            yield clocked_page(http, entity, self._reader.records(events), str(position))

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Key: tracking_number."""
        if entity != ENTITY or set(key) != {"tracking_number"}:
            raise unknown_key(self, entity, key)
        return self._reader.records(self.client.shipment(key["tracking_number"]))


def make_source(system: System, environment: Mapping[str, str]) -> CarrierSource:
    return CarrierSource(system, CarrierClient(system, environment))
