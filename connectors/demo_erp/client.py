"""The ERP's interface: paths, paging, point reads. Knows documents, not contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.base import SourceError
from connectors.cursors import local_naive
from connectors.http import HeaderAuth, HttpClient
from registry.systems import System

SNAPSHOT_ATTEMPTS = 3


class ErpClient:
    """Calls of one ERP instance. ``http`` is open to the target, which sends through it."""

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        key = system.secret("api_key", environment)
        self.http = HttpClient(system, HeaderAuth("X-Api-Key", key), **seams)
        self._page_size = system.page_size

    def changed(self, entity: str, modified_from: str | None) -> Iterator[list[dict[str, Any]]]:
        """Documents modified at or after a local time, oldest change first.

        Page numbers count from the present order, so a document changed while we page would move
        to the end, pull the others up and make us skip one. So each request starts again at the
        time where the last one ended, and asks for page 1. Only where more documents share one time
        than a page holds do numbers count on; such a stretch is read again until it shows nothing
        new.
        """
        number = 1
        sweep_found_more = False
        seen: dict[str, str] = {}
        while True:
            answer = self._page(entity, number, modified_from)
            rows = self._rows(answer, entity)
            fresh = [row for row in rows if _note(row, seen)]
            yield fresh
            sweep_found_more |= number > 1 and bool(fresh)
            end = _modified(rows[-1]) if rows else None
            moves_on = end is not None and (modified_from is None or end > modified_from)
            at_end = not rows or number >= _count(answer, "pages")
            if sweep_found_more and number > 1 and (moves_on or at_end):
                number, sweep_found_more = 1, False
            elif at_end:
                return
            elif moves_on and end is not None:
                modified_from, number = end, 1
                seen = {text: time for text, time in seen.items() if time >= end}
            else:
                number += 1

    def snapshot(self, entity: str) -> list[dict[str, Any]]:
        """All documents of an entity without a change time, checked against the announced total.

        Raises SourceError ``unstable_pages`` when they change under the reader three times.
        """
        for _ in range(SNAPSHOT_ATTEMPTS):
            rows: list[dict[str, Any]] = []
            totals = set()
            number = 1
            while True:
                answer = self._page(entity, number, None)
                page = self._rows(answer, entity)
                rows += page
                totals.add(_count(answer, "total"))
                if not page or number >= _count(answer, "pages"):
                    break
                number += 1
            if totals == {len(rows)}:
                return rows
        raise SourceError(
            "unstable_pages",
            f"{self.http.system.name} changes its {entity} faster than they can be read "
            f"({len(rows)} rows, announced {sorted(totals)}): a partial snapshot proves nothing "
            f"and was not used; raise page_size so that it fits fewer pages",
        )

    def find(self, entity: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Documents that match a point filter."""
        return self.http.rows(self.http.get_json(f"api/{entity}", dict(filters)), "data")

    def _rows(self, answer: Any, entity: str) -> list[Any]:
        rows = self.http.rows(answer, "data")
        if not rows and _count(answer, "total") and answer.get("page") == 1:
            raise SourceError(
                "bad_page",
                f"{self.http.system.name} announces {answer['total']} {entity} and sends none: "
                f"nothing was used and the next pass reads it again",
            )
        return rows

    def _page(self, entity: str, number: int, modified_from: str | None) -> Any:
        return self.http.get_json(
            f"api/{entity}",
            {"page": number, "per_page": self._page_size, "modified_from": modified_from},
        )


def _note(row: Any, seen: dict[str, str]) -> bool:
    """Whether this very version is new in this extraction; remembers it."""
    text = json.dumps(row, sort_keys=True)
    if text in seen:
        return False
    seen[text] = _modified(row) or ""
    return True


def _modified(row: Any) -> str | None:
    text = row.get("modified") if isinstance(row, dict) else None
    return text if isinstance(text, str) and local_naive(text) else None


def _count(answer: Any, name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0
