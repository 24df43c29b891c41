"""Helpers of this folder and of the dbt tests can be imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "dbt")]


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its manifest."""
    return tmp_path_factory.mktemp("dbt_artefacts")
