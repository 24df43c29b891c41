"""The carrier's interface: paths, Link headers, tokens. Knows documents, not contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.base import SourceError
from connectors.http import ClientCredentialsAuth, HttpClient
from registry.systems import System


class CarrierClient:
    """Calls of one carrier account."""

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        auth = ClientCredentialsAuth(
            f"{system.base_url.rstrip('/')}/oauth/token",
            system.secret("client_id", environment),
            system.secret("client_secret", environment),
        )
        self.http = HttpClient(system, auth, **seams)
        self._page_size = system.page_size

    def events(self, since: int) -> Iterator[list[Any]]:
        """Events after a sequence number, following ``Link: <...>; rel="next"`` (RFC 8288)."""
        response = self.http.get("track/v2/events", {"since-seq": since, "limit": self._page_size})
        visited = set()
        while True:
            yield self.http.rows(self.http.parse(response), "events")
            following = response.links.get("next", {}).get("url")
            if following is None:
                return
            if following in visited:
                raise SourceError(
                    "bad_page",
                    f"{self.http.system.name} links its pages in a circle: reading would never "
                    f"end; tell the owner of the system",
                )
            visited.add(following)
            response = self.http.get(following)

    def shipment(self, tracking_number: str) -> list[Any]:
        """All events of one package; empty when the carrier does not know it."""
        try:
            answer = self.http.get_json(f"track/v2/shipments/{tracking_number}")
        except SourceError as error:
            if error.kind == "not_found":
                return []
            raise
        return self.http.rows(answer, "events")
