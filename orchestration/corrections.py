"""The outbox as an asset, its delivery as a job, and the sensor and sweep that wake the delivery.

The truth about what is due is the outbox, never the sensor: a lost tick costs latency, not
correctness, and a doubled one finds nothing to do.
"""

import logging
from datetime import timedelta
from enum import Enum

import dagster as dg
import duckdb
from pydantic import Field

from orchestration.dead_runs import end_dead_deliveries, is_at_work
from orchestration.decisions import LOOKS, ON_ONE, decide, decide_for_target, look, revert
from orchestration.delivery_lock import delivery_lock
from orchestration.installation import Installation
from orchestration.names import DECISION_JOB, DELIVERY_JOB, DELIVERY_TAG, OPERATIONS_TEAM, QUIET_RUN
from registry.errors import ConfigurationError
from reporting.publish import published_connection
from writeback.dispatch import DeliveryReport, DeliverySettings, deliver_due
from writeback.propose import EnqueueResult, enqueue
from writeback.verify import apply_proofs

OUTBOX_KEY = dg.AssetKey(["writeback", "correction_outbox"])
BATCH_LIMIT = 500
_log = logging.getLogger(__name__)


def _rows(connection: duckdb.DuckDBPyConnection, relation: str) -> list[dict]:
    cursor = connection.execute(f"select * from {relation}")
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def refresh_outbox(installation: Installation, build_id: str) -> EnqueueResult:
    """Prove what was accepted, then take up what the newest published build proposes, and with it
    the gate's verdict on ``build_id``."""
    store, clock = installation.store, installation.clock
    with published_connection(installation.settings) as connection:
        proofs = _rows(connection, "reconciliation.correction_proofs")
        proposals = _rows(connection, "reconciliation.correction_proposals")
    apply_proofs(store, proofs, clock)
    configured = [system.name for system in installation.registry.systems]
    policy = installation.registry.policy
    return enqueue(store, proposals, policy, clock, targets=configured, build=build_id)


def deliver(installation: Installation) -> DeliveryReport:
    """Send everything that is due now."""
    systems = installation.registry.systems
    lease_seconds = installation.registry.policy.lease_seconds
    targets, left_out = installation.targets()
    for name, why in left_out.items():
        _log.warning("no corrections are sent to '%s': %s", name, why)
    report = deliver_due(
        installation.store,
        targets,
        {s.name: installation.source(s) for s in systems},
        installation.registry.policy,
        installation.clock,
        installation.rng,
        BATCH_LIMIT,
        DeliverySettings(
            lease=timedelta(seconds=lease_seconds), send_margin=timedelta(seconds=lease_seconds / 3)
        ),
    )
    report.left_out.update(left_out)
    return report


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
        context: dg.AssetExecutionContext,
        installation: dg.ResourceParam[Installation],
    ) -> dg.MaterializeResult:
        installation.progress("proving and proposing corrections")
        result = refresh_outbox(installation, context.run_id)
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
    with delivery_lock(installation.settings, context.run_id):
        report = deliver(installation)
    context.add_output_metadata(report.as_dict())


@dg.job(name=DELIVERY_JOB, tags=DELIVERY_TAG, config=QUIET_RUN, executor_def=dg.in_process_executor)
def delivery_job() -> None:
    """Deliver what the outbox holds as due."""
    send_due_corrections()


class Action(Enum):
    """What the launchpad offers: to look, or one of the decisions of orchestration.decisions."""

    list = "list"
    show = "show"
    approve = "approve"
    reject = "reject"
    hold = "hold"
    retry = "retry"
    revert = "revert"
    replay = "replay"
    pause = "pause"
    resume = "resume"
    release_brake = "release_brake"


class Decision(dg.Config):
    """A decision as the launchpad asks for it."""

    action: Action = Field(
        default=Action.list,
        description="list or show corrections; approve, reject, hold, retry or revert those of "
        "`keys`; pause, resume or replay `target`, or every target; release_brake",
    )
    actor: str = Field(default="", description="Who decides. Not needed to look.")
    comment: str = Field(default="", description="Why.")
    keys: list[str] = Field(
        default_factory=list,
        description="Keys of corrections, or enough of them; KEY@HASH, as `show` tells it, to "
        "approve only what you saw",
    )
    target: str = Field(default="", description="A system; empty: all of them.")
    state: str = Field(default="awaiting_approval", description="What to list; empty: everything.")


@dg.op(
    description="Look at corrections, or take a decision: about corrections by their keys, or about"
    " a target, or all when none is named. What came of it is in the metadata of the output."
)
def take_decision(
    context: dg.OpExecutionContext, config: Decision, installation: dg.ResourceParam[Installation]
) -> None:
    store, actor, comment = installation.store, config.actor, config.comment
    action, registry = config.action.value, installation.registry
    if action in (*ON_ONE, "show") and not config.keys:
        raise ConfigurationError(f"'{action}' needs the keys of corrections")
    if action in LOOKS:
        told = look(store, config.keys if action == "show" else [], config.state)
    elif action not in ON_ONE:
        told = decide_for_target(store, registry, action, config.target or None, actor, comment)
    elif action == "revert":
        told = "\n".join(revert(installation, key, actor, comment) for key in config.keys)
    else:
        told = "\n".join(decide(store, action, key, actor, comment) for key in config.keys)
    context.log.info(told)
    context.add_output_metadata({"told": dg.MetadataValue.md(f"```\n{told}\n```")})


@dg.job(name=DECISION_JOB, executor_def=dg.in_process_executor)
def decision_job() -> None:
    """A person's decision about corrections, for those who work in the UI."""
    take_decision()


_DELIVERS = dg.SkipReason("a delivery is at work; what it leaves wakes the next one")


def _is_delivering(instance: dg.DagsterInstance, installation: Installation) -> bool:
    end_dead_deliveries(instance, installation.settings)
    return is_at_work(instance, DELIVERY_JOB)


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
        if _is_delivering(context.instance, installation):
            return _DELIVERS
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
        store, now = installation.store, installation.clock.now()
        if store.waking_count(now, installation.writable_systems) == 0:
            return dg.SkipReason("nothing is due")
        if _is_delivering(context.instance, installation):
            return _DELIVERS
        return dg.RunRequest()

    return sweep_corrections
