"""The models over a scenario: built by dbt once a test run, then by what it compiled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from filelock import FileLock

from ingestion.warehouse import connect_config
from orchestration.compiled import Statement, fill, keep, kept, statements_of
from orchestration.dbt_build import kept_manifest, parsed
from registry.settings import PROJECT_ROOT, QUIET_ENVIRONMENT, load_settings

PROJECT = PROJECT_ROOT / "dbt_project"
FILE = "warehouse.duckdb"
STATEMENTS = "statements.json"


class Warehouse:
    """A warehouse file that can be built again, with other seeds if a test wants.

    It begins as a copy of one that dbt built whole over feeds that tell nothing: views and seeds
    stand (making them takes longer than all that the tables cost), and tables are filled.
    """

    def __init__(self, home: Path, artefacts: Path) -> None:
        self.home = home
        self.artefacts = artefacts
        home.mkdir(parents=True, exist_ok=True)
        self._template = _template(artefacts)
        shutil.copyfile(self._template / FILE, self.path)

    @property
    def path(self) -> Path:
        return self.home / FILE

    @property
    def statements(self) -> list[Statement]:
        """Those that fill the tables, in their order, as dbt compiled them."""
        return kept(self._template / STATEMENTS)

    def build(self) -> Warehouse:
        """Fill all tables anew."""
        connection = self.opened()
        try:
            for statement in self.statements:
                fill(connection, statement)
        finally:
            connection.close()
        return self

    def run(self, *models: str) -> None:
        """Only these models, by dbt, over what stands."""
        _dbt(self.home, self.artefacts, "run", "--select", *models)

    def changed(self, home: Path, *changes: str) -> Warehouse:
        """A copy with a seed changed by SQL, and everything built anew."""
        copy = Warehouse(home, self.artefacts)
        shutil.copyfile(self.path, copy.path)
        copy.execute(*changes)
        return copy.build()

    def unit_tests(self) -> dict[str, str]:
        """What each of dbt's own unit tests says: pass, or its status and message."""
        result = _invoke(self.home, self.artefacts, "test", "--resource-type", "unit_test")
        return {
            run.node.name: "pass" if run.status == "pass" else f"{run.status}: {run.message}"
            for run in result.result
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.opened()
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def execute(self, *statements: str) -> None:
        connection = self.opened()
        try:
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()

    def tell(self, relation: str, rows: Iterable[dict[str, Any]]) -> None:
        """Rows of our own take the place of what a view tells."""
        with self.opened() as connection:
            table = f"told.{relation.split('.')[-1]}"
            connection.execute("create schema if not exists told")
            connection.execute(f"create table {table} as from {relation} limit 0")
            insert(connection, table, rows)
            connection.execute(f"create or replace view {relation} as from {table}")

    def exceptions(self, *statuses: str) -> set[tuple[str, str]]:
        """(rule, object) of exceptions in one of the statuses; open ones by default."""
        wanted = ", ".join(f"'{status}'" for status in statuses or ("open",))
        return set(
            self.rows(f"select rule_id, object_id from marts.exceptions where status in ({wanted})")
        )

    def opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self.path), config=connect_config(load_settings(self.home)))
        connection.execute("set TimeZone = 'UTC'")
        return connection


def insert(
    connection: duckdb.DuckDBPyConnection, relation: str, rows: Iterable[dict[str, Any]]
) -> None:
    """Rows by the names of their columns; what a row does not name is null."""
    told = list(rows)
    names = list(dict.fromkeys(name for row in told for name in row))
    table = pa.table({name: [row.get(name) for row in told] for name in names})
    connection.register("told_rows", table)
    connection.execute(f"insert into {relation} by name from told_rows")
    connection.unregister("told_rows")


def _dbt(home: Path, artefacts: Path, *arguments: str) -> Sequence[Any]:
    """dbt's results, none of which is an error."""
    result = _invoke(home, artefacts, *arguments)
    broken = [f"{r.node.name}: {r.message}" for r in result.result or [] if r.status == "error"]
    assert not broken, "\n".join(broken)
    assert result.exception is None, result.exception
    return list(result.result)


def _invoke(home: Path, artefacts: Path, *arguments: str) -> Any:
    os.environ.update(QUIET_ENVIRONMENT)
    os.environ["TALLYMAN_HOME"] = str(home)
    from dbt.cli.main import dbtRunner

    runner = dbtRunner(manifest=_manifest(artefacts))
    return runner.invoke([*arguments, *_options(artefacts)])


def _template(artefacts: Path) -> Path:
    """A folder with the file that dbt built and the statements that it compiled. One for all
    processes of a test run."""
    from scenario import Scenario

    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = artefacts.parent.parent if in_worker else artefacts.parent
    made = shared / "template"
    with FileLock(shared / "template.lock"):
        if not made.exists():
            making = shared / "template.making"
            making.mkdir()
            Scenario().write(making / FILE)
            runs = _dbt(
                making, artefacts, "build", "--resource-type", "seed", "--resource-type", "model"
            )
            keep(statements_of(runs), making / STATEMENTS)
            making.rename(made)
    return made


_manifests: dict[Path, Any] = {}


def _manifest(artefacts: Path) -> Any:
    """What set-up parsed; parsed again first if a file of the project is newer."""
    if artefacts not in _manifests:
        project_manifest(artefacts)
        _manifests[artefacts] = kept_manifest(load_settings(artefacts))
    return _manifests[artefacts]


def project_manifest(home: Path) -> Path:
    """The manifest of the project as it stands, as a file. ``home``: any folder for settings."""
    settings = load_settings(home)
    target = settings.dbt_project / "target"
    target.mkdir(exist_ok=True)
    with FileLock(target / "parsing.lock"):
        return parsed(settings)


def _options(artefacts: Path) -> Iterable[str]:
    return [
        "--project-dir",
        str(PROJECT),
        "--profiles-dir",
        str(PROJECT),
        "--target-path",
        str(artefacts),
        "--log-path",
        str(artefacts),
        "--log-level",
        "none",
        "--no-version-check",
    ]
