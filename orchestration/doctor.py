"""`tallyman doctor`: configuration, reachability, locks and versions, each with what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

from connectors.factory import make_source
from ingestion.warehouse import lock_owner
from orchestration.dbt_build import manifest_path
from registry.contracts import load_contracts
from registry.errors import TallymanError
from registry.settings import Settings
from registry.systems import System, load_registry

LIBRARIES = (
    "dagster",
    "dagster-dbt",
    "dbt-core",
    "dbt-duckdb",
    "dlt",
    "duckdb",
    "great-expectations",
)
MINIMUM_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """``ok`` false means that a person has to do what ``detail`` says."""

    area: str
    ok: bool
    detail: str


def _reach(system: System, environment: dict[str, str]) -> Finding:
    area = f"system {system.name}"
    try:
        make_source(system, environment).probe()
    except TallymanError as error:
        return Finding(area, False, str(error))
    mode = "" if system.write_mode == "on" else f", corrections {system.write_mode}"
    where = system.base_url or system.options.get("folder", "")
    return Finding(
        area, True, f"{system.connector} answers{' at ' + str(where) if where else ''}{mode}"
    )


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings in the order in which one would look, the cheap ones first."""
    yield Finding("python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield Finding("libraries", True, ", ".join(f"{name} {version(name)}" for name in LIBRARIES))
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.parent).free
    yield Finding(
        "disk", free > MINIMUM_FREE_BYTES, f"{free / 1e9:.1f} GB free for {settings.home}"
    )
    kept = manifest_path(settings)
    yield Finding("dbt manifest", kept.is_file(), str(kept) if kept.is_file() else "run make setup")
    owner = lock_owner(settings)
    yield Finding(
        "warehouse lock",
        True,
        f"held by {owner}" if owner else "free",
    )
    published = settings.published_warehouse
    yield Finding(
        "published marts",
        published.is_file(),
        str(published.resolve()) if published.is_file() else "nothing yet: run tallyman sync",
    )
    try:
        contracts = load_contracts()
        yield Finding("contracts", True, f"{len(contracts)} read")
        registry = load_registry(settings.systems_file)
    except TallymanError as error:
        yield Finding("configuration", False, str(error))
        return
    yield Finding("systems file", True, f"{settings.systems_file}: {len(registry.systems)} systems")
    missing = registry.missing_secrets(settings.environment)
    if missing:
        yield Finding("secrets", False, "not set: " + ", ".join(sorted(missing)))
        return
    yield Finding("secrets", True, "all set")
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield from pool.map(lambda system: _reach(system, settings.environment), registry.systems)
