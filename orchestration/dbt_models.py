"""dbt models as assets and dbt tests as checks: specs by dagster-dbt, execution in this process."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration.dbt_build import NodeResult, build_pass
from orchestration.installation import Installation
from orchestration.names import DATA_TEAM, OPERATIONS_TEAM
from orchestration.quality import await_judgement

UNIQUE_ID = "dagster_dbt/unique_id"
MATERIALIZATION = "dagster-dbt/materialization_type"


class Translator(DagsterDbtTranslator):
    """Groups by layer, owners by who acts on a table."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=False))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        layer = self.get_group_name(dbt_resource_props)
        return dg.AssetKey([layer, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        if dbt_resource_props["resource_type"] == "seed":
            return "configuration"
        fqn = dbt_resource_props["fqn"]
        return str(fqn[1]) if len(fqn) > 2 else "models"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        operations = self.get_group_name(dbt_resource_props) in {"reconciliation", "marts"}
        return [OPERATIONS_TEAM if operations else DATA_TEAM]


def _metadata(result: NodeResult) -> dict[str, Any]:
    metadata: dict[str, Any] = {"seconds": round(result.seconds, 3)}
    if result.rows is not None:
        metadata["dagster/row_count"] = result.rows
    return metadata


def build_dbt_assets(manifest: Path) -> dg.AssetsDefinition:
    """All models, seeds and tests of the manifest as one step."""

    @dbt_assets(
        manifest=manifest,
        exclude="resource_type:unit_test",
        name="build_models",
        dagster_dbt_translator=Translator(),
    )
    def build_models(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """One dbt build: seeds, models and tests, in this process."""
        installation.progress("building the models")
        assets = context.assets_def
        models = {spec.metadata[UNIQUE_ID]: spec.key for spec in assets.specs}
        checks = {spec.metadata[UNIQUE_ID]: spec for spec in assets.check_specs}
        results = build_pass(
            installation.settings, lambda: await_judgement(installation, context.run_id)
        )
        for result in results:
            if result.unique_id in models and result.status == "success":
                key = models[result.unique_id]
                yield dg.MaterializeResult(asset_key=key, metadata=_metadata(result))
            elif result.unique_id in checks:
                spec = checks[result.unique_id]
                yield dg.AssetCheckResult(
                    asset_key=spec.asset_key,
                    check_name=spec.name,
                    passed=result.status == "pass",
                    severity=dg.AssetCheckSeverity.WARN
                    if result.status == "warn"
                    else dg.AssetCheckSeverity.ERROR,
                    metadata={"failures": result.failures or 0, "message": result.message},
                )
        failed = [r for r in results if r.status == "fail"]
        if failed:
            installation.progress(f"{len(failed)} dbt test(s) failed: our own defect, see the run")

    return build_models


def table_keys(models: dg.AssetsDefinition) -> list[dg.AssetKey]:
    """Models that every pass builds: what comes after them waits for these and not for the views,
    which are left as they are while the project does not change."""
    return [spec.key for spec in models.specs if spec.metadata.get(MATERIALIZATION) == "table"]
