"""One parsed project for all tests of the models."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its manifest."""
    return tmp_path_factory.mktemp("dbt_artefacts")
