"""dbt in this process over a scenario's warehouse, with the manifest that set-up parsed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from orchestration.compiled import Statement, statements_of
from orchestration.dbt_build import kept_manifest, parsed
from registry.settings import PROJECT_ROOT, QUIET_ENVIRONMENT, load_settings

PROJECT = PROJECT_ROOT / "dbt_project"


class Warehouse:
    """A warehouse file that can be built again, with other seeds if a test wants.

    It begins as a copy of one in which all views and seeds stand already (making them takes longer
    than all that the tables cost); ``bare``: as no file at all.
    """

    def __init__(self, home: Path, artefacts: Path, bare: bool = False) -> None:
        self.home = home
        self.artefacts = artefacts
        self.bare = bare
        home.mkdir(parents=True, exist_ok=True)
        if not bare:
            shutil.copyfile(_template(artefacts), self.path)

    @property
    def path(self) -> Path:
        return self.home / "warehouse.duckdb"

    def build(self) -> Warehouse:
        """Seeds and all models, or what is not in the template."""
        if self.bare:
            self._dbt("build", "--resource-type", "seed", "--resource-type", "model")
        else:
            self._dbt("run", "--exclude", "config.materialized:view")
        return self

    def compiled(self) -> list[Statement]:
        """``build``, and the statements that filled the tables, in their order."""
        result = self._invoke("run", "--exclude", "config.materialized:view")
        return statements_of(result.result)

    def run(self, *models: str) -> None:
        """Only these models, over what stands."""
        self._dbt("run", "--select", *models)

    def changed(self, home: Path, seed: str, *changes: str) -> Warehouse:
        """A copy with a seed changed by SQL, and everything built anew that depends on it."""
        copy = Warehouse(home, self.artefacts, bare=True)
        shutil.copyfile(self.path, copy.path)
        copy.execute(*changes)
        copy._dbt("run", "--select", f"{seed}+")
        return copy

    def unit_tests(self) -> dict[str, str]:
        """What each of dbt's own unit tests says: pass, or its status and message."""
        result = self._invoke("test", "--resource-type", "unit_test")
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

    def exceptions(self, *statuses: str) -> set[tuple[str, str]]:
        """(rule, object) of exceptions in one of the statuses; open ones by default."""
        wanted = ", ".join(f"'{status}'" for status in statuses or ("open",))
        return set(
            self.rows(f"select rule_id, object_id from marts.exceptions where status in ({wanted})")
        )

    def opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self.path), config={"memory_limit": "2GB", "threads": 2})
        connection.execute("set TimeZone = 'UTC'")
        return connection

    def _dbt(self, *arguments: str) -> None:
        result = self._invoke(*arguments)
        broken = [f"{r.node.name}: {r.message}" for r in result.result or [] if r.status == "error"]
        assert not broken, "\n".join(broken)
        assert result.exception is None, result.exception

    def _invoke(self, *arguments: str) -> Any:
        os.environ.update(QUIET_ENVIRONMENT)
        os.environ["TALLYMAN_HOME"] = str(self.home)
        from dbt.cli.main import dbtRunner

        runner = dbtRunner(manifest=_manifest(self.artefacts))
        return runner.invoke([*arguments, *_options(self.artefacts)])


def _template(artefacts: Path) -> Path:
    """The file in which all views and seeds stand, over feeds that tell nothing. One for all
    processes of a test run."""
    from scenario import Scenario

    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = artefacts.parent.parent if in_worker else artefacts.parent
    made = shared / "template"
    with FileLock(shared / "template.lock"):
        if not made.exists():
            template = Warehouse(shared / "template.making", artefacts, bare=True)
            Scenario().write(template.path)
            template.build()
            template.home.rename(made)
    return made / "warehouse.duckdb"


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
