"""Exceptions depend on what was observed, not on the order or the batches in which it arrived."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import duckdb
import pytest

from ingestion.landing import refresh_views
from ingestion.warehouse import warehouse
from orchestration.dbt_build import build
from orchestration.installation import Installation
from orchestration.passes import Loop, open_instance
from orchestration.pretend import pretend_distributor
from registry.settings import Settings, load_settings

RESULTS = {
    "exceptions": "select * from marts.exceptions order by all",
    "obligations": "select * from reconciliation.obligations order by all",
    "proposals": "select proposal_key, payload, preconditions from "
    "reconciliation.correction_proposals order by all",
}


def results(settings: Settings) -> dict[str, list]:
    with warehouse(settings) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in RESULTS.items()}


@pytest.fixture(scope="module")
def observed(tmp_path_factory) -> tuple[Installation, dict[str, list]]:
    """Two passes over a small pretend distributor, so that there is more than one extraction."""
    home = tmp_path_factory.mktemp("observed")
    with pretend_distributor(home, 0, orders=300) as (settings, _handle):
        installation = Installation.load(settings)
        with open_instance(installation) as instance:
            loop = Loop(installation, instance)
            loop.run_pass()
            loop.run_pass()
    return installation, results(installation.settings)


def rearranged(source: Settings, home: Path, seed: int, loads: int) -> Settings:
    """A copy whose raw rows stand in another order and came in other load packages."""
    home.mkdir()
    shutil.copy(source.warehouse, home / "warehouse.duckdb")
    chance = random.Random(seed)
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        schemas = connection.execute(
            "select schema_name from information_schema.schemata where schema_name like 'raw\\_%' "
            "escape '\\' and schema_name not like '%staging'"
        ).fetchall()
        for (schema,) in schemas:
            tables = connection.execute(
                "select table_name from duckdb_tables() where schema_name = ? "
                "and table_name not like '\\_dlt%' escape '\\'",
                [schema],
            ).fetchall()
            for (table,) in tables:
                name = f'"{schema}"."{table}"'
                salt = chance.randrange(1 << 30)
                connection.execute(
                    f"create temp table shuffled as select * replace "
                    f"('other-' || (hash(rowid, {salt}) % {loads}) as _dlt_load_id) "
                    f"from {name} order by hash(rowid, {salt})"
                    if table not in {"extractions", "quarantine"}
                    else f"create temp table shuffled as select * from {name} "
                    f"order by hash(rowid, {salt})"
                )
                connection.execute(f"delete from {name}")
                connection.execute(f"insert into {name} select * from shuffled")
                connection.execute("drop table shuffled")
            for number in range(loads):
                connection.execute(
                    f'insert into "{schema}"._dlt_loads by name '
                    f"select 'other-{number}' as load_id, schema_name, 0 as status, inserted_at, "
                    f'schema_version_hash from "{schema}"._dlt_loads limit 1'
                )
        # A full rebuild: nothing derived is kept.
        for schema in ("staging", "intermediate", "core", "reconciliation", "marts", "landing"):
            connection.execute(f"drop schema if exists {schema} cascade")
    return load_settings(home, source.systems_file)


@pytest.mark.parametrize(
    ("seed", "loads"), [(1, 1), pytest.param(2, 17, marks=pytest.mark.histories)]
)
def test_shuffled_arrival_other_batches_and_a_full_rebuild_change_nothing(
    observed, tmp_path, seed, loads
):
    installation, expected = observed
    assert expected["exceptions"], "a comparison of nothing proves nothing"
    settings = rearranged(installation.settings, tmp_path / "home", seed, loads)
    with warehouse(settings) as connection:
        refresh_views(connection, installation.registry)
    build(settings)
    assert results(settings) == expected
