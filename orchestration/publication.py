"""Publishing: after a good build, a read-only copy for everything that is not the pipeline."""

import dagster as dg

from orchestration.installation import Installation
from orchestration.names import OPERATIONS_TEAM
from reporting.publish import publish

PUBLISHED_KEY = dg.AssetKey(["reporting", "published_marts"])


def build_published_asset(upstream: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(
        key=PUBLISHED_KEY,
        deps=[upstream],
        group_name="reporting",
        owners=[OPERATIONS_TEAM],
        kinds={"duckdb", "parquet"},
        description="Read-only DuckDB file and Parquet of the marts, swapped behind one link. The "
        "command line, reports and BI read only here, so that they never lock the pipeline.",
    )
    def published_marts(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> dg.MaterializeResult:
        installation.progress("publishing the marts")
        now = installation.clock.now()
        build = publish(installation.settings, f"{now:%Y%m%dT%H%M%S}-{context.run_id[:8]}")
        return dg.MaterializeResult(metadata={"build": build.build_id, "marts": build.mart_count})

    return published_marts
