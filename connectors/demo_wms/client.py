"""The WMS's interface: paths, paging, point reads. Knows documents, not contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.base import SourceError
from connectors.http import HttpClient
from registry.systems import System


@dataclass(frozen=True)
class FeedPage:
    """Records of a feed between two positions."""

    records: list[Any]
    start: int
    end: int


class WmsClient:
    """Calls of one WMS instance. ``http`` is open to the target, which sends through it."""

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        user, password = (system.secret(role, environment) for role in ("user", "password"))
        self.http = HttpClient(system, httpx.BasicAuth(user, password), **seams)
        self._page_size = system.page_size

    def feed(self, entity: str, offset: int) -> Iterator[FeedPage]:
        """The change feed after a position, up to its high water as of the first page.

        Changes that come in while we read wait for the next pass: a busy feed would never end.
        """
        goal: int | None = None
        while True:
            page = self.http.get_json(
                f"feed/{entity}", {"offset": offset, "limit": self._page_size}
            )
            records = self.http.rows(page, "records")
            end = self._position(page, "next_offset", offset)
            goal = self._position(page, "high_water", end) if goal is None else goal
            yield FeedPage(records, offset, end)
            if end >= goal:
                return
            if not records or end <= offset:
                raise self._stuck(entity)
            offset = end

    def inventory(self) -> Iterator[list[Any]]:
        """All positions, page by page."""
        offset = 0
        while True:
            page = self.http.get_json("inventory", {"offset": offset, "limit": self._page_size})
            records = self.http.rows(page, "records")
            yield records
            following = page.get("next_offset")
            if following is None or not records:
                return
            if not isinstance(following, int) or following <= offset:
                raise self._stuck("inventory")
            offset = following

    def one(self, path: str) -> list[Any]:
        """The document at a path, as a list; empty when there is none."""
        try:
            document = self.http.get_json(path)
        except SourceError as error:
            if error.kind == "not_found":
                return []
            raise
        return [document]

    def find(self, path: str, filters: Mapping[str, str]) -> list[Any]:
        """Documents that match a filter; empty when the system answers 404."""
        try:
            answer = self.http.get_json(path, dict(filters))
        except SourceError as error:
            if error.kind == "not_found":
                return []
            raise
        return answer if isinstance(answer, list) else self.http.rows(answer, "records")

    def _position(self, page: dict[str, Any], name: str, fallback: int) -> int:
        value = page.get(name)
        return value if isinstance(value, int) else fallback

    def _stuck(self, what: str) -> SourceError:
        return SourceError(
            "bad_page",
            f"{self.http.system.name} does not move on in its {what} feed: reading would never "
            f"end; tell the owner of the system",
        )
