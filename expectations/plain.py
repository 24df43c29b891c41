"""The same checks without Great Expectations: each one's own query for the rows that break it.

For thousands of gates in a row; tests/expectations shows that both give the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import duckdb

from expectations.checks import Batch, Check, NoRows
from expectations.engine import Verdict


def evaluate(connection: duckdb.DuckDBPyConnection, checks: Iterable[Check]) -> dict[str, Verdict]:
    """Verdicts by check identity, as ``engine.evaluate`` gives them. Never raises."""
    verdicts: dict[str, Verdict] = {}
    for batch, members in groupby(checks, lambda check: check.batch):
        apart: list[Check] = []
        together: list[Check] = []
        for check in members:
            (apart if isinstance(check.expectation, NoRows) else together).append(check)
        verdicts.update(_at_once(connection, batch, together))
        verdicts.update((check.identity, _verdict(connection, check)) for check in apart)
    return verdicts


def _at_once(
    connection: duckdb.DuckDBPyConnection, batch: Batch, checks: Sequence[Check]
) -> Iterator[tuple[str, Verdict]]:
    """What can be told row by row, in one look at the rows."""
    if not checks:
        return
    found = [
        f"bool_or({check.expectation.offending()})"
        for check in checks
        if not isinstance(check.expectation, NoRows)
    ]
    try:
        broken = connection.execute(
            f"with judged as ({batch.query}) select {', '.join(found)} from judged"
        ).fetchall()[0]
    except duckdb.Error:  # which of them it was, each tells for itself
        yield from ((check.identity, _verdict(connection, check)) for check in checks)
        return
    for check, is_broken in zip(checks, broken, strict=True):
        yield check.identity, Verdict("failed" if is_broken else "passed")


def _verdict(connection: duckdb.DuckDBPyConnection, check: Check) -> Verdict:
    try:
        row = connection.execute(f"select 1 from ({check.offending_rows()}) limit 1").fetchone()
    except duckdb.Error as error:
        return Verdict("crashed", " ".join(str(error).split())[:500])
    return Verdict("failed" if row else "passed")
