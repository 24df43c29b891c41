"""Suites built from the contracts: does the newest extraction of a feed hold what was promised?

Ingestion puts rows that break a contract into quarantine, so a failure of a blocking check here
means that the landing itself can't be trusted. Codes and patterns that the contract does not know
are kept by ingestion and reported here as warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import duckdb

from expectations.checks import ALL_SYSTEMS, Batch, Between, Check, InSet, NoRows, NotNull, Suite
from expectations.checks import quoted as literal
from registry.contracts import SYSTEM_COLUMNS, Column, Contract, contracts_of
from registry.systems import Registry

# Our own corrections and decisions, loaded back like a source. Every correction relies on them.
OWN_SYSTEM = "tallyman"

# How DuckDB's catalogue spells the types that a contract names.
CATALOGUE_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


@dataclass(frozen=True)
class Newest:
    """The newest extraction of one feed, how many records of it landed, and how many did not
    because they had landed just so."""

    extraction_id: str
    records: int
    unchanged: int = 0


NOTHING_YET = Newest("", 0)


def newest_extractions(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, str], Newest]:
    """The newest extraction by system and entity. Raises duckdb.Error."""
    # Asked once: a check that looks for it itself plans the log of all systems anew.
    rows = connection.execute(
        """
        with newest as (
            select
                system,
                entity,
                arg_max(
                    struct_pack(
                        extraction_id,
                        records := coalesce(records, 0),
                        unchanged := coalesce(unchanged, 0)
                    ),
                    load_order
                ) as extraction
            from landing.extractions
            group by system, entity
        )
        select system, entity, unnest(extraction) from newest
        """
    ).fetchall()
    return {(system, entity): Newest(*extraction) for system, entity, *extraction in rows}


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


def contract_checks(
    registry: Registry, newest: Mapping[tuple[str, str], Newest]
) -> Iterator[Check]:
    """The checks of all feeds. Rows judged: those of ``newest``, not the whole history; of a feed
    of which only changes land, each record as it landed last."""
    read = list(feeds(registry))
    shapes = _shapes({contract.name: contract for _, contract in read}.values())
    for system, contract in read:
        extraction = newest.get((system, contract.entity), NOTHING_YET)
        yield from _feed_checks(system, contract, extraction, shapes)


def _feed_checks(system: str, contract: Contract, newest: Newest, shapes: Batch) -> Iterator[Check]:
    suite = suite_of(system, contract).check_name
    table = f"landing.{contract.name}"
    systems = (ALL_SYSTEMS,) if system == OWN_SYSTEM else (system,)
    source = f"contract {contract.connector}/{contract.entity}"
    told = Batch(
        name=suite,
        query=f"select * from {table} where _system = {literal(system)} "
        f"and _extraction_id = {literal(newest.extraction_id)}",
        keys=("_record_id",),
    )
    lands_changes = contract.changes_only or newest.unchanged > 0
    batch = _held(suite, table, system, contract) if lands_changes else told
    yield Check(
        suite=suite,
        name="shape",
        batch=shapes,
        table=table,
        expectation=NoRows(
            f"select * from judged where table_name = {literal(contract.name)}", among_judged=True
        ),
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
        batch=told,
        table=table,
        expectation=_as_many_as_read(newest),
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


def _held(suite: str, table: str, system: str, contract: Contract) -> Batch:
    """The records as they landed last. Of what lands changes only, the newest extraction has
    nothing of a record that stays as bad as it was."""
    return Batch(
        name=f"{suite}__held",
        query=f"select landed.* from {table} as landed "
        "inner join landing.extractions as log "
        "on log.system = landed._system and log.extraction_id = landed._extraction_id "
        f"and log.entity = {literal(contract.entity)} "
        f"where landed._system = {literal(system)} "
        "qualify row_number() over (partition by landed._record_id "
        "order by log.load_order desc, landed._sequence desc) = 1",
        keys=("_record_id",),
    )


def _as_many_as_read(newest: Newest) -> NoRows:
    if not newest.records:
        return NoRows("select * from judged", among_judged=True)
    # A crash may land a row twice, which loses nothing: hence distinct.
    return NoRows(
        f"select {literal(newest.extraction_id)} as extraction_id, {newest.records} as records, "
        "count(distinct _sequence) as rows from judged "
        f"having count(distinct _sequence) <> {newest.records}"
    )


def _shapes(contracts: Iterable[Contract]) -> Batch:
    """The columns that a landing view lacks, or has with another type: none, when all is well."""
    promised = ", ".join(
        f"({literal(contract.name)}, {literal(name)}, {literal(CATALOGUE_TYPES.get(kind, kind))})"
        for contract in contracts
        for name, kind in {**_promised_columns(contract), **SYSTEM_COLUMNS}.items()
    )
    return Batch(
        name="landing_shapes",
        query="select promised.*, landed.data_type as landed_type "
        f"from (values {promised}) as promised (table_name, column_name, data_type) "
        "left join duckdb_columns() as landed "
        "on landed.database_name = current_database() and landed.schema_name = 'landing' "
        "and landed.table_name = promised.table_name "
        "and landed.column_name = promised.column_name "
        "where landed.data_type is distinct from promised.data_type",
        keys=("column_name",),
    )


def _promised_columns(contract: Contract) -> dict[str, str]:
    return {column.name: column.duckdb_type for column in contract.columns}
