"""No statement of the engine reads a whole table: the outbox keeps all that was ever corrected."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_under_test import Engine
from samples import proof, quantity_change

from writeback.approval import approve, reject
from writeback.states import State
from writeback.undo import undo
from writeback.verify import apply_proofs

GROWING = ("corrections", "attempts", "decisions", "audit")


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite only: PostgreSQL walks tables as small as these whatever indexes they have."""
    return f"sqlite:///{tmp_path / 'operations.sqlite'}"


@contextmanager
def whole_reads(engine: Engine) -> Iterator[list[str]]:
    """Statements whose plan walks a growing table from end to end, but for those that stop early
    because they walk it in the order that they want."""
    found: list[str] = []

    def look(_c: Any, cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        words = statement.split()
        in_order = words[-5:] == ["DESC", "LIMIT", "?", "OFFSET", "?"]
        if many or in_order or words[0] not in {"SELECT", "UPDATE", "DELETE"}:
            return
        cursor.execute(f"explain query plan {statement}", parameters)
        for *_, step in cursor.fetchall():
            if step.split()[0] == "SCAN" and step.split()[1] in GROWING:
                found.append(f"{step}: {statement}")

    sa.event.listen(engine.store.engine, "before_cursor_execute", look)
    yield found
    sa.event.remove(engine.store.engine, "before_cursor_execute", look)


def in_state(engine: Engine, state: State) -> list[str]:
    return [one.correction_key for one in engine.store.list() if one.state is state]


def test_nothing_reads_a_whole_table(engine: Engine) -> None:
    with whole_reads(engine) as found:
        held = [quantity_change(number, needs_approval=True) for number in (4, 5)]
        engine.propose(*(quantity_change(number) for number in (1, 2, 3)), *held)
        first, second = in_state(engine, State.AWAITING_APPROVAL)
        approve(engine.store, first, "maria", "")
        reject(engine.store, second, "maria", "")
        engine.world.inject("lost_response")
        engine.deliver()
        engine.clock.advance(600)
        engine.deliver()
        taken_back, *others = in_state(engine, State.ACCEPTED)
        undo(
            engine.store,
            {"erp": engine.target},
            taken_back,
            "maria",
            "",
            engine.clock,
            random.Random(1),
        )
        apply_proofs(engine.store, [proof(key) for key in others], engine.clock)
        engine.clock.advance(600)
        engine.propose(quantity_change(1, frontier=engine.clock.now() + timedelta(seconds=1)))
        engine.store.waking_count(engine.clock.now())
    assert len(in_state(engine, State.VERIFIED)) == len(others) == 3
    assert found == []
