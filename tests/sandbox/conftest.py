"""Sandboxes for the tests: one to read, and small fresh ones to write to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_reader import Reader

from sandbox.server import running_sandbox
from sandbox.settings import Settings


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The usual mix of faults in a smaller history. Read only: shared by many tests."""
    settings = Settings(orders=700, live_after_seconds=0.0, live_spread_seconds=0.1)
    with running_sandbox(tmp_path_factory.mktemp("shared"), settings=settings) as handle:
        opened = Reader(handle)
        yield opened
        opened.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Reader]:
    """A small world of one's own, with one fault and one decoy of every kind."""
    settings = Settings(
        orders=150,
        faults_per_kind=1,
        decoys_per_kind=1,
        live_after_seconds=0.0,
        live_spread_seconds=0.1,
        hang_seconds=0.5,
    )
    with running_sandbox(tmp_path / "home", settings=settings) as handle:
        opened = Reader(handle)
        yield opened
        opened.close()
