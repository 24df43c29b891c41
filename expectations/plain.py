"""The same checks without Great Expectations: each one's own query for the rows that break it.

For thousands of gates in a row; tests/expectations shows that both give the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from expectations.checks import Check
from expectations.engine import Verdict


def evaluate(connection: duckdb.DuckDBPyConnection, checks: Iterable[Check]) -> dict[str, Verdict]:
    """Verdicts by check identity, as ``engine.evaluate`` gives them. Never raises."""
    return {check.identity: _verdict(connection, check) for check in checks}


def _verdict(connection: duckdb.DuckDBPyConnection, check: Check) -> Verdict:
    try:
        row = connection.execute(f"select 1 from ({check.offending_rows()}) limit 1").fetchone()
    except duckdb.Error as error:
        return Verdict("crashed", " ".join(str(error).split())[:500])
    return Verdict("failed" if row else "passed")
