"""How the workers share the machine, and the order in which they take the files: long ones first.

A file that takes minutes and comes last runs alone, with the other cores idle. The first of them
run in CI alone.
"""

from __future__ import annotations

import gc
import os

import pytest

# The workers keep all cores busy: a second thread of DuckDB in each would only wait for the others,
# and costs a tenth of a pass.
os.environ.setdefault("TALLYMAN_THREADS", "1")

LONG = (
    "evaluation/test_ten_worlds.py",
    "writeback/test_simulated_engine.py",
    "dbt/test_generated_histories.py",
    "evaluation/test_one_world.py",
    "loop/test_crashes.py",
    "loop/test_bad_input.py",
    "loop/test_demo.py",
    "loop/test_invariance.py",
    "x12/test_x12_loop.py",
    "writeback/test_lifecycle_model.py",
    "dbt/test_rules.py",
    "dbt/test_units.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get("/".join(item.path.parts[-2:]), len(LONG)))


def pytest_collection_finish() -> None:
    """What is imported by now stays: to look through its million objects for garbage again and
    again is a fourteenth of all that the tests cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
