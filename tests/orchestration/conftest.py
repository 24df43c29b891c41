"""What every test of Dagster's begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster._core.storage.defs_state.base import set_defs_state_storage


@pytest.fixture(autouse=True)
def no_instance_of_an_earlier_test() -> Iterator[None]:
    """Dagster keeps the last instance that was entered, and one that is entered twice is never let
    go. Once it is gone, what a later test of the same worker defines fails."""
    with set_defs_state_storage(None):
        yield
