"""The outbox as an asset, its delivery as a job, and the sensor and sweep that wake the delivery.

The truth about what is due is the outbox, never the sensor: a lost tick costs latency, not
correctness, and a doubled one finds nothing to do.
"""

import random
from datetime import timedelta

import dagster as dg
from pydantic import Field

from orchestration.decisions import ON_ONE, decide, decide_for_target, revert
from orchestration.installation import Installation
from orchestration.names import DECISION_JOB, DELIVERY_JOB, DELIVERY_TAG, OPERATIONS_TEAM, QUIET_RUN
from registry.errors import ConfigurationError
from reporting.publish import published_connection
from writeback.dispatch import DeliveryReport, DeliverySettings, deliver_due
from writeback.propose import EnqueueResult, enqueue
from writeback.verify import apply_proofs

OUTBOX_KEY = dg.AssetKey(["writeback", "correction_outbox"])
BATCH_LIMIT = 500


def _rows(installation: Installation, relation: str) -> list[dict]:
    with published_connection(installation.settings) as connection:
        cursor = connection.execute(f"select * from {relation}")
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def refresh_outbox(installation: Installation) -> EnqueueResult:
    """Prove what was accepted, then take up what the newest published build proposes."""
    store, clock = installation.store, installation.clock
    apply_proofs(store, _rows(installation, "reconciliation.correction_proofs"), clock)
    proposals = _rows(installation, "reconciliation.correction_proposals")
    return enqueue(store, proposals, installation.registry.policy, clock)


def deliver(installation: Installation) -> DeliveryReport:
    """Send everything that is due now."""
    systems = installation.registry.systems
    lease_seconds = installation.registry.policy.lease_seconds
    targets = {s.name: target for s in systems if (target := installation.target(s)) is not None}
    return deliver_due(
        installation.store,
        targets,
        {s.name: installation.source(s) for s in systems},
        installation.registry.policy,
        installation.clock,
        random.Random(),
        BATCH_LIMIT,
        DeliverySettings(
            lease=timedelta(seconds=lease_seconds), send_margin=timedelta(seconds=lease_seconds / 3)
        ),
    )


def build_outbox_asset(upstream: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(
        key=OUTBOX_KEY,
        deps=[upstream],
        group_name="writeback",
        owners=[OPERATIONS_TEAM],
        kinds={"sqlite"},
        check_specs=[
            dg.AssetCheckSpec(
                name="proposals_can_be_sent",
                asset=OUTBOX_KEY,
                description="Every proposal of the models is complete: a kind that its target "
                "offers, with its payload and preconditions. If not, a model is wrong.",
            )
        ],
        description="The outbox: corrections proposed by the newest build, and proofs for those "
        "that a target had accepted. Sending is the job deliver_corrections.",
    )
    def correction_outbox(
        installation: dg.ResourceParam[Installation],
    ) -> dg.MaterializeResult:
        installation.progress("proving and proposing corrections")
        result = refresh_outbox(installation)
        counts = installation.store.counts_by_state()
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(counts.values()),
                "new": result.new,
                "held for a person": result.held,
                **{f"state: {state}": count for state, count in counts.items()},
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="proposals_can_be_sent",
                    passed=not result.invalid,
                    metadata=dict(result.invalid[:20]),
                )
            ],
        )

    return correction_outbox


@dg.op(description="Send each due correction once, after reading both systems at the one record.")
def send_due_corrections(
    context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]
) -> None:
    installation.progress("sending corrections")
    report = deliver(installation)
    context.add_output_metadata(report.as_dict())


@dg.job(name=DELIVERY_JOB, tags=DELIVERY_TAG, config=QUIET_RUN, executor_def=dg.in_process_executor)
def delivery_job() -> None:
    """Deliver what the outbox holds as due."""
    send_due_corrections()


class Decision(dg.Config):
    """A decision as the launchpad asks for it. ``keys`` for what is decided about corrections,
    ``target`` (empty: all) for what is decided about a target."""

    action: str
    actor: str
    comment: str = ""
    keys: list[str] = Field(default_factory=list)
    target: str = ""


@dg.op(
    description="Take a decision: approve, reject, hold, retry or revert corrections by their keys;"
    " pause, resume or replay a target, or all when none is named; release_brake."
)
def take_decision(
    context: dg.OpExecutionContext, config: Decision, installation: dg.ResourceParam[Installation]
) -> None:
    store, actor, comment = installation.store, config.actor, config.comment
    if config.action not in ON_ONE:
        target = config.target or None
        told = [
            decide_for_target(store, installation.registry, config.action, target, actor, comment)
        ]
    elif not config.keys:
        raise ConfigurationError(f"'{config.action}' needs the keys of corrections")
    elif config.action == "revert":
        told = [revert(installation, key, actor, comment) for key in config.keys]
    else:
        told = [decide(store, config.action, key, actor, comment) for key in config.keys]
    context.add_output_metadata({"told": "\n".join(told)})


@dg.job(name=DECISION_JOB, executor_def=dg.in_process_executor)
def decision_job() -> None:
    """A person's decision about corrections, for those who work in the UI."""
    take_decision()


def build_due_sensor(on: bool) -> dg.SensorDefinition:
    """``on``: whether it starts by itself or waits for a person to start it in the UI."""

    @dg.sensor(
        job=delivery_job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
    def corrections_due(
        context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.SensorResult | dg.SkipReason:
        """Wake the delivery when the outbox holds due work. Opens the outbox only: no warehouse
        and no source system, since a tick has 60 seconds."""
        due = installation.store.due_fingerprint(
            installation.clock.now(), installation.writable_systems
        )
        if due is None:
            return dg.SkipReason("nothing is due")
        # The key changes with every attempt: a failed run must not block its successor for ever.
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=due)])

    return corrections_due


def build_sweep_schedule(on: bool) -> dg.ScheduleDefinition:
    """The sensor's question on a timer, for a tick that was lost."""

    @dg.schedule(
        job=delivery_job,
        cron_schedule="*/5 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
    def sweep_corrections(
        context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.RunRequest | dg.SkipReason:
        if (
            installation.store.due_count(installation.clock.now(), installation.writable_systems)
            == 0
        ):
            return dg.SkipReason("nothing is due")
        return dg.RunRequest()

    return sweep_corrections
