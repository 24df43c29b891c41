"""dbt in this process with a kept manifest: one build a pass (a command costs 7 to 13 s)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.crash_points import crash_point
from registry.errors import ConfigurationError, TallymanError
from registry.settings import Settings


class BuildError(TallymanError):
    """dbt could not build a model: a defect of ours, not of the data."""

    exit_code = 4


@dataclass(frozen=True)
class NodeResult:
    """One dbt node's result. ``status`` is dbt's: success, pass, warn, fail, error, skipped."""

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str


def manifest_path(settings: Settings) -> Path:
    return settings.dbt_target / "manifest.json"


def _arguments(settings: Settings) -> list[str]:
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
    return manifest_path(settings)


def _kept_manifest(settings: Settings) -> Any:
    """The parsed manifest of set-up. Read anew for each build: compiling changes it, and a second
    build with the same object lost its ephemeral models."""
    from dbt.contracts.graph.manifest import Manifest

    kept = settings.dbt_target / "partial_parse.msgpack"
    if not kept.is_file():
        raise ConfigurationError(f"no parsed dbt project at {kept}: run `make setup`")
    manifest = Manifest.from_msgpack(kept.read_bytes())
    manifest.build_flat_graph()
    return manifest


def _die_if_asked(event: Any) -> None:
    if event.info.name == "NodeFinished":
        crash_point(f"build.after.{event.data.node_info.node_name}")


def build(
    settings: Settings,
    command: str = "build",
    arguments: tuple[str, ...] = ("--exclude-resource-type", "unit_test"),
) -> list[NodeResult]:
    """Run dbt over the whole project and return one result a node, in order of execution.

    Raises BuildError naming every model that failed; failing tests are results, not errors.
    """
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    with _environment(settings):
        runner = dbtRunner(manifest=_kept_manifest(settings), callbacks=[_die_if_asked])
        crash_point("build.before_first_model")
        outcome = runner.invoke([command, *_arguments(settings), *arguments])
    if not isinstance(outcome.result, RunExecutionResult):
        raise BuildError(f"dbt stopped: {outcome.exception}")
    crash_point("build.after_last_model")
    results = [
        NodeResult(
            unique_id=run.node.unique_id,
            status=str(run.status),
            seconds=float(run.execution_time or 0.0),
            failures=run.failures,
            message=(run.message or "").strip(),
        )
        for run in outcome.result
    ]
    broken = [r for r in results if r.status == "error"]
    if broken:
        details = "\n".join(f"  {r.unique_id}: {r.message[:500]}" for r in broken[:10])
        raise BuildError(
            f"dbt could not build {len(broken)} node(s); nothing was published and nothing is "
            f"sent:\n{details}\nThe log is {settings.home / 'logs' / 'dbt.log'}"
        )
    return results
