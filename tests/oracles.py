"""Programs of others that tests ask for a second opinion, each in a Python of its own."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

from filelock import FileLock

from registry.settings import PROJECT_ROOT

HOMES = PROJECT_ROOT / ".venvs"


def python_with(name: str, packages: list[str]) -> Path:
    """The interpreter of the virtual environment ``name`` with these packages, each pinned; made
    once and kept for later sessions.

    Of its own, so that nothing of ours can import them: some are heavy, some GPL.
    """
    home = HOMES / name
    python = home / "bin" / "python"
    HOMES.mkdir(exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *packages], check=True, timeout=280)
            (home / "complete").touch()
    return python
