"""Landing assets: one a contract, filled by one step that reads all configured systems."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg

from ingestion.extract import extract_system, starting_point
from ingestion.landing import refresh_views, registry_contracts
from ingestion.load import land
from ingestion.report import EntityReport, Extracted, LoadReport
from ingestion.warehouse import warehouse
from orchestration.installation import Installation
from orchestration.names import DATA_TEAM
from orchestration.quality import await_judgement
from registry.contracts import Contract
from registry.systems import OWN_SYSTEM, Registry, System


def landing_key(connector: str, entity: str) -> dg.AssetKey:
    """The key that dagster-dbt gives to the dbt source of that contract."""
    return dg.AssetKey(["landing", f"{connector}__{entity}"])


def _specs(contracts: list[Contract]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            key=landing_key(contract.connector, contract.entity),
            description=contract.description,
            group_name="ingestion",
            owners=[DATA_TEAM],
            kinds={"dlt", "duckdb"},
        )
        for contract in contracts
    ]


def _check_specs(contracts: list[Contract]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name="feed_is_complete",
            asset=landing_key(contract.connector, contract.entity),
            description="Every configured system was read to the end. If not, the watermark stays "
            "where it was and nothing that needs this feed is judged.",
        )
        for contract in contracts
    ]


def extract_all(
    installation: Installation, systems: tuple[System, ...], run_id: str
) -> list[Extracted]:
    """Read all systems side by side (they wait on the network), or so many as ``readers`` says."""
    with warehouse(installation.settings, "cursors") as connection:
        starts = {
            system.name: starting_point(connection, system, installation.settings)
            for system in systems
        }
    with ThreadPoolExecutor(installation.readers or len(systems) or 1) as pool:
        futures = [
            pool.submit(
                extract_system,
                system,
                installation.source(system),
                installation.settings,
                run_id,
                installation.clock,
                starts[system.name],
            )
            for system in systems
        ]
        return [future.result() for future in futures]


def load_all(installation: Installation, run_id: str) -> list[LoadReport]:
    """Extract every system, land one after another (DuckDB has one writer), refresh the views.

    The warehouse is not held while systems are read, and opened once for all that they told. The
    verdict on the pass before ends here: nothing is sent until this one is judged.
    """
    await_judgement(installation, run_id)
    reports = []
    systems = (*installation.registry.systems, OWN_SYSTEM)
    extractions = extract_all(installation, systems, run_id)
    with warehouse(installation.settings, "landing") as connection:
        for extracted in extractions:
            # A cursor of its own: what fails in one landing leaves no transaction open for others.
            with connection.cursor() as cursor:
                report = land(extracted, installation.settings, cursor)
            reports.append(report)
            records = sum(entity.records for entity in report.entities)
            unchanged = sum(entity.unchanged for entity in report.entities)
            problems = [entity.error for entity in report.entities if entity.error]
            installation.progress(
                f"loaded {report.system}: {records:,} records"
                + (f", {unchanged:,} more as they were" if unchanged else "")
                + (f", {problems[0]}" if problems else "")
            )
        refresh_views(connection, installation.registry)
    return reports


def build_landing_assets(registry: Registry) -> dg.AssetsDefinition:
    """The landing assets of the configured connectors."""
    connectors = {system.connector for system in (*registry.systems, OWN_SYSTEM)}
    contracts = [c for c in registry_contracts(registry) if c.connector in connectors]

    @dg.multi_asset(
        name="load_systems",
        specs=_specs(contracts),
        check_specs=_check_specs(contracts),
    )
    def load_systems(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Read each system after its cursor and append what it said to the raw log."""
        installation.progress("reading the systems")
        reports = load_all(installation, context.run_id)
        systems = (*installation.registry.systems, OWN_SYSTEM)
        connectors_by_system = {system.name: system.connector for system in systems}
        rows: dict[dg.AssetKey, list[tuple[str, EntityReport]]] = defaultdict(list)
        for report in reports:
            connector = connectors_by_system[report.system]
            for entity in report.entities:
                rows[landing_key(connector, entity.entity)].append((report.system, entity))
        # What no system tells in its role (a supplier sends no stock) is there as well, and empty:
        # a landing that is left out would leave out all that is built on it.
        for contract in contracts:
            key = landing_key(contract.connector, contract.entity)
            feeds = rows[key]
            failed = [(system, feed) for system, feed in feeds if not feed.complete]
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "dagster/row_count": sum(feed.records for _, feed in feeds),
                    "unchanged": sum(feed.unchanged for _, feed in feeds),
                    "quarantined": sum(feed.quarantined for _, feed in feeds),
                    "seconds": round(sum(feed.seconds for _, feed in feeds), 2),
                    "systems": ", ".join(system for system, _ in feeds),
                },
                check_results=[
                    dg.AssetCheckResult(
                        asset_key=key,
                        check_name="feed_is_complete",
                        passed=not failed,
                        severity=dg.AssetCheckSeverity.WARN,
                        metadata={system: feed.error or "incomplete" for system, feed in failed},
                    )
                ],
            )

    return load_systems
