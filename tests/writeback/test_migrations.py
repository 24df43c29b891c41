"""Versions of the store: an old one is brought up with every row, a newer one is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from engine_under_test import Engine
from fake_target import FakeSource, FakeTarget, ManualClock, World, system
from samples import quantity_change

from writeback import migrations
from writeback.approval import approve
from writeback.migrations import StoreTooNewError, known_versions
from writeback.store import OperationsStore
from writeback.tables import metadata

STORES = Path(__file__).parent / "stores"
NEWEST = known_versions()[-1]


@pytest.fixture
def old_url(store_url: str) -> str:
    """A store of version 0001. On SQLite it is a file that the code of that time wrote; the tables
    on PostgreSQL are ours without what came later, and hold one decision."""
    if store_url.startswith("sqlite"):
        with sqlite3.connect(str(sa.make_url(store_url).database)) as connection:
            connection.executescript((STORES / "version-0001.sql").read_text(encoding="utf-8"))
        connection.close()
        return store_url
    clock = ManualClock()
    store = OperationsStore(store_url, clock)
    from registry.systems import Policy
    from writeback.propose import enqueue

    enqueue(store, [quantity_change(needs_approval=True)], Policy(), clock)
    approve(store, store.list()[0].correction_key, "maria", "as it was then")
    with store.write() as connection:
        for table in ("audit", "pauses", "store_version"):
            connection.exec_driver_sql(f"drop table {table}")
        connection.exec_driver_sql("alter table breakers drop column allowance_full_at")
    store.close()
    return store_url


@pytest.fixture
def opened(old_url: str) -> Iterator[OperationsStore]:
    store = OperationsStore(old_url, ManualClock())
    yield store
    store.close()


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as the database has it."""
    engine = sa.create_engine(sa.make_url(url))
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        found = {
            name: [tuple(row) for row in connection.exec_driver_sql(f"select * from {name}")]
            for name in names
        }
    engine.dispose()
    return found


def test_an_old_store_is_brought_up_without_losing_a_row(old_url: str) -> None:
    before = rows(old_url)
    assert before["corrections"] and before["decisions"] and "audit" not in before
    OperationsStore(old_url).close()
    after = rows(old_url)
    assert {name: after[name] for name in before} == before
    assert after["store_version"] == [(NEWEST,)]
    OperationsStore(old_url).close()
    assert rows(old_url) == after


def test_both_ways_lead_to_the_same_tables(opened: OperationsStore, tmp_path: Path) -> None:
    with opened.read() as connection:
        context = MigrationContext.configure(connection, {"version_table": "store_version"})
        assert compare_metadata(context, metadata) == []
    if opened.engine.dialect.name == "sqlite":
        fresh = OperationsStore(f"sqlite:///{tmp_path / 'new.sqlite'}")
        query = "select type, name, tbl_name from sqlite_master order by 1, 2"
        with opened.read() as old, fresh.read() as new:
            ours = old.exec_driver_sql(query).all()
            assert [row for row in ours if not row.name.startswith("sqlite_autoindex")] == [
                row
                for row in new.exec_driver_sql(query).all()
                if not row.name.startswith("sqlite_autoindex")
            ]
        fresh.close()


def test_decisions_from_before_the_log_are_entered_and_the_chain_is_whole(
    opened: OperationsStore,
) -> None:
    decided = opened.decisions_since()
    report = opened.verify_audit()
    assert (report.entries, report.problem) == (len(decided), None)
    assert decided
    opened.pause("erp", "maria", "month end")
    assert opened.verify_audit().problem is None
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), opened.write() as connection:
        connection.exec_driver_sql("delete from audit")


def test_work_goes_on_in_an_old_store(tmp_path: Path, opened: OperationsStore) -> None:
    """What waited there since the version before is approved and sent."""
    world = World(tmp_path / "world.sqlite")
    for number in range(1, 5):
        world.set_line(f"E5{number:05}/10", 5)
    clock = ManualClock()
    opened.set_gates("build-2", {"erp": (True, "")})
    engine = Engine(opened, clock, world, FakeTarget(world, system()), FakeSource(world))
    for waiting in opened.list(state="awaiting_approval"):
        approve(opened, waiting.correction_key, "maria", "")
    assert engine.deliver().accepted == 1


def test_a_newer_store_is_refused_and_left_alone(store_url: str) -> None:
    store = OperationsStore(store_url)
    with store.write() as connection:
        connection.exec_driver_sql("update store_version set version_num = '9999'")
    store.close()
    before = rows(store_url)
    with pytest.raises(StoreTooNewError, match=f"has version 9999.*up to {NEWEST}: use the newer"):
        OperationsStore(store_url)
    assert rows(store_url) == before


def test_a_step_that_fails_leaves_the_store_as_it_was(
    old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(old_url)

    def fail(*_arguments: Any) -> str:
        raise RuntimeError("in the middle of it")

    # The hash of the first entry: both tables are made by then.
    monkeypatch.setattr("writeback.canonical.digest", fail)
    with pytest.raises(RuntimeError, match="in the middle of it"):
        OperationsStore(old_url)
    monkeypatch.undo()
    assert rows(old_url) == before
    OperationsStore(old_url).close()
    assert rows(old_url)["store_version"] == [(NEWEST,)]


def test_versions_are_numbered_without_gaps_and_each_follows_the_one_before() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    numbers = [f"{number:04}" for number in range(1, len(known_versions()) + 1)]
    assert list(known_versions()) == numbers
    config = Config()
    config.set_main_option("script_location", str(migrations.HERE))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [step.revision for step in reversed(steps)] == numbers
    assert [step.down_revision for step in reversed(steps)] == [None, *numbers[:-1]]
    # Forward only.
    assert not any(hasattr(step.module, "downgrade") for step in steps)
