"""A small build to export, and a Python of its own for pm4py."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from registry.settings import PROJECT_ROOT

sys.path.insert(0, str(Path(__file__).parent))

PM4PY = "2.7.23.11"
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
