"""How Tryton is asked, without Tryton: the length of questions, and the end of a sweep."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.base import SourceError
from connectors.tryton.client import IDS_AT_ONCE, TrytonClient
from connectors.tryton.source import TrytonSource
from registry.systems import System

PAGE_SIZE = 250
NOW = datetime(2026, 9, 20, tzinfo=UTC)
SYSTEM = System(
    name="erp",
    role="erp",
    connector="tryton",
    base_url="http://erp.example/erp",
    page_size=PAGE_SIZE,
    secrets={"api_key": "KEY"},
)
# When everything changed.
STAMP = "2026-09-19T08:00:00.000000Z"
Row = dict[str, Any]
Answer = Callable[[str, list[Any], list[str]], list[Row]]


def source_of(answer: Answer) -> TrytonSource:
    """A source of a Tryton that answers by model, domain and fields."""

    def handle(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        domain = json.loads(base64.urlsafe_b64decode(query["d"]))
        model = request.url.path.rpartition("/")[2]
        return httpx.Response(200, json=answer(model, domain, query.get_list("f")))

    transport = httpx.MockTransport(handle)
    client = TrytonClient(SYSTEM, {"KEY": "key"}, transport=transport, now=lambda: NOW)
    return TrytonSource(SYSTEM, client)


def listed(domain: list[Any]) -> tuple[str, list[Any]] | None:
    """The field and the values that a domain lists."""
    for clause in domain:
        if clause[1] == "in":
            return clause[0], clause[2]
    return None


@pytest.mark.parametrize(
    ("entity", "followed", "link"),
    [
        ("sale_lines", "sale.line", lambda number: {"sale": number}),
        ("fulfilment_lines", "stock.shipment.out.return", lambda n: {"reference": f"REVERSAL {n}"}),
    ],
)
def test_the_documents_behind_many_changes_are_asked_for_in_parts(
    entity: str, followed: str, link: Callable[[int], Row]
) -> None:
    changed = range(1, PAGE_SIZE + 1)
    asked: list[Any] = []

    def answer(model: str, domain: list[Any], fields: list[str]) -> list[Row]:
        wanted = listed(domain)
        if model == followed and wanted is None and "'id', '>'" not in str(domain):
            # Two changes of each document, far from each other.
            numbers = [*changed[: PAGE_SIZE // 2], *changed[: PAGE_SIZE // 2]]
            return [
                {**dict.fromkeys(fields), "id": row, **link(number), "last_modified_at": STAMP}
                for row, number in enumerate(numbers, 1)
            ]
        if model in ("sale.sale", "stock.shipment.out") and wanted is not None:
            asked.append(wanted[1])
        return []

    cursor = json.dumps({"sale.sale": "2026-09-19T00:00:00Z", followed: "2026-09-19T00:00:00Z"})
    list(source_of(answer).pages(entity, cursor))
    assert asked
    assert max(map(len, asked)) <= IDS_AT_ONCE
    assert sorted({str(value) for some in asked for value in some}) == sorted(
        str(number) for number in changed[: PAGE_SIZE // 2]
    )


def swept(pages: list[list[int]]) -> list[str]:
    """The keys that a sweep finds if Tryton answers with these pages, then with nothing."""
    left = iter(pages)
    source = source_of(lambda _model, _domain, _fields: [{"id": n} for n in next(left, [])])
    return [key for some in source.keys("sale_lines") for key in some]


def test_a_sweep_goes_on_behind_a_short_page() -> None:
    assert swept([[1, 2], [3], [7, 8]]) == ["1", "2", "3", "7", "8"]


def test_a_sweep_that_does_not_get_on_is_not_complete() -> None:
    with pytest.raises(SourceError) as raised:
        swept([[1, 2], [2, 3]])
    assert raised.value.kind == "unstable_pages"
