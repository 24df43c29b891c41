"""The whole graph on one screen; code_location.py makes it for `dagster dev`."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.corrections import (
    build_due_sensor,
    build_outbox_asset,
    build_sweep_schedule,
    decision_job,
    delivery_job,
)
from orchestration.dbt_build import parsed
from orchestration.dbt_models import build_dbt_assets, table_keys
from orchestration.dead_runs import end_dead_passes, is_at_work
from orchestration.ingestion_assets import build_landing_assets
from orchestration.installation import Installation
from orchestration.names import (
    DECISION_JOB,
    DELIVERY_JOB,
    PASS_TAGS,
    QUIET_RUN,
    RECONCILE_JOB,
)
from orchestration.pass_lock import PATIENCE_SECONDS, pass_at_work, pass_lock
from orchestration.publication import PUBLISHED_KEY, build_published_asset
from orchestration.quality import GATE_KEY, build_quality_gate
from orchestration.run_history import forget_old_runs


def build_defs(installation: Installation) -> dg.Definitions:
    """Assets, checks, jobs, sensors and schedules of one installation.

    Tests pass an installation of their own instead of patching anything.
    """
    models = build_dbt_assets(parsed(installation.settings))
    assets = [
        build_landing_assets(installation.registry),
        models,
        build_quality_gate(table_keys(models), installation.registry),
        build_published_asset(GATE_KEY),
        build_outbox_asset(PUBLISHED_KEY),
    ]
    # In one process: a step of the default executor costs five seconds, and DuckDB has one writer.
    reconcile = dg.define_asset_job(
        RECONCILE_JOB,
        selection=dg.AssetSelection.all(),
        description="One pass: load, build, check, publish, propose and prove corrections.",
        tags=PASS_TAGS,
        config=QUIET_RUN,
        executor_def=dg.in_process_executor,
    )
    cadence = installation.registry.cadence_seconds
    on = installation.settings.automations_on
    return dg.Definitions(
        assets=assets,
        jobs=[reconcile, delivery_job, decision_job],
        schedules=[build_reconcile_schedule(reconcile, cadence, on), build_sweep_schedule(on)],
        sensors=[build_due_sensor(on)],
        resources={"installation": installation_resource(installation)},
    )


def installation_resource(installation: Installation) -> dg.ResourceDefinition:
    """The installation, and for all steps of a run that makes a pass, or a part of one by hand, the
    right to make it. In one process, one resource lasts from the first step to the last."""

    @dg.resource
    def held(context: dg.InitResourceContext) -> Iterator[Installation]:
        run = context.run
        if run is None or run.job_name in (DELIVERY_JOB, DECISION_JOB):
            yield installation
            return
        with pass_lock(installation.settings, PATIENCE_SECONDS):
            yield installation

    return held


def evenly(cadence_seconds: int) -> str:
    """The cron line with equal steps (in UTC) that is as near to a cadence as one can be without
    being slower; minutes must divide an hour for that, and hours a day."""
    minutes = max(1, cadence_seconds // 60)
    if minutes < 60:
        return f"*/{max(step for step in _divisors(60) if step <= minutes)} * * * *"
    hours = max(step for step in _divisors(24) if step <= minutes // 60)
    return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"


def _divisors(number: int) -> list[int]:
    return [step for step in range(1, number + 1) if number % step == 0]


def build_reconcile_schedule(
    job: UnresolvedAssetJobDefinition, cadence_seconds: int, on: bool
) -> dg.ScheduleDefinition:
    """A pass as often as the fastest system's cadence wants, at most once a minute."""

    @dg.schedule(
        name="reconcile_regularly",
        job=job,
        cron_schedule=evenly(cadence_seconds),
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
    def reconcile_regularly(
        context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.RunRequest | dg.SkipReason:
        """Skips while a pass is still at work: it would only wait for the warehouse."""
        end_dead_passes(context.instance, installation.settings)
        if is_at_work(context.instance, RECONCILE_JOB):
            return dg.SkipReason("the previous pass is still at work")
        others = pass_at_work(installation.settings)
        if others is not None:
            return dg.SkipReason(f"a command makes a pass {others}")
        forget_old_runs(context.instance, installation.settings.run_history_days)
        return dg.RunRequest()

    return reconcile_regularly
