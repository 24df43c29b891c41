"""A list that should be in the order of its change times and is not is noted, once a page."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest

from connectors.http import HttpClient
from connectors.reading import clocked_page, note_order
from registry.systems import System

NINE = datetime(2026, 11, 21, 9, 0)


@pytest.fixture
def http() -> HttpClient:
    system = System(
        name="erp_us",
        role="erp",
        connector="demo_erp",
        base_url="http://erp.example",
        secrets={"api_key": "ERP_KEY"},
    )
    return HttpClient(system, transport=httpx.MockTransport(lambda _: httpx.Response(200)))


@pytest.mark.parametrize(
    ("minutes", "told"),
    [([], 0), ([0, 1, 1, 5], 0), ([0, None, 3], 0), ([2, 1], 1), ([0, 9, 8, 9, 7], 1)],
)
def test_times_that_go_back_are_noted(http: HttpClient, minutes, told) -> None:
    times = [None if minute is None else NINE + timedelta(minutes=minute) for minute in minutes]
    note_order(http, "invoice_lines", times)
    notices = clocked_page(http, "invoice_lines", [], None).notices
    assert len(notices) == told
    assert all(notice.startswith("out of order: invoice_lines") for notice in notices)
