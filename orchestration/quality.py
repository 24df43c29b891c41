"""The quality gate: Great Expectations suites as checks, and the gate that corrections heed."""

from collections.abc import Iterable, Iterator

import dagster as dg

from expectations.gate import GateReport, run_gate, suite_names
from ingestion.warehouse import warehouse
from orchestration.installation import Installation
from orchestration.names import DATA_TEAM
from registry.systems import Registry

GATE_KEY = dg.AssetKey(["quality", "quality_gate"])


def await_judgement(installation: Installation, build_id: str) -> None:
    """For whoever begins a load or has built: no verdict from before counts any more, so that a
    pass that dies before its gate has spoken, wherever, stops corrections."""
    installation.store.open_gates(build_id, _systems(installation))


def judge(installation: Installation, build_id: str, plain: bool = False) -> GateReport:
    """Run the gate and keep a verdict for every system, also when it could not run: fail closed.

    One that closes counts at once. One that opens counts when the outbox is at this build: until
    then it holds what an earlier one proposed, which may have been wrong.

    ``plain``: without Great Expectations, as ``run_gate`` says.
    """
    store = installation.store
    try:
        with warehouse(installation.settings) as connection:
            report = run_gate(
                connection,
                installation.registry,
                build_id,
                plain=plain,
                now=installation.clock.now(),
            )
    except Exception as error:
        crashed = (None, f"the gate could not run: {error}")
        store.set_gates(build_id, dict.fromkeys(_systems(installation), crashed))
        raise
    store.set_gates(
        build_id,
        {
            name: (None if verdict.outcome == "crashed" else verdict.passed, verdict.reason)
            for name, verdict in report.systems.items()
        },
        not_taken_up=True,
    )
    return report


def _systems(installation: Installation) -> list[str]:
    return [system.name for system in installation.registry.systems]


def build_quality_gate(upstream: Iterable[dg.AssetKey], registry: Registry) -> dg.AssetsDefinition:
    suites = suite_names(registry)

    @dg.asset(
        key=GATE_KEY,
        deps=list(upstream),
        group_name="quality",
        owners=[DATA_TEAM],
        kinds={"greatexpectations"},
        check_specs=[
            dg.AssetCheckSpec(name=suite.check_name, asset=GATE_KEY, description=suite.description)
            for suite in suites
        ],
        description="Great Expectations over what each system said (contracts) and over the marts "
        "(invariants). A failed or crashed blocking suite stops corrections that rely on that "
        "system or aim at it, and nothing else.",
    )
    def quality_gate(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> Iterator[dg.MaterializeResult]:
        installation.progress("checking the data")
        report = judge(installation, context.run_id)
        for suite in report.suites:
            if not suite.passed:
                stops = "stops corrections" if suite.blocking else "stops nothing"
                installation.progress(f"{suite.check_name} {suite.outcome} ({stops}): see the log")
        yield dg.MaterializeResult(
            metadata={
                "suites": len(report.suites),
                "seconds": round(report.seconds, 2),
                "stopped systems": ", ".join(
                    name for name, verdict in report.systems.items() if not verdict.passed
                )
                or "none",
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=suite.check_name,
                    passed=suite.passed,
                    severity=dg.AssetCheckSeverity.ERROR
                    if suite.blocking
                    else dg.AssetCheckSeverity.WARN,
                    metadata={"outcome": suite.outcome, "reason": suite.reason or "-"},
                )
                for suite in report.suites
            ],
        )

    return quality_gate
