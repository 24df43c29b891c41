"""The OMS's interface: paths, paging, point reads. Knows documents, not contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.base import SourceError
from connectors.http import BearerAuth, HttpClient
from registry.systems import System


class OmsClient:
    """Calls of one OMS instance. ``http`` is open to the target, which sends through it."""

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        self.http = HttpClient(system, BearerAuth(system.secret("token", environment)), **seams)
        self._page_size = system.page_size

    def changed(self, kind: str, updated_after: str | None) -> Iterator[list[dict[str, Any]]]:
        """Pages of ``orders`` or ``products``, oldest change first."""
        cursor: str | None = None
        while True:
            page = self.http.get_json(
                f"v1/{kind}",
                {"updatedAfter": updated_after, "limit": self._page_size, "cursor": cursor},
            )
            yield self.http.rows(page, kind)
            following = page.get("nextCursor")
            if following is None:
                return
            if following == cursor:
                raise SourceError(
                    "bad_page",
                    f"{self.http.system.name} repeats the cursor of its {kind}: reading would "
                    f"never end; tell the owner of the system",
                )
            cursor = following

    def availability(self) -> list[Any]:
        """What the channels see of every position."""
        return self.http.rows(self.http.get_json("v1/availability"), "availability")

    def order(self, order_id: str) -> dict[str, Any] | None:
        """One order by the OMS's own id; None when there is none."""
        try:
            order: dict[str, Any] = self.http.get_json(f"v1/orders/{order_id}")
        except SourceError as error:
            if error.kind == "not_found":
                return None
            raise
        return order

    def orders_by_number(self, order_number: str) -> list[dict[str, Any]]:
        """Orders with a business number."""
        page = self.http.get_json("v1/orders", {"orderNumber": order_number})
        return self.http.rows(page, "orders")

    def product(self, sku: str) -> list[dict[str, Any]]:
        """The product with a sku; there is no point read, so all pages are looked through."""
        return [
            product
            for page in self.changed("products", None)
            for product in page
            if product.get("sku") == sku
        ]
