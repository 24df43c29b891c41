"""Payloads as files, and a Python of its own for the karrio SDK."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from oracles import python_with

sys.path.insert(0, str(Path(__file__).parent))

VERSION = "2026.1.32"
PACKAGES = ["fedex", "ups", "usps", "mydhl", "dhl-universal", "easypost"]


@pytest.fixture(scope="session")
def karrio_python() -> Path:
    """An interpreter that has karrio, which is LGPL and heavy."""
    wanted = [f"karrio{name}=={VERSION}" for name in ["", *(f"-{p}" for p in PACKAGES)]]
    return python_with(f"karrio-{VERSION}", wanted)
