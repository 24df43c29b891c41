"""A real Tryton for all tests of a session: installed once, started from its snapshot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from tryton_company import TrytonCompany

from real.tryton.company import Catalogue, Item
from real.tryton.server import TrytonServer

ROOT = Path(__file__).resolve().parents[2]
LOCK_SECONDS = 600

CATALOGUE = Catalogue(
    items=tuple(
        Item(f"SKU-{number:03}", f"Article {number}", Decimal(5 + number), Decimal(3 + number))
        for number in range(1, 13)
    ),
    customers={f"C{number:03}": f"Customer {number}" for number in range(1, 4)},
    suppliers={"S001": "Supplier 1"},
    opening_stock={"EAST": 500, "WEST": 300},
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def company() -> Iterator[TrytonCompany]:
    """Both databases, as they were right after the set-up."""
    home = Path(os.environ.get("TALLYMAN_REAL_HOME", ROOT / ".tallyman" / "real"))
    folder = home / "tryton"
    folder.mkdir(parents=True, exist_ok=True)
    # One folder holds one running Tryton; a second process of the tests waits for its end.
    with (
        FileLock(folder / "tests.lock", timeout=LOCK_SECONDS),
        TrytonServer(folder, CATALOGUE) as databases,
    ):
        yield TrytonCompany(folder, databases)
