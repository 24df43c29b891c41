"""What dbt compiled, run again without dbt: its own work on 60 nodes costs more than their SQL.

Only for many warehouses of one configuration (``tallyman evaluate``): dbt makes every relation
once; then each table is filled anew by the very statement that dbt compiled for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingestion.warehouse import warehouse
from orchestration.dbt_build import build_everything
from registry.settings import Settings

_FOR_A_SHORT_LIFE = (
    "set force_compression = 'uncompressed'",
    "set disabled_optimizers = 'statistics_propagation,compressed_materialization'",
)
"""A warehouse of minutes and few rows is not worth compressing, and its plans are made as often as
they run: these two optimizers cost more than they save. They change no result."""


@dataclass(frozen=True)
class Statement:
    """One table's or test's compiled query. ``relation`` is empty for a test, which fails when its
    query has a row."""

    unique_id: str
    relation: str
    query: str


def compile_models(settings: Settings) -> list[Statement]:
    """Build everything once by dbt, in the order of execution. Raises BuildError."""
    with warehouse(settings, "dbt"):
        runs = build_everything(settings)
    return statements_of(runs)


def statements_of(runs: Sequence[Any]) -> list[Statement]:
    """The tables and tests among dbt's results, in their order."""
    statements = []
    for run in runs:
        node = run.node
        is_table = node.resource_type == "model" and node.config.materialized == "table"
        is_test = node.resource_type == "test" and node.config.severity.lower() == "error"
        if is_table or is_test:
            relation = node.relation_name if is_table else ""
            statements.append(Statement(node.unique_id, relation, node.compiled_code))
    return statements


def run_compiled(settings: Settings, statements: list[Statement]) -> list[str]:
    """Fill all tables and make all tests; returns the tests that failed."""
    failed = []
    with warehouse(settings, "models") as connection:
        for setting in _FOR_A_SHORT_LIFE:
            connection.execute(setting)
        # One transaction: so much at once goes straight into the file, not through the log as well.
        connection.begin()
        for statement in statements:
            if statement.relation:
                fill(connection, statement)
            elif connection.execute(f"select 1 from ({statement.query}) limit 1").fetchone():
                failed.append(statement.unique_id)
        connection.commit()
    return failed


def fill(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    """Fill one table anew."""
    # Not created again: the types are those that dbt gave it by the model's contract.
    connection.execute(f"truncate {statement.relation}")
    connection.execute(f"insert into {statement.relation} by name ({statement.query})")


def keep(statements: list[Statement], path: Path) -> None:
    """Write statements for ``kept``."""
    path.write_text(json.dumps([asdict(one) for one in statements]), encoding="utf-8")


def kept(path: Path) -> list[Statement]:
    """Statements that ``keep`` wrote."""
    return [Statement(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
