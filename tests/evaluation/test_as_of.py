"""A past moment built again: exactly what the build of then said, and nothing that came later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from orchestration.as_of import NothingKnownError, as_of, moment_of
from orchestration.compiled import kept
from orchestration.direct import run_direct_pass
from orchestration.evaluation.in_process import world_in_process
from orchestration.evaluation.one_world import WorldChoices, make_template
from orchestration.installation import Installation
from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT, Settings
from reporting.publish import published_connection
from sandbox.settings import Settings as World

pytestmark = [pytest.mark.world, pytest.mark.timeout(900)]

TOLD = (
    "marts.exceptions",
    "marts.exception_incidents",
    "marts.orders",
    "marts.order_lifecycle",
    "marts.inventory_state",
    "marts.feeds",
    "marts.corrections",
    "core.order_events",
    "core.attribute_versions",
    "core.inventory_positions",
    "landing.extractions",
    "landing.demo_erp__sales_order_lines",
)


def everything(connection) -> dict[str, list[tuple]]:
    return {
        table: connection.execute(f"select * from {table} order by all").fetchall()
        for table in TOLD
    }


class History(NamedTuple):
    """``between``: a moment between the passes, by the clock of the loads; ``then``: what the
    first one said."""

    settings: Settings
    between: datetime
    then: dict[str, list[tuple]]


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Iterator[History]:
    """Two passes with new faults between them."""
    home = tmp_path_factory.mktemp("as_of")
    make_template(home / "template", WorldChoices(orders=60, world="demo"))
    (home / "world").mkdir()
    shutil.copyfile(home / "template" / "warehouse.duckdb", home / "world" / "warehouse.duckdb")
    choices = World(seed=3, orders=60, faults_per_kind=1, decoys_per_kind=1)
    with world_in_process(home / "world", choices) as world:
        installation = Installation.load(world.settings, clock=world.clock)
        models = kept(home / "template" / "models.json")
        try:
            run_direct_pass(installation, "first", models)
            between = datetime.now(UTC)
            with published_connection(world.settings) as connection:
                then = everything(connection)
            world.inject("H2", 1)
            world.skip(3600)
            run_direct_pass(installation, "second", models)
            yield History(world.settings, between, then)
        finally:
            installation.store.close()


def test_it_says_what_the_build_of_then_said_and_nothing_later(history) -> None:
    settings, between, then = history.settings, history.between, history.then
    with published_connection(settings) as connection:
        now = everything(connection)
    assert {table for table in TOLD if now[table] != then[table]} >= {
        "marts.exceptions",
        "core.order_events",
        "landing.extractions",
    }
    past = as_of(settings, between)
    with past.connection() as connection:
        rebuilt = everything(connection)
    assert {table for table in TOLD if rebuilt[table] != then[table]} == set()
    assert all(feed.last_loaded_at <= between for feed in past.feeds if feed.last_loaded_at)


def test_the_documented_query_tells_what_a_system_held(history) -> None:
    settings, between = history.settings, history.between
    text = (PROJECT_ROOT / "docs" / "as-of.md").read_text(encoding="utf-8")
    query = text.split("```sql\n")[1].split("```")[0]
    assert "2026-11-26 01:30:00+00" in query
    query = query.replace("2026-11-26 01:30:00+00", between.isoformat())
    with published_connection(settings) as connection:
        held = connection.execute(query).fetchall()
    past = as_of(settings, between)
    with past.connection() as connection:
        known = connection.execute(
            "select distinct system, record_id from staging.stg_demo_erp__sales_order_lines"
        ).fetchall()
    assert len(held) == len(known) > 60


def test_before_the_first_load_and_after_now_there_is_nothing_to_tell(history) -> None:
    settings, between = history.settings, history.between
    with pytest.raises(NothingKnownError, match="the first load ended at"):
        as_of(settings, between - timedelta(days=3))
    with pytest.raises(ConfigurationError, match="still to come"):
        moment_of("2100-01-01", between)
    with pytest.raises(ConfigurationError, match="'yesterday' is no moment"):
        moment_of("yesterday", between)
    assert moment_of("2026-01-01T02:00+02:00", between) == datetime(2026, 1, 1, tzinfo=UTC)
