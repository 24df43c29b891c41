"""`tallyman doctor`: configuration, reachability, locks and versions, each with what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import duckdb

from connectors.factory import make_source, make_target
from ingestion.extract import system_contracts
from ingestion.landing import misfits
from ingestion.warehouse import lock_owner
from orchestration.dbt_build import manifest_path
from orchestration.installation import Installation
from registry.contracts import load_contracts
from registry.errors import TallymanError
from registry.settings import Settings
from registry.systems import Registry, System, load_registry
from reporting import terminal
from reporting.lists import gates_told, short_key, stop_told
from reporting.publish import published_at, published_connection
from writeback.states import State
from writeback.store import OperationsStore

LIBRARIES = (
    "dagster",
    "dagster-dbt",
    "dbt-core",
    "dbt-duckdb",
    "dlt",
    "duckdb",
    "great-expectations",
)
PYTHONS = ((3, 11), (3, 13))
MINIMUM_FREE_BYTES = 1 << 30
# The copy that is being published, and room for what the next passes add before old ones go.
COPIES_TO_HOLD = 2
# One pass may be slow, one may fail; three in a row that brought nothing are a loop that stopped.
CADENCES_UNTIL_STOPPED = 3
# A period close or an upgrade may take a day; what is stopped for longer was most likely forgotten.
FORGOTTEN_AFTER = timedelta(days=1)
# A delivery is begun within a minute of what is due.
LEFT_AFTER = timedelta(hours=1)
REMEDIES = {
    "pending": "the step correction_outbox did not take up the build: look at the last run in the "
    "UI and in logs/tallyman.log",
    "failed": "mend what it names; the next pass whose checks pass opens it",
    "crashed": "run tallyman sync and mend what it says",
}


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
        if system.write_mode != "off":
            make_target(system, environment)
    except TallymanError as error:
        return Finding(area, False, str(error))
    mode = "" if system.write_mode == "on" else f", corrections {system.write_mode}"
    where = system.base_url or system.options.get("folder", "")
    return Finding(
        area, True, f"{system.connector} answers{' at ' + str(where) if where else ''}{mode}"
    )


def _room(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.parent).free
    size = settings.warehouse.stat().st_size if settings.warehouse.is_file() else 0
    wanted = max(MINIMUM_FREE_BYTES, COPIES_TO_HOLD * size)
    detail = f"{free / 1e9:.1f} GB free for {settings.home}"
    if free < wanted:
        detail += (
            f": make it {wanted / 1e9:.1f} GB, a pass publishes a copy of the warehouse and wants "
            "room for it twice"
        )
    return Finding("disk", free >= wanted, detail)


def _last_pass(settings: Settings, cadence_seconds: int, now: datetime) -> Finding:
    """Whether builds come as often as passes are wanted."""
    at = published_at(settings)
    told = f"published {terminal.moment(at, seconds=False)} UTC, {terminal.ago(at, now)}"
    is_fresh = now - at <= CADENCES_UNTIL_STOPPED * timedelta(seconds=cadence_seconds)
    if not is_fresh:
        told += (
            f"; a pass is wanted every {terminal.span(timedelta(seconds=cadence_seconds))}: run "
            "tallyman sync and mend what it says, then see that what starts the passes is at work"
        )
    return Finding("last pass", is_fresh, told)


def _sending(settings: Settings, now: datetime) -> Iterator[Finding]:
    """What a person stopped: he may want it so for a while, but not for ever."""
    if not settings.has_operations_store:
        return
    try:
        stops = OperationsStore(settings.operations_url).stops()
    except TallymanError as error:
        yield Finding("operations store", False, str(error))
        return
    for stop in stops:
        yield Finding("sending", now - stop.since <= FORGOTTEN_AFTER, stop_told(stop))
    if not stops:
        yield Finding("sending", True, "stopped nowhere")


def _contract_types(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """What is not read because its contract does not fit what the published build holds of it."""
    try:
        with published_connection(settings) as connection:
            found = [
                why
                for system in registry.systems
                for why in misfits(
                    connection, system.name, system_contracts(system, settings)
                ).values()
            ]
    except (TallymanError, duckdb.Error) as error:
        yield Finding("contract types", False, str(error))
        return
    for why in found:
        yield Finding("contract types", False, why)


def _standing_still(settings: Settings, registry: Registry, now: datetime) -> Iterator[Finding]:
    """Corrections that no person stopped and that get no further all the same."""
    if not settings.has_operations_store:
        return
    try:
        store = OperationsStore(settings.operations_url)
        findings = [
            *_closed_gates(store, registry, now),
            *_left_lying(store, Installation(settings, registry).writable_systems, now),
            *_unsettled(store, registry, now),
        ]
    except TallymanError as error:
        yield Finding("operations store", False, str(error))
        return
    yield from findings or [Finding("corrections", True, "none stands still")]


def _closed_gates(store: OperationsStore, registry: Registry, now: datetime) -> Iterator[Finding]:
    """A gate is closed during each pass, and one pass may fail."""
    patience = CADENCES_UNTIL_STOPPED * timedelta(seconds=registry.cadence_seconds)
    overdue = [closed for closed in store.closed_gates() if now - closed.since > patience]
    for outcome, remedy in REMEDIES.items():
        for told in gates_told([closed for closed in overdue if closed.gate.outcome == outcome]):
            yield Finding("corrections", False, f"{told}; {remedy}")


def _left_lying(store: OperationsStore, systems: Sequence[str], now: datetime) -> Iterator[Finding]:
    for left in store.overdue(now - LEFT_AFTER, now, systems):
        why = (
            f"the last {left.failures} requests to it failed: mend the system or what it asks for"
            if left.failures
            else "no delivery takes them up: see that dagster-daemon is up, with its sensor "
            "corrections_due on, or run tallyman sync"
        )
        yield Finding(
            "corrections",
            False,
            f"nothing holds {left.corrections} corrections to {left.target_system}, the oldest "
            f"since {terminal.moment(left.since, seconds=False)} UTC; {why}",
        )


def _unsettled(store: OperationsStore, registry: Registry, now: datetime) -> Iterator[Finding]:
    """Taken by a target, or perhaps, and nobody knows yet what became of it."""
    for system in registry.systems:
        patience = max(
            FORGOTTEN_AFTER, CADENCES_UNTIL_STOPPED * timedelta(seconds=system.cadence_seconds)
        )
        for state, remedy in (
            (
                State.UNKNOWN,
                "it can't be read whether they were applied: see what tallyman "
                "corrections show says, and look in the system",
            ),
            (
                State.ACCEPTED,
                "no load has proven them: see that the system is read to its end, and look there",
            ),
        ):
            waiting = store.unsettled(state, now - patience, system.name)
            if waiting:
                yield Finding(
                    "corrections",
                    False,
                    f"{len(waiting)} to {system.name} are {state} for more than "
                    f"{terminal.span(patience)}, such as {short_key(waiting[0].correction_key)}; "
                    f"{remedy}",
                )


def examine(settings: Settings, now: datetime | None = None) -> Iterator[Finding]:
    """Findings in the order in which one would look, the cheap ones first."""
    is_known = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    wanted = "" if is_known else ": 3.11, 3.12 or 3.13 is needed"
    yield Finding("python", is_known, sys.version.split()[0] + wanted)
    yield Finding("libraries", True, ", ".join(f"{name} {version(name)}" for name in LIBRARIES))
    yield _room(settings)
    kept = manifest_path(settings)
    yield Finding("dbt manifest", kept.is_file(), str(kept) if kept.is_file() else "run make setup")
    owner = lock_owner(settings)
    yield Finding(
        "warehouse lock",
        True,
        f"held by {owner}" if owner else "free",
    )
    now = now or datetime.now(UTC)
    yield from _sending(settings, now)
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
    if published.is_file():
        yield _last_pass(settings, registry.cadence_seconds, now)
        yield from _contract_types(settings, registry)
    yield from _standing_still(settings, registry, now)
    missing = registry.missing_secrets(settings.environment)
    if missing:
        yield Finding("secrets", False, "not set: " + ", ".join(sorted(missing)))
        return
    yield Finding("secrets", True, "all set")
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield from pool.map(lambda system: _reach(system, settings.environment), registry.systems)
