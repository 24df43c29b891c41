"""Reads invariants.yaml: what must hold in the warehouse whatever the systems say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from expectations.checks import (
    ALL_SYSTEMS,
    Batch,
    Between,
    Check,
    Expectation,
    InSet,
    NoRows,
    NotNull,
    Severity,
    Suite,
)
from registry.errors import ConfigurationError

INVARIANTS_FILE = Path(__file__).with_name("invariants.yaml")


class _Check(BaseModel):
    """One entry under ``checks``: exactly one of not_null, in_set, between and no_rows is set."""

    model_config = ConfigDict(extra="forbid")

    name: str
    severity: Severity
    remedy: str
    not_null: str | None = None
    in_set: dict[str, list[str]] | None = None
    between: dict[str, Any] | None = None
    no_rows: str | None = None
    systems: list[str] = []

    def expectation(self, now: datetime) -> Expectation:
        kinds = (self.not_null, self.in_set, self.between, self.no_rows)
        if sum(kind is not None for kind in kinds) != 1:
            raise ConfigurationError(
                f"{INVARIANTS_FILE.name}: check '{self.name}' must have exactly one of "
                "not_null, in_set, between and no_rows"
            )
        if self.not_null is not None:
            return NotNull(self.not_null)
        if self.in_set is not None:
            ((column, values),) = self.in_set.items()
            return InSet(column, tuple(values))
        if self.between is not None:
            return Between(**self.between)
        present = f"to_timestamp({now.timestamp()})"
        return NoRows(str(self.no_rows).strip().replace("{now}", present))


class _Table(BaseModel):
    """One table and what must hold in it. ``keys`` name a row to people."""

    model_config = ConfigDict(extra="forbid")

    suite: str
    description: str
    table: str
    keys: list[str]
    checks: list[_Check]


@lru_cache
def _tables() -> tuple[_Table, ...]:
    content = yaml.safe_load(INVARIANTS_FILE.read_text(encoding="utf-8"))
    try:
        return tuple(_Table(**entry) for entry in content)
    except ValidationError as error:
        raise ConfigurationError(f"{INVARIANTS_FILE.name} is wrong: {error}") from error


def invariant_suites() -> list[Suite]:
    return [
        Suite(check_name=f"invariants__{table.suite}", description=table.description)
        for table in _tables()
    ]


def invariant_checks(now: datetime) -> Iterator[Check]:
    """The checks of every table; a failure concerns the systems that the rows name, else all.

    ``now``: what ``{now}`` in a query stands for.
    """
    for table in _tables():
        batch = Batch(
            name=table.suite, query=f"select * from {table.table}", keys=tuple(table.keys)
        )
        for entry in table.checks:
            yield Check(
                suite=f"invariants__{table.suite}",
                name=entry.name,
                batch=batch,
                table=table.table,
                expectation=entry.expectation(now),
                severity=entry.severity,
                remedy=" ".join(entry.remedy.split()),
                systems=(ALL_SYSTEMS,),
                system_columns=tuple(entry.systems),
            )
