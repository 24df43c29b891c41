"""Payloads as files, and a Python of its own for the karrio SDK."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from registry.settings import PROJECT_ROOT

VERSION = "2026.1.32"
PACKAGES = ["fedex", "ups", "usps", "mydhl", "dhl-universal", "easypost"]


@pytest.fixture(scope="session")
def karrio_python() -> Path:
    """The interpreter of a virtual environment with karrio, made once and kept for later sessions.

    Of its own, because karrio is LGPL and heavy: nothing of ours imports it.
    """
    home = PROJECT_ROOT / ".venvs" / f"karrio-{VERSION}"
    python = home / "bin" / "python"
    home.parent.mkdir(exist_ok=True)
    with FileLock(str(home) + ".lock"):
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            wanted = [f"karrio{name}=={VERSION}" for name in ["", *(f"-{p}" for p in PACKAGES)]]
            subprocess.run(
                [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted],
                check=True,
                timeout=280,
            )
            (home / "complete").touch()
    return python
