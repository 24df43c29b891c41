"""Suites built from the contracts: does the newest extraction of a feed hold what was promised?

Ingestion puts rows that break a contract into quarantine, so a failure of a blocking check here
means that the landing itself can't be trusted. Codes and patterns that the contract does not know
are kept by ingestion and reported here as warnings.
"""

from __future__ import annotations

from collections.abc import Iterator

from expectations.checks import ALL_SYSTEMS, Batch, Between, Check, InSet, NoRows, NotNull, Suite
from expectations.checks import quoted as literal
from registry.contracts import SYSTEM_COLUMNS, Column, Contract, contracts_of
from registry.systems import Registry

# Our own corrections and decisions, loaded back like a source. Every correction relies on them.
OWN_SYSTEM = "tallyman"

# How DuckDB's catalogue spells the types that a contract names.
CATALOGUE_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}

SHAPES = Batch(
    name="landing_columns",
    query="select table_name, column_name, data_type from duckdb_columns() "
    "where schema_name = 'landing' and database_name = current_database()",
    keys=("column_name",),
)

# One batch for all feeds: most told nothing in a later pass, and then need none of their own.
LANDINGS = Batch(
    name="landing_extractions",
    query="select * from landing.extractions",
    keys=("system", "entity", "extraction_id"),
)


def feeds(registry: Registry) -> Iterator[tuple[str, Contract]]:
    """Every (system, contract) that is read: the configured systems, and our own records."""
    own_contracts = registry.folder / "contracts"
    configured = {system.name for system in registry.systems}
    for system in registry.systems:
        for entity, contract in contracts_of(system.connector, own_contracts).items():
            wanted = not system.entities or entity in system.entities
            if wanted and contract.is_told_by(system.role):
                yield system.name, contract
    if OWN_SYSTEM not in configured:
        for contract in contracts_of(OWN_SYSTEM, own_contracts).values():
            yield OWN_SYSTEM, contract


def suite_of(system: str, contract: Contract) -> Suite:
    return Suite(
        check_name=f"contract__{system}__{contract.entity}",
        description=f"{contract.title} of '{system}': the newest extraction holds what contract "
        f"{contract.connector}/{contract.entity} {contract.version} promises.",
    )


def contract_checks(system: str, contract: Contract) -> Iterator[Check]:
    """The checks of one feed. Rows judged: its newest extraction's, not the whole history."""
    suite = suite_of(system, contract).check_name
    table = f"landing.{contract.name}"
    systems = (ALL_SYSTEMS,) if system == OWN_SYSTEM else (system,)
    source = f"contract {contract.connector}/{contract.entity}"
    batch = Batch(
        name=suite,
        query=f"select * from {table} where _system = {literal(system)} "
        f"and _extraction_id = ({_newest_extraction(system, contract.entity)})",
        keys=("_record_id",),
    )
    # A crash may land a row twice, which loses nothing: hence distinct.
    landed = f"select count(distinct _sequence) from ({batch.query})"
    yield Check(
        suite=suite,
        name="shape",
        batch=SHAPES,
        table=table,
        expectation=NoRows(_shape_query(contract)),
        severity="blocking",
        systems=systems,
        remedy=f"The landing view misses a promised column or has another type: compare it with "
        f"{source}, and refresh the views by loading again.",
    )
    yield Check(
        suite=suite,
        name="one_record_one_identity",
        batch=batch,
        table=table,
        expectation=NotNull("_record_id"),
        severity="blocking",
        systems=systems,
        remedy=f"A row has no identity: see recordIdColumns of {source}.",
    )
    yield Check(
        suite=suite,
        name="every_record_landed",
        batch=LANDINGS,
        table=table,
        expectation=NoRows(
            f"select extraction_id, records, rows from (select *, ({landed}) as rows from judged "
            f"where system = {literal(system)} and entity = {literal(contract.entity)} "
            f"and extraction_id = ({_newest_extraction(system, contract.entity)})) "
            "where records <> rows"
        ),
        severity="blocking",
        systems=systems,
        remedy=f"Rows of '{contract.entity}' were read but did not land: load again, and look at "
        "the log of the load if it stays.",
    )
    if contract.snapshot:
        yield Check(
            suite=suite,
            name="record_told_once",
            batch=batch,
            table=table,
            expectation=NoRows(
                # A crash may land a row twice: equal content is no contradiction.
                "select _record_id from judged group by _record_id "
                "having count(distinct _content_hash) > 1",
                column="_record_id",
                among_judged=True,
            ),
            severity="blocking",
            systems=systems,
            remedy=f"One snapshot of '{system}' tells two balances for one record, most likely "
            "because rows moved between pages while it was read. The next extraction settles it; "
            "if not, order the source's pages by a stable key.",
        )
    for column in contract.columns:
        yield from _column_checks(suite, batch, table, systems, source, contract, column)


def _column_checks(
    suite: str,
    batch: Batch,
    table: str,
    systems: tuple[str, ...],
    source: str,
    contract: Contract,
    column: Column,
) -> Iterator[Check]:
    kept_out = "Ingestion should have put such rows into quarantine: load again, and if it stays"
    if column.required:
        yield Check(
            suite=suite,
            name=f"{column.name}_not_null",
            batch=batch,
            table=table,
            expectation=NotNull(column.name),
            severity="blocking",
            systems=systems,
            remedy=f"{kept_out}, make '{column.name}' optional in {source} or have it filled.",
        )
    if column.unique and contract.record_id_columns != (column.name,):
        yield Check(
            suite=suite,
            name=f"{column.name}_unique",
            batch=batch,
            table=table,
            expectation=NoRows(
                # The log holds versions: a value may return, but not under another record.
                f"select {column.name}, min(_record_id) as _record_id from judged "
                f"where {column.name} is not null group by {column.name} "
                "having count(distinct _record_id) > 1",
                column=column.name,
                among_judged=True,
            ),
            severity="blocking",
            systems=systems,
            remedy=f"Two records share one '{column.name}', which {source} calls unique: "
            "have the source's owner say which one is right.",
        )
    if column.minimum is not None or column.maximum is not None:
        yield Check(
            suite=suite,
            name=f"{column.name}_in_range",
            batch=batch,
            table=table,
            expectation=Between(column.name, column.minimum, column.maximum),
            severity="blocking",
            systems=systems,
            remedy=f"{kept_out}, correct the range of '{column.name}' in {source}.",
        )
    if column.valid_values:
        yield Check(
            suite=suite,
            name=f"{column.name}_known_code",
            batch=batch,
            table=table,
            expectation=InSet(column.name, column.valid_values),
            severity="warning",
            systems=systems,
            remedy=f"The source sends a code that {source} does not list. It is kept and counted "
            "as unmapped: map it in the status map, then add it to the contract.",
        )
    if column.pattern:
        yield Check(
            suite=suite,
            name=f"{column.name}_matches",
            batch=batch,
            table=table,
            expectation=NoRows(
                f"select * from judged where not regexp_matches({column.name}, "
                f"{literal(column.pattern)})",
                column=column.name,
                among_judged=True,
            ),
            severity="warning",
            systems=systems,
            remedy=f"The text does not look as {source} says: check the pattern with the source's "
            "owner.",
        )


def _newest_extraction(system: str, entity: str) -> str:
    return (
        "select max_by(extraction_id, started_at) from landing.extractions "
        f"where system = {literal(system)} and entity = {literal(entity)}"
    )


def _shape_query(contract: Contract) -> str:
    columns = {column.name: column.duckdb_type for column in contract.columns}
    promised = {**columns, **SYSTEM_COLUMNS}
    rows = ", ".join(
        f"({literal(name)}, {literal(CATALOGUE_TYPES.get(kind, kind))})"
        for name, kind in promised.items()
    )
    return (
        "select promised.column_name, promised.data_type, landed.data_type as landed_type "
        f"from (values {rows}) as promised (column_name, data_type) "
        "left join judged as landed on landed.column_name = promised.column_name "
        f"and landed.table_name = {literal(contract.name)} "
        "where landed.data_type is distinct from promised.data_type"
    )
