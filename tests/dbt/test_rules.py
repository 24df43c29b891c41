"""Every rule of the catalogue, broken and kept, over one warehouse."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from build import Warehouse
from one_pass import EXPECTED_OPEN, broken_and_kept


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    built = Warehouse(tmp_path_factory.mktemp("rules"), artefacts)
    broken_and_kept().write(built.path)
    return built.build()


def test_broken_rules_open_and_nothing_else_does(warehouse: Warehouse) -> None:
    assert warehouse.exceptions("open") == EXPECTED_OPEN
    assert warehouse.exceptions("closed") == set()
