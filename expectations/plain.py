"""The same checks without Great Expectations: each one's own query for the rows that break it.

For thousands of gates in a row; tests/expectations shows that both give the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from expectations.checks import Batch, Check, NoRows
from expectations.engine import Verdict, by_batch


def evaluate(connection: duckdb.DuckDBPyConnection, checks: Iterable[Check]) -> dict[str, Verdict]:
    """Verdicts by check identity, as ``engine.evaluate`` gives them. Never raises."""
    verdicts: dict[str, Verdict] = {}
    for batch, members in by_batch(checks).items():
        verdicts.update(_at_once(connection, batch, members))
        verdicts.update(
            (check.identity, _verdict(connection, check))
            for check in members
            if check.identity not in verdicts
        )
    return verdicts


def _at_once(
    connection: duckdb.DuckDBPyConnection, batch: Batch, checks: Sequence[Check]
) -> dict[str, Verdict]:
    """What can be told row by row, in one look at the rows; nothing when one of them can't be."""
    broken_by = {
        check.identity: check.expectation.offending()
        for check in checks
        if not isinstance(check.expectation, NoRows)
    }
    if not broken_by:
        return {}
    found = ", ".join(f"bool_or({rows})" for rows in broken_by.values())
    try:
        answers = connection.execute(
            f"with judged as ({batch.query}) select {found} from judged"
        ).fetchall()[0]
    except duckdb.Error:  # which of them it was, each tells for itself
        return {}
    return {
        identity: Verdict("failed" if is_broken else "passed")
        for identity, is_broken in zip(broken_by, answers, strict=True)
    }


def _verdict(connection: duckdb.DuckDBPyConnection, check: Check) -> Verdict:
    try:
        row = connection.execute(f"select 1 from ({check.offending_rows()}) limit 1").fetchone()
    except duckdb.Error as error:
        return Verdict("crashed", " ".join(str(error).split())[:500])
    return Verdict("failed" if row else "passed")
