"""A real Tryton for all tests of a session: installed once, started from its snapshot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tryton_company import TrytonCompany, running_company


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def company() -> TrytonCompany:
    """Both databases, as they were right after the set-up."""
    return running_company()
