"""What is checked, as plain values: one Check is one expectation on one table. No library here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocking", "warning"]

# A failure of a check that concerns every system, whatever rows it finds.
ALL_SYSTEMS = "*"


def quoted(value: object) -> str:
    """A value as an SQL literal."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True)
class NotNull:
    column: str

    def offending(self) -> str:
        return f"{self.column} is null"


@dataclass(frozen=True)
class InSet:
    column: str
    values: tuple[str, ...]

    def offending(self) -> str:
        return f"{self.column} not in ({', '.join(map(quoted, self.values))})"


@dataclass(frozen=True)
class Between:
    """Both limits belong to the range; None: no limit on that side."""

    column: str
    minimum: float | None = None
    maximum: float | None = None

    def offending(self) -> str:
        limits = []
        if self.minimum is not None:
            limits.append(f"{self.column} < {quoted(self.minimum)}")
        if self.maximum is not None:
            limits.append(f"{self.column} > {quoted(self.maximum)}")
        return " or ".join(limits) or "false"


@dataclass(frozen=True)
class NoRows:
    """A query over the relation ``judged`` (the rows of the batch) that must find nothing.

    For what the library's own expectations can't say on DuckDB (its regex expectation is one) and
    for everything that needs more than one column. ``among_judged``: it looks for nothing but rows
    of the batch, so that an empty batch can't break it.
    """

    query: str
    column: str | None = None
    among_judged: bool = False


Expectation = NotNull | InSet | Between | NoRows


@dataclass(frozen=True)
class Batch:
    """The rows judged together: one relation or a query, and the columns that name a row of it."""

    name: str
    query: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """One expectation, what its failure means and what to do then.

    ``systems``: the systems whose corrections a failure stops: names, ALL_SYSTEMS, or (with
    ``system_columns``) those that the offending rows name in these columns.
    """

    suite: str
    name: str
    batch: Batch
    table: str
    expectation: Expectation
    severity: Severity
    remedy: str
    systems: tuple[str, ...] = (ALL_SYSTEMS,)
    system_columns: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        return f"{self.suite}.{self.name}"

    @property
    def column(self) -> str | None:
        return self.expectation.column

    def offending_rows(self) -> str:
        """A query for the rows that break the expectation (run only when it failed)."""
        if isinstance(self.expectation, NoRows):
            query = self.expectation.query
        else:
            query = f"select * from judged where {self.expectation.offending()}"
        return f"with judged as ({self.batch.query}) {query}"


@dataclass(frozen=True)
class Suite:
    """A group of checks that has one result: one check in Dagster's UI."""

    check_name: str
    description: str
