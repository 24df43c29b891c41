"""dbt in this process with a kept manifest: one build a pass (a command costs 7 to 13 s)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from ingestion.warehouse import damage_told, warehouse
from registry.crash_points import crash_point
from registry.errors import ConfigurationError, TallymanError
from registry.settings import Settings


class BuildError(TallymanError):
    """dbt could not build a model: a defect of ours, not of the data."""

    exit_code = 4


@dataclass(frozen=True)
class NodeResult:
    """One dbt node's result. ``status`` is dbt's: success, pass, warn, fail, error, skipped.

    ``rows``: how many a table holds after the pass, None for what is no table.
    """

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str
    relation: tuple[str, str] = ("", "")
    rows: int | None = None


def manifest_path(settings: Settings) -> Path:
    return settings.dbt_target / "manifest.json"


def _arguments(settings: Settings, *extra: str) -> list[str]:
    project = str(settings.dbt_project)
    return [
        "--project-dir",
        project,
        "--profiles-dir",
        project,
        "--target-path",
        str(settings.dbt_target),
        "--log-path",
        str(settings.home / "logs"),
        "--log-level",
        "none",
        "--log-level-file",
        "info",
        "--no-use-colors",
        "--no-version-check",
        *extra,
    ]


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt reads the profile's paths from the environment."""
    before = os.environ.get("TALLYMAN_HOME")
    os.environ["TALLYMAN_HOME"] = str(settings.home)
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TALLYMAN_HOME", None)
        else:
            os.environ["TALLYMAN_HOME"] = before


def parse(settings: Settings) -> Path:
    """Parse the project and keep its manifest (set-up does this once). Raises BuildError."""
    from dbt.cli.main import dbtRunner

    with _environment(settings):
        result = dbtRunner().invoke(["parse", *_arguments(settings)])
    if not result.success:
        raise BuildError(f"the dbt project does not parse: {result.exception}")
    _parsed_sources(settings).write_text(
        _names(settings, _project_sources(settings)), encoding="utf-8"
    )
    return manifest_path(settings)


def parsed(settings: Settings) -> Path:
    """The manifest, parsed again if a file of the project is newer, gone or another one: an edited
    rule must count, and a model that was taken out must not."""
    manifest, known = manifest_path(settings), _parsed_sources(settings)
    if manifest.is_file() and known.is_file():
        at = manifest.stat().st_mtime  # each parse writes it, no build does
        sources = _project_sources(settings)
        same = known.read_text(encoding="utf-8") == _names(settings, sources)
        if same and all(path.stat().st_mtime <= at for path in sources):
            return manifest
    return parse(settings)


def _parsed_sources(settings: Settings) -> Path:
    """The names of the files that the kept manifest was parsed from, a line each."""
    return settings.dbt_target / "parsed_sources.txt"


def _names(settings: Settings, sources: Sequence[Path]) -> str:
    return "\n".join(sorted(path.relative_to(settings.dbt_project).as_posix() for path in sources))


def _project_sources(settings: Settings) -> list[Path]:
    project = settings.dbt_project
    return list(_sources(project, {settings.dbt_target, project / "logs"}))


def _sources(folder: Path, without: set[Path]) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path not in without:
            yield from _sources(path, without)
        elif path.suffix in {".sql", ".yml", ".csv", ".md"}:
            yield path


def _kept(settings: Settings) -> Path:
    path = settings.dbt_target / "partial_parse.msgpack"
    if not path.is_file():
        raise ConfigurationError(f"no parsed dbt project at {path}: run `make setup`")
    return path


def kept_manifest(settings: Settings) -> Any:
    """The parsed manifest of set-up. Read anew for each build: compiling changes it, and a second
    build with the same object lost its ephemeral models."""
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest.from_msgpack(_kept(settings).read_bytes())
    manifest.build_flat_graph()
    return manifest


def _die_if_asked(event: Any) -> None:
    if event.info.name == "NodeFinished":
        crash_point(f"build.after.{event.data.node_info.node_name}")


_ALL = ("--exclude-resource-type", "unit_test")
# Views and seeds stay as they are while the project and the configuration do.
_DATA_ONLY = (
    "--exclude-resource-type",
    "unit_test",
    "seed",
    "--exclude",
    "config.materialized:view",
)


def build_pass(
    settings: Settings, when_built: Callable[[], None] = lambda: None
) -> list[NodeResult]:
    """Build what data can change; all of it when the project or the configuration has changed.

    ``when_built`` is called before the file is closed: whoever writes to the same disk while the
    checkpoint does waits for all of it, a second and more.

    Creating 80 views again took a third of a build. What was built is remembered in the warehouse
    itself (``config.built``), so that a warehouse restored from a copy is never taken for newer.
    Raises BuildError and WarehouseBusyError.
    """
    # Held open over the build: dbt lets go of the file whenever no thread needs it, and each time
    # the last one goes, DuckDB writes a checkpoint and has to read the file in again.
    # Closed aside: the gate, which comes next, only reads.
    with warehouse(settings, "dbt", close_aside=True) as connection:
        now = _fingerprint(settings, connection)
        unchanged = now == _last_built(connection)
        results = build(settings, _DATA_ONLY if unchanged else _ALL)
        if not unchanged:
            connection.execute("create or replace table config.built as select ? as it", [now])
        # Counted here: whoever opens the file next waits for its checkpoint when they leave.
        rows = _row_counts(connection)
        when_built()
    return [replace(result, rows=rows.get(result.relation)) for result in results]


def _row_counts(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Rows of each table, by schema and name."""
    tables = connection.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables()"
    ).fetchall()
    return {(schema, table): int(size or 0) for schema, table, size in tables}


def _fingerprint(settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    project = hashlib.sha256(_kept(settings).read_bytes()).hexdigest()
    row = connection.execute("select config_hash from config.policy").fetchone()
    return f"{project}/{row[0] if row else ''}"


def _last_built(connection: duckdb.DuckDBPyConnection) -> str | None:
    try:
        row = connection.execute("select it from config.built").fetchone()
    except duckdb.CatalogException:
        return None
    return row[0] if row else None


def build(settings: Settings, arguments: tuple[str, ...] = _ALL) -> list[NodeResult]:
    """Run ``dbt build`` and return one result a node, in order of execution.

    Raises BuildError naming every model that failed; failing tests are results, not errors.
    """
    return [_result(run) for run in _runs(settings, arguments)]


def build_everything(settings: Settings) -> list[Any]:
    """``build`` of all nodes, as dbt's own results, of which each holds its compiled node."""
    return _runs(settings, _ALL)


def _time_zones(settings: Settings) -> list[str]:
    """Those of the configured systems, which the models know as constants."""
    with warehouse(settings, "time zones") as connection:
        rows = connection.execute("select distinct time_zone from config.systems order by 1")
        return [zone for (zone,) in rows.fetchall()]


def _result(run: Any) -> NodeResult:
    return NodeResult(
        unique_id=run.node.unique_id,
        status=str(run.status),
        seconds=float(run.execution_time or 0.0),
        failures=run.failures,
        message=(run.message or "").strip(),
        relation=(run.node.schema, run.node.name),
    )


def _runs(settings: Settings, arguments: tuple[str, ...]) -> list[Any]:
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    with _environment(settings):
        runner = dbtRunner(manifest=kept_manifest(settings), callbacks=[_die_if_asked])
        zones = json.dumps({"time_zones": _time_zones(settings)})
        own = _arguments(settings, "--no-write-json", "--vars", zones)
        crash_point("build.before_first_model")
        outcome = runner.invoke(["build", *own, *arguments])
    if not isinstance(outcome.result, RunExecutionResult):
        told = str(outcome.exception)
        raise BuildError(f"dbt stopped: {told}") from damage_told(told)
    crash_point("build.after_last_model")
    runs = list(outcome.result)
    broken = [result for result in map(_result, runs) if result.status == "error"]
    if broken:
        details = "\n".join(f"  {r.unique_id}: {r.message[:500]}" for r in broken[:10])
        raise BuildError(
            f"dbt could not build {len(broken)} node(s); nothing was published and nothing is "
            f"sent:\n{details}\nThe log is {settings.home / 'logs' / 'dbt.log'}"
        ) from damage_told("\n".join(result.message for result in broken))
    return runs
