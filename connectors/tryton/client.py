"""Tryton's REST interface: searches in pages, and writes. Knows records, not documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.base import SourceError
from connectors.cursors import instant
from connectors.http import BearerAuth, HttpClient
from connectors.tryton.wire import Domain, Row, decode, encode, flatten
from registry.systems import System

MODIFIED = "last_modified_at"
DEFAULT_COMPANY = 1
# Ids in one question: it travels in the address, which servers cut at a few thousand characters.
IDS_AT_ONCE = 100


class TrytonClient:
    """Calls of one Tryton database. ``http`` is open to the target, which sends through it.

    The base address ends with the name of the database. Option ``company`` is the id of the
    company (1 in most installations) for which documents are read and made.
    """

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        key = system.secret("api_key", environment)
        self.company = system.whole_number("company", DEFAULT_COMPANY)
        self.http = HttpClient(system, BearerAuth(key), **seams)
        self._page_size = system.page_size

    def context(self, **more: Any) -> dict[str, str]:
        """The header that carries a context."""
        return {"X-Tryton-Context": encode({"company": self.company, **more})}

    def search(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        order: Sequence[tuple[str, str]] = (("id", "ASC"),),
        limit: int | None = None,
        **context: Any,
    ) -> list[Row]:
        """Records of a model, flattened. Raises SourceError."""
        answer = self.http.get(
            f"rest/model/{model}",
            {
                "d": encode(list(domain)),
                "f": list(fields),
                "o": encode(list(order)),
                "s": limit,
            },
            headers=self.context(**context),
        )
        try:
            records = decode(answer.content)
        except ValueError:
            records = self.http.parse(answer)
        if not isinstance(records, list):
            raise SourceError(
                "bad_page",
                f"{self.http.system.name} answered a search of {model} with no list: the "
                f"connector and the system disagree on its interface",
            )
        return [
            self._whole(model, flatten(record), fields)
            for record in records
            if isinstance(record, Mapping)
        ]

    def _whole(self, model: str, row: Row, fields: Sequence[str]) -> Row:
        """The row with every field that was asked for. Behind an empty link there is nothing; what
        is missing without one, the user may not read, which Tryton does not say."""
        for field in fields:
            if field in row:
                continue
            parts = field.split(".")
            links = (".".join(parts[:size]) for size in range(1, len(parts)))
            if not any(link in row for link in links):
                raise SourceError(
                    "forbidden",
                    f"{self.http.system.name} does not show the field '{field}' of {model}: its "
                    f"user may not read it; ask the owner for the right",
                )
            row[field] = None
        return row

    def by_ids(
        self, model: str, ids: Sequence[int | str], fields: Sequence[str], field: str = "id"
    ) -> list[Row]:
        """Records whose ``field`` is one of the values, archived ones too, by id."""
        rows: list[Row] = []
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = list(ids[start : start + IDS_AT_ONCE])
            rows += self.search(model, [[field, "in", some]], fields, active_test=False)
        return rows

    def changed(
        self, model: str, domain: Domain, fields: Sequence[str], since: datetime | None
    ) -> Iterator[list[Row]]:
        """Records changed at or after a time, oldest change first, page by page.

        Each page starts behind the last record of the one before, by time and id: records of one
        transaction share their time, and one that changes while we page moves to the end.
        """
        after: list[Any] = [] if since is None else [[MODIFIED, ">=", since]]
        while True:
            rows = self.search(
                model,
                [*domain, *after],
                [*fields, MODIFIED],
                ((MODIFIED, "ASC"), ("id", "ASC")),
                self._page_size,
                active_test=False,
            )
            yield rows
            if len(rows) < self._page_size:
                return
            moment = instant(rows[-1][MODIFIED])
            after = [
                [
                    "OR",
                    [[MODIFIED, ">", moment]],
                    [[MODIFIED, "=", moment], ["id", ">", rows[-1]["id"]]],
                ]
            ]

    def ids(self, model: str, domain: Domain) -> Iterator[list[int]]:
        """The ids of all records of a model that match, page by page; an empty page ends them.

        A short one does not: what is taken for missing counts as deleted. Raises SourceError.
        """
        last = 0
        while True:
            rows = self.search(
                model,
                [*domain, ["id", ">", last]],
                ["id"],
                limit=self._page_size,
                active_test=False,
            )
            if not rows:
                return
            ids = [row["id"] for row in rows]
            if ids != sorted(ids) or ids[0] <= last:
                raise SourceError(
                    "unstable_pages",
                    f"{self.http.system.name} does not list {model} in the order of its ids: "
                    f"nothing is taken for deleted, and the next pass looks again",
                )
            yield ids
            last = ids[-1]
