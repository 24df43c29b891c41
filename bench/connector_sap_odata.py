"""Sales order items of mock-sap over HTTP, beside a plain client that pages by $skip and parses.

The mock (of the test extra) takes most of the time: it builds each page anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.connectors import Case
from connectors.factory import make_source

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "connectors"))

from mock_sap import ENVIRONMENT, ORDERS, MockSap, running_mock_sap

PAGE = 500
ITEMS_AN_ORDER = 2.5  # about as many as the mock seeds


def cases(records: int, folder: Path) -> Iterator[Case]:
    with running_mock_sap(folder) as mock:
        seed = {"orders": round(records / ITEMS_AN_ORDER)}
        mock.http.post("/_mock/reset", json=seed, timeout=300).raise_for_status()
        yield Case("ours, $filter by time of change", partial(_ours, mock))
        yield Case("httpx and json.loads, $skip", partial(_plain, mock))


def _ours(mock: MockSap) -> int:
    source = make_source(mock.system(page_size=PAGE, options={}), ENVIRONMENT)
    return sum(len(page.records) for page in source.pages("sales_order_items", None))


def _plain(mock: MockSap) -> int:
    found = skip = 0
    while True:
        params = {"$top": PAGE, "$skip": skip, "$expand": "to_Item", "$format": "json"}
        rows = json.loads(mock.http.get(ORDERS, params=params).content)["d"]["results"]
        found += sum(len(row["to_Item"]["results"]) for row in rows)
        skip += PAGE
        if len(rows) < PAGE:
            return found
