"""The gate: runs every suite once a build and says which systems corrections may rely on.

It fails closed: a check that could not be made stops what a failed one stops, and when the library
itself can't run, every system is stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import duckdb

from expectations.checks import ALL_SYSTEMS, Batch, Check, Expectation, NoRows, Severity, Suite
from expectations.contract_suites import contract_checks, feeds, newest_extractions, suite_of
from expectations.engine import Outcome, Verdict, evaluate, warm_up
from expectations.invariants import invariant_checks, invariant_suites
from expectations.plain import evaluate as plainly
from registry.systems import Registry

__all__ = [
    "Failure",
    "GateReport",
    "SuiteResult",
    "SystemVerdict",
    "run_gate",
    "suite_names",
    "warm_up",
]

log = logging.getLogger(__name__)

SAMPLE_SIZE = 5


@dataclass(frozen=True)
class Failure:
    """One check that failed or crashed.

    ``observed_count``: rows that break it, None when that can't be told. ``sample_keys``: at most
    SAMPLE_SIZE of them, named by their keys. ``systems``: the systems that it concerns.
    """

    suite: str
    expectation: str
    table: str
    column: str | None
    outcome: Outcome
    severity: Severity
    observed_count: int | None
    sample_keys: tuple[str, ...]
    remedy: str
    systems: tuple[str, ...]
    error: str = ""

    @property
    def stops(self) -> bool:
        """Whether corrections of its systems wait: a check that crashed may hide anything."""
        return self.severity == "blocking" or self.outcome == "crashed"

    def __str__(self) -> str:
        place = self.table + (f".{self.column}" if self.column else "")
        if self.outcome == "crashed":
            return f"{self.expectation} on {place} could not be checked: {self.error}"
        rows = "rows" if self.observed_count is None else f"{self.observed_count} row(s)"
        named = f" ({', '.join(self.sample_keys)})" if self.sample_keys else ""
        return f"{self.expectation} on {place}: {rows} break it{named}. {self.remedy}"


@dataclass(frozen=True)
class SuiteResult:
    """``passed`` is false for warnings too; ``blocking`` tells whether a failure stops anything."""

    check_name: str
    outcome: Outcome
    blocking: bool
    checks: int
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def reason(self) -> str:
        return "; ".join(str(failure) for failure in self.failures)


@dataclass(frozen=True)
class SystemVerdict:
    """Whether corrections may rely on a system or aim at it, and if not, why."""

    outcome: Outcome
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def reason(self) -> str:
        return "; ".join(str(failure) for failure in self.failures)


@dataclass(frozen=True)
class GateReport:
    """Results by system and by suite of one build; ``seconds`` without the library's import."""

    build_id: str
    systems: Mapping[str, SystemVerdict]
    suites: tuple[SuiteResult, ...]
    seconds: float
    checks: int = field(default=0)

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.systems.values())

    @property
    def failures(self) -> tuple[Failure, ...]:
        return tuple(failure for suite in self.suites for failure in suite.failures)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a log or a file."""
        return asdict(self)


def suite_names(registry: Registry) -> list[Suite]:
    """Every suite that ``run_gate`` reports for this registry, in its order."""
    return [
        *(suite_of(system, contract) for system, contract in feeds(registry)),
        *invariant_suites(),
    ]


def all_checks(
    connection: duckdb.DuckDBPyConnection, registry: Registry, now: datetime
) -> tuple[list[Check], str]:
    """Every check of every suite, and why none of them can be made, else nothing."""
    newest, error = {}, ""
    try:
        newest = newest_extractions(connection)
    except duckdb.Error as reason:
        error = f"the log of loads can't be read: {reason}"
    return [*contract_checks(registry, newest), *invariant_checks(now)], error


def run_gate(
    connection: duckdb.DuckDBPyConnection,
    registry: Registry,
    build_id: str,
    checks: Sequence[Check] | None = None,
    plain: bool = False,
    now: datetime | None = None,
) -> GateReport:
    """Judge the warehouse behind ``connection``, which stays open and usable.

    Contract suites judge the newest extraction of each feed; invariants judge what was built from
    all of them. Never raises for what it finds: what could not be judged is reported as crashed.
    ``checks`` replaces the configured ones, for tests. ``plain`` asks the same questions without
    the library, for thousands of gates in a row. ``now``: the present by the clock that the
    extractions were timed with, else the machine's.
    """
    known_error = ""
    try:
        if not plain:
            warm_up()
    except Exception as error:
        known_error = f"Great Expectations can't be imported: {error}"
    started = monotonic()
    if checks is None:
        judged, unreadable = all_checks(connection, registry, now or datetime.now(UTC))
        known_error = known_error or unreadable
    else:
        judged = list(checks)
    names = [system.name for system in registry.systems]
    verdicts = _verdicts(connection, judged, known_error, plainly if plain else evaluate)
    failures = [
        _failure(connection, check, verdicts[check.identity], names)
        for check in judged
        if verdicts[check.identity].outcome != "passed"
    ]
    suites = [suite.check_name for suite in suite_names(registry)]
    if checks is not None:
        suites = list(dict.fromkeys(check.suite for check in judged))
    report = GateReport(
        build_id=build_id,
        systems={name: _system_verdict(name, failures) for name in names},
        suites=tuple(_suite_result(name, judged, failures) for name in suites),
        seconds=monotonic() - started,
        checks=len(judged),
    )
    for failure in failures:
        log.log(logging.ERROR if failure.stops else logging.WARNING, "%s", failure)
    return report


def _verdicts(
    connection: duckdb.DuckDBPyConnection,
    checks: Sequence[Check],
    known_error: str,
    judge: Callable[[duckdb.DuckDBPyConnection, Iterable[Check]], dict[str, Verdict]],
) -> dict[str, Verdict]:
    error = known_error
    if not error:
        try:
            empty = _empty_batches(connection, checks)
            # Work in proportion to what changed: where no row is, none can break a check of rows.
            spared = [c for c in checks if c.batch in empty and _judges_rows(c.expectation)]
            verdicts = {check.identity: Verdict("passed") for check in spared}
            rest = [check for check in checks if check.identity not in verdicts]
            return {**verdicts, **judge(connection, rest)}
        except Exception as reason:
            log.exception("the checkpoint could not run")
            error = f"the checkpoint could not run: {reason}"
    return {check.identity: Verdict("crashed", error) for check in checks}


def _judges_rows(expectation: Expectation) -> bool:
    return not isinstance(expectation, NoRows) or expectation.among_judged


def _empty_batches(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> set[Batch]:
    """Batches without a row, as most feeds of a later pass are. One that can't be read is not
    among them: the library is to say so."""
    empty = set()
    for batch in {check.batch for check in checks}:
        try:
            row = connection.execute(f"select 1 from ({batch.query}) limit 1").fetchone()
        except duckdb.Error:
            continue
        if row is None:
            empty.add(batch)
    return empty


def _failure(
    connection: duckdb.DuckDBPyConnection, check: Check, verdict: Verdict, names: Sequence[str]
) -> Failure:
    observed: int | None = None
    samples: tuple[str, ...] = ()
    systems = tuple(names) if ALL_SYSTEMS in check.systems else check.systems
    if verdict.outcome == "failed":
        try:
            observed, samples, named = _explain(connection, check)
            # Rows that name nobody we know concern everybody.
            if named and set(named) <= set(names):
                systems = named
        except duckdb.Error as error:
            # The verdict stands; that it can't be explained narrows nothing down.
            log.warning("no sample for %s: %s", check.identity, error)
    return Failure(
        suite=check.suite,
        expectation=check.name,
        table=check.table,
        column=check.column,
        outcome=verdict.outcome,
        severity=check.severity,
        observed_count=observed,
        sample_keys=samples,
        remedy=check.remedy,
        systems=systems,
        error=verdict.error,
    )


def _explain(
    connection: duckdb.DuckDBPyConnection, check: Check
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Count, sample keys and the systems named, of the rows that break a failed check."""
    cursor = connection.cursor()
    try:
        rows = f"({check.offending_rows()})"
        counted = cursor.execute(f"select count(*) from {rows}").fetchone()
        columns = [name for name, *_ in cursor.execute(f"describe select * from {rows}").fetchall()]
        keys = [key for key in check.batch.keys if key in columns] or columns[:1]
        sample = cursor.execute(
            f"select {', '.join(keys)} from {rows} order by all limit {SAMPLE_SIZE}"
        ).fetchall()
        named: set[str] = set()
        for column in check.system_columns:
            found = cursor.execute(f"select distinct {column} from {rows}").fetchall()
            named |= {str(value) for (value,) in found}
        return (
            int(counted[0]) if counted else 0,
            tuple("/".join(str(part) for part in row) for row in sample),
            tuple(sorted(named)),
        )
    finally:
        cursor.close()


def _suite_result(name: str, checks: Sequence[Check], failures: Sequence[Failure]) -> SuiteResult:
    own = tuple(failure for failure in failures if failure.suite == name)
    return SuiteResult(
        check_name=name,
        outcome=_outcome(own),
        blocking=any(failure.stops for failure in own),
        checks=sum(check.suite == name for check in checks),
        failures=own,
    )


def _system_verdict(name: str, failures: Sequence[Failure]) -> SystemVerdict:
    own = tuple(failure for failure in failures if failure.stops and name in failure.systems)
    return SystemVerdict(outcome=_outcome(own), failures=own)


def _outcome(failures: Sequence[Failure]) -> Outcome:
    if any(failure.outcome == "crashed" for failure in failures):
        return "crashed"
    return "failed" if failures else "passed"
