"""Great Expectations itself: checks in, one verdict a check out. The only importer of the library.

Importing it takes seconds, so it is imported when the first gate runs (or ahead, by ``warm_up``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from expectations.checks import Batch, Between, Check, InSet, NotNull

Outcome = Literal["passed", "failed", "crashed"]

_import_lock = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """``crashed``: the check could not be made, which says nothing about the data."""

    outcome: Outcome
    error: str = ""


def warm_up() -> None:
    """Import the library, for a thread that runs beside other work."""
    _library()


def _library() -> Any:
    with _import_lock:
        import great_expectations

        # It tells of every metric that it computes.
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        return great_expectations


def evaluate(connection: duckdb.DuckDBPyConnection, checks: Iterable[Check]) -> dict[str, Verdict]:
    """One checkpoint run over all checks, pushed down into DuckDB; verdicts by check identity.

    A check that has no result is crashed. Raises what the library raises when the run as a whole
    is impossible.
    """
    checks = list(checks)
    if not checks:
        return {}
    gx = _library()
    from expectations.dialect import lent

    # Ephemeral: nothing is written to disk, nothing is read from a project folder.
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    with lent(connection) as url:
        source = context.data_sources.add_sql(
            "warehouse", connection_string=url, create_temp_table=False
        )
        try:
            definitions = [
                _validation(gx, context, source, batch, members)
                for batch, members in by_batch(checks).items()
            ]
            checkpoint = context.checkpoints.add(
                gx.Checkpoint(
                    name="gate",
                    validation_definitions=definitions,
                    # Samples cost one more query for each check, passed or not: they are taken
                    # afterwards, for the failed ones only.
                    result_format="BOOLEAN_ONLY",
                )
            )
            outcome = checkpoint.run()
        finally:
            source.get_engine().dispose()
    verdicts = {check.identity: Verdict("crashed", "the check has no result") for check in checks}
    for validation in outcome.run_results.values():
        for result in validation.results:
            verdicts[result.expectation_config.meta["check"]] = _verdict(result)
    return verdicts


def by_batch(checks: Iterable[Check]) -> dict[Batch, list[Check]]:
    """The checks of each batch, in their order."""
    batches: dict[Batch, list[Check]] = {}
    for check in checks:
        batches.setdefault(check.batch, []).append(check)
    return batches


def _validation(gx: Any, context: Any, source: Any, batch: Batch, checks: list[Check]) -> Any:
    asset = source.add_query_asset(name=batch.name, query=batch.query)
    suite = context.suites.add(
        gx.ExpectationSuite(name=batch.name, expectations=[_expectation(gx, c) for c in checks])
    )
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=batch.name,
            data=asset.add_batch_definition_whole_table("newest"),
            suite=suite,
        )
    )


def _expectation(gx: Any, check: Check) -> Any:
    wanted = check.expectation
    meta = {"check": check.identity}
    kinds = gx.expectations
    if isinstance(wanted, NotNull):
        return kinds.ExpectColumnValuesToNotBeNull(column=wanted.column, meta=meta)
    if isinstance(wanted, InSet):
        return kinds.ExpectColumnValuesToBeInSet(
            column=wanted.column, value_set=list(wanted.values), meta=meta
        )
    if isinstance(wanted, Between):
        return kinds.ExpectColumnValuesToBeBetween(
            column=wanted.column, min_value=wanted.minimum, max_value=wanted.maximum, meta=meta
        )
    # The library replaces {batch}, with an alias or without; any other brace is the query's own.
    query = wanted.query.replace("{", "{{").replace("}", "}}")
    return kinds.UnexpectedRowsExpectation(
        unexpected_rows_query=f"with judged as (select * from {{batch}}) {query}", meta=meta
    )


def _verdict(result: Any) -> Verdict:
    """Failed and crashed both report ``success=False``; only the exceptions tell them apart."""
    errors = _errors(result.exception_info)
    if errors:
        return Verdict("crashed", errors[0])
    return Verdict("passed" if result.success else "failed")


def _errors(information: Mapping[str, Any] | None) -> list[str]:
    """The messages of one exception, or of one exception for each metric: both shapes occur."""
    if not information:
        return []
    nested = [value for value in information.values() if isinstance(value, Mapping)]
    return [
        " ".join(str(entry.get("exception_message") or "unknown error").split())[:500]
        for entry in ([information] if "raised_exception" in information else nested)
        if entry.get("raised_exception")
    ]
