"""What the models read: the ``landing`` and ``config`` schemas, made from contracts and settings.

Every contract has a view, typed and empty as long as no system delivers it, so that the models
never ask which systems an installation has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.report import Extracted
from registry.contracts import SYSTEM_COLUMNS, Contract, arrow_schema, load_contracts
from registry.crash_points import crash_point
from registry.systems import OWN_SYSTEM, Registry, System

EXTRACTION_COLUMNS: Mapping[str, str] = {
    "system": "VARCHAR",
    "entity": "VARCHAR",
    "extraction_id": "VARCHAR",
    "run_id": "VARCHAR",
    "started_at": "TIMESTAMPTZ",
    "ended_at": "TIMESTAMPTZ",
    "complete": "BOOLEAN",
    "cursor_to": "VARCHAR",
    "records": "BIGINT",
    "unchanged": "BIGINT",
    "quarantined": "BIGINT",
    "clock_offset_seconds": "DOUBLE",
    "clock_uncertainty_seconds": "DOUBLE",
    "error_kind": "VARCHAR",
    "error_message": "VARCHAR",
    "notices": "VARCHAR",
    "swept": "BOOLEAN",
    "load_order": "BIGINT",
}

# Stands for a cursor that is the same as that of the row before. One of a folder with thousands of
# files is hundreds of kilobytes, and the log holds one for each entity and pass.
SAME_CURSOR = "="

# The order in which the extractions of one system landed. Which of them is newest must not hang on
# the clock: one that was ahead would stay newest until its time came.
LOAD_ORDER = "load_order"

QUARANTINE_COLUMNS: Mapping[str, str] = {
    "system": "VARCHAR",
    "entity": "VARCHAR",
    "record_id": "VARCHAR",
    "reference": "VARCHAR",
    "content_hash": "VARCHAR",
    "extraction_id": "VARCHAR",
    "quarantined_at": "TIMESTAMPTZ",
    "reason_code": "VARCHAR",
    "field": "VARCHAR",
    "reason": "VARCHAR",
    "raw": "VARCHAR",
    "container": "VARCHAR",
    # What it takes to judge the row again: ingestion/rejudge.py.
    "sequence": "BIGINT",
    "fields": "VARCHAR",
    "extracted_at": "TIMESTAMPTZ",
    "source_now": "TIMESTAMPTZ",
    "contract": "VARCHAR",
}

# The reason code of a row with a problem (connectors.base.Record) of its own.
REFUSED_BY_CONNECTOR = "refused_by_connector"

# Containers (connectors.base.Record) of which what earlier extractions told counts no more.
WITHDRAWN = "withdrawn_containers"
WITHDRAWN_COLUMNS: Mapping[str, str] = {
    "system": "VARCHAR",
    "entity": "VARCHAR",
    "container": "VARCHAR",
    "extraction_id": "VARCHAR",
    "withdrawn_at": "TIMESTAMPTZ",
}

# Records that a sweep did not find any more: table name and columns, one row for each sweep that
# missed one. What lands is less: a row when it is first missed, and one when it is there again.
MISSING = "missing_records"
MISSING_COLUMNS: Mapping[str, str] = {
    "system": "VARCHAR",
    "entity": "VARCHAR",
    "record_id": "VARCHAR",
    "extraction_id": "VARCHAR",
    "missed_at": "TIMESTAMPTZ",
}

IS_BACK = "is_back"
# Rows without IS_BACK are of sweeps that wrote down all that they missed.
MISSING_CHANGES: Mapping[str, str] = {**MISSING_COLUMNS, IS_BACK: "BOOLEAN"}

# Records that a sweep saw and nothing had told, and when they were sought: ingestion/unread.py.
UNREAD = "unread_records"
UNREAD_COLUMNS: Mapping[str, str] = {
    "system": "VARCHAR",
    "entity": "VARCHAR",
    "record_id": "VARCHAR",
    "extraction_id": "VARCHAR",
    "seen_at": "TIMESTAMPTZ",
    "is_sought": "BOOLEAN",
}


def quarantine_schema() -> pa.Schema:
    """Columns of quarantined rows, in landing order."""
    return arrow_schema(QUARANTINE_COLUMNS)


def raw_schema(system: str) -> str:
    """The schema that holds what one system told."""
    return f"raw_{system}"


def refresh_views(connection: duckdb.DuckDBPyConnection, registry: Registry) -> None:
    """Make or renew ``landing.*`` and ``config.*``; safe to repeat, needs no loaded system."""
    contracts = registry_contracts(registry)
    connection.execute("begin")
    try:
        connection.execute("create schema if not exists landing")
        connection.execute("create schema if not exists config")
        stored = _stored_columns(connection)
        for contract in contracts:
            _replace_view(connection, contract.name, contract_view_sql(contract, registry, stored))
        systems = [*(system.name for system in registry.systems), OWN_SYSTEM.name]
        for table, columns in (
            ("extractions", EXTRACTION_COLUMNS),
            ("quarantine", QUARANTINE_COLUMNS),
            (WITHDRAWN, WITHDRAWN_COLUMNS),
        ):
            sql = union_view_sql(table, columns, dict.fromkeys(systems), stored)
            _replace_view(connection, table, sql)
        _replace_view(connection, MISSING, missing_view_sql(dict.fromkeys(systems), stored))
        _write_config(connection, registry, contracts)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    crash_point("ingestion.after_views")


def registry_contracts(registry: Registry) -> tuple[Contract, ...]:
    """The built-in contracts and those that lie beside the systems file, in ``contracts/``."""
    return load_contracts(registry.folder / "contracts")


def contract_view_sql(
    contract: Contract, registry: Registry, stored: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> str:
    """The select behind one contract's view: all instances, finished loads only."""
    columns = {column.name: column.duckdb_type for column in contract.columns}
    systems = (*registry.systems, OWN_SYSTEM)
    instances = dict.fromkeys(system.name for system in systems if connector_is(system, contract))
    return union_view_sql(contract.entity, {**columns, **SYSTEM_COLUMNS}, instances, stored)


def connector_is(system: System, contract: Contract) -> bool:
    """Whether a system delivers this contract."""
    wanted = not system.entities or contract.entity in system.entities
    told = system.connector == contract.connector and contract.is_told_by(system.role)
    return wanted and told


def union_view_sql(
    table: str,
    columns: Mapping[str, str],
    systems: Iterable[str],
    stored: Mapping[str, Mapping[str, Mapping[str, str]]],
) -> str:
    """Union of one raw table over systems; a system that has not loaded it yet adds nothing.

    ``stored`` is schema -> table -> column -> DuckDB type, as the file has it now. A column that a
    table lacks, because the contract gained it after the last load, is null.
    """
    selects = []
    for system in systems:
        tables = stored.get(raw_schema(system), {})
        if table not in tables or "_dlt_loads" not in tables:
            continue
        present = tables[table]
        items = [
            f'{_load_order(present)} as "{name}"'
            if name == LOAD_ORDER
            else f'"{name}"'
            if present.get(name) == _catalogue_type(kind)
            # The text of an unexpected type may not fit: the view must still answer.
            else f'try_cast("{name}" as {kind}) as "{name}"'
            if name in present
            else f'cast(null as {kind}) as "{name}"'
            for name, kind in columns.items()
        ]
        schema = raw_schema(system)
        selects.append(
            f"select {', '.join(items)} from {schema}.{table} where {_is_finished(schema)}"
        )
    return " union all ".join(selects or [_no_rows_sql(columns)])


def _no_rows_sql(columns: Mapping[str, str]) -> str:
    items = [f'cast(null as {kind}) as "{name}"' for name, kind in columns.items()]
    return f"select {', '.join(items)} where false"


def missing_view_sql(
    systems: Iterable[str], stored: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> str:
    """All that each sweep missed, over systems; ``stored`` as for ``union_view_sql``."""
    selects = []
    for system in systems:
        tables = stored.get(raw_schema(system), {})
        if MISSING in tables and "_dlt_loads" in tables:
            log = tables.get("extractions", {})
            selects.append(_missing_sql(raw_schema(system), tables[MISSING], log))
    return " union all ".join(selects or [_no_rows_sql(MISSING_COLUMNS)])


def _missing_sql(schema: str, present: Container[str], log: Container[str]) -> str:
    """All that each sweep of one system missed. ``present``, ``log``: the columns of its tables.

    A record that is missed is missed by all sweeps from there on, until one has it back.
    """
    columns, finished = ", ".join(MISSING_COLUMNS), _is_finished(schema)
    if IS_BACK not in present:
        return f"select {columns} from {schema}.{MISSING} where {finished}"
    return f"""
        select {columns} from {schema}.{MISSING} where {IS_BACK} is null and {finished}
        union all
        select sweep.system, sweep.entity, change.record_id, sweep.extraction_id, sweep.ended_at
        from (
            select
                told.*,
                log.place,
                lead(log.place) over (
                    partition by told.entity, told.record_id order by log.place
                ) as until
            from (
                select entity, record_id, extraction_id, {IS_BACK}
                from {schema}.{MISSING}
                where {IS_BACK} is not null and {finished}
            ) as told
            inner join ({_sweeps_sql(schema, log)}) as log using (entity, extraction_id)
        ) as change
        inner join ({_sweeps_sql(schema, log)}) as sweep
            on
                change.entity = sweep.entity
                and change.place <= sweep.place
                and (change.until is null or sweep.place < change.until)
        where not change.{IS_BACK}
    """


def _sweeps_sql(schema: str, log: Container[str]) -> str:
    return f"""
        select system, entity, extraction_id, ended_at, {_load_order(log)} as place
        from {schema}.extractions
        where swept and {_is_finished(schema)}
    """


def misfits(
    connection: duckdb.DuckDBPyConnection, system: str, contracts: Mapping[str, Contract]
) -> dict[str, str]:
    """By entity, why its contract can't land: a column that the warehouse holds as another type.

    A column may be added; to change one takes a person, who says what becomes of what is there.
    """
    schema = raw_schema(system)
    found = {}
    for entity, contract in contracts.items():
        present = _columns_of(connection, schema, entity)
        others = [
            f"{column.name} as {column.duckdb_type}, where {schema}.{entity} has "
            f"{present[column.name]}"
            for column in contract.columns
            if present.get(column.name, _catalogue_type(column.duckdb_type))
            != _catalogue_type(column.duckdb_type)
        ]
        if others:
            found[entity] = (
                f"{entity} of {system} is not read: its contract has {'; '.join(others)}. Give the "
                f"contract its old type again, or the column a name of its own, or change what is "
                f"stored (docs/operations.md: a column gets another type)"
            )
    return found


def last_cursors(connection: duckdb.DuckDBPyConnection, system: str) -> dict[str, str | None]:
    """For each entity, where to go on: the cursor of its last extraction in a finished load.

    An extraction that failed has one only if its source keeps its place (connectors.base.Source).
    """
    schema = raw_schema(system)
    present = _columns_of(connection, schema, "extractions")
    if not present:
        return {}
    rows = connection.execute(
        f"""
        select entity, arg_max(coalesce(cursor_to, ''), {_load_order(present)})
        from {schema}.extractions
        where (complete or cursor_to is not null)
            and cursor_to is distinct from '{SAME_CURSOR}'
            and {_is_finished(schema)}
        group by entity
        """
    ).fetchall()
    return {entity: cursor or None for entity, cursor in rows}


def broken_off(connection: duckdb.DuckDBPyConnection, system: str) -> set[str]:
    """The entities whose last extraction in a finished load failed and kept no place."""
    schema = raw_schema(system)
    present = _columns_of(connection, schema, "extractions")
    if not present:
        return set()
    rows = connection.execute(
        f"""
        select entity
        from {schema}.extractions
        where {_is_finished(schema)}
        group by entity
        having arg_max(not complete and cursor_to is null, {_load_order(present)})
        """
    ).fetchall()
    return {row[0] for row in rows}


def last_sweeps(connection: duckdb.DuckDBPyConnection, system: str) -> dict[str, datetime]:
    """For each entity, when its last complete sweep of keys in a finished load began."""
    schema = raw_schema(system)
    if "swept" not in _columns_of(connection, schema, "extractions"):
        return {}
    rows = connection.execute(
        f"""
        select entity, max(started_at)
        from {schema}.extractions
        where swept
            and {_is_finished(schema)}
        group by entity
        """
    ).fetchall()
    return dict(rows)


def known_records(connection: duckdb.DuckDBPyConnection, system: str, entity: str) -> set[str]:
    """The ids of all records of an entity that finished loads hold, deleted ones too."""
    schema = raw_schema(system)
    if not _columns_of(connection, schema, entity):
        return set()
    rows = connection.execute(
        f"""
        select distinct _record_id
        from {schema}.{entity}
        where {_is_finished(schema)}
        """
    ).fetchall()
    return {row[0] for row in rows}


def missing_records(connection: duckdb.DuckDBPyConnection, system: str, entity: str) -> set[str]:
    """The ids of all records of an entity that its last complete sweep missed."""
    schema = raw_schema(system)
    log, present = (_columns_of(connection, schema, name) for name in ("extractions", MISSING))
    if "swept" not in log or not present:
        return set()
    rows = connection.execute(
        f"""
        select record_id
        from ({_missing_sql(schema, present, log)}) as missing
        where entity = $entity and extraction_id = (
            select arg_max(extraction_id, place)
            from ({_sweeps_sql(schema, log)}) as sweep
            where entity = $entity
        )
        """,
        {"entity": entity},
    ).fetchall()
    return {row[0] for row in rows}


def noted_missing(connection: duckdb.DuckDBPyConnection, system: str, entity: str) -> set[str]:
    """Those that need no further word to be missing in the next sweep, too."""
    schema = raw_schema(system)
    log, present = (_columns_of(connection, schema, name) for name in ("extractions", MISSING))
    if IS_BACK not in present:
        return set()
    rows = connection.execute(
        f"""
        select record_id
        from {schema}.{MISSING} as told
        inner join ({_sweeps_sql(schema, log)}) as log using (entity, extraction_id)
        where entity = $entity and {IS_BACK} is not null and told.{_is_finished(schema)}
        group by record_id
        having not arg_max({IS_BACK}, place)
        """,
        {"entity": entity},
    ).fetchall()
    return {row[0] for row in rows}


def records_unread(
    connection: duckdb.DuckDBPyConnection, system: str, settle_seconds: float
) -> dict[str, pa.Array]:
    """By entity, the ids of records that a sweep saw, that neither landed nor were refused though
    the entity was read to its end ``settle_seconds`` later, and that were never sought."""
    schema = raw_schema(system)
    if not _columns_of(connection, schema, UNREAD):
        return {}
    finished = _is_finished(schema)
    candidates = connection.execute(
        f"""
        with told as (
            select entity, record_id, min(seen_at) as seen_at
            from {schema}.{UNREAD}
            where {finished}
            group by entity, record_id
            having not bool_or(is_sought)
        ),
        readings as (
            select entity, max(started_at) as started_at
            from {schema}.extractions
            where complete and {finished}
            group by entity
        )
        select told.entity, list(told.record_id order by told.record_id) as record_ids
        from told
        inner join readings
            on
                told.entity = readings.entity
                and told.seen_at + to_seconds($settle_seconds) <= readings.started_at
        group by told.entity
        order by told.entity
        """,
        {"settle_seconds": settle_seconds},
    ).fetchall()
    unread = {
        entity: _not_read(connection, schema, entity, record_ids)
        for entity, record_ids in candidates
    }
    return {entity: record_ids for entity, record_ids in unread.items() if len(record_ids)}


def _not_read(
    connection: duckdb.DuckDBPyConnection, schema: str, entity: str, record_ids: Sequence[str]
) -> pa.Array:
    finished = _is_finished(schema)
    read = [
        f"select {column} as record_id from {schema}.{table} where {condition} and {finished}"
        for table, column, condition in (
            (entity, "_record_id", "true"),
            ("quarantine", "record_id", "entity = $entity"),
        )
        if _columns_of(connection, schema, table)
    ] or ["select null as record_id where false"]
    return (
        connection.execute(
            f"""
            select record_id
            from (select unnest($record_ids) as record_id, $entity as entity) as seen
            anti join ({" union all ".join(read)}) as read using (record_id)
            order by record_id
            """,
            {"record_ids": list(record_ids), "entity": entity},
        )
        .to_arrow_table()["record_id"]
        .combine_chunks()
    )


def last_versions(connection: duckdb.DuckDBPyConnection, system: str, entity: str) -> pa.Table:
    """``_record_id`` and ``_content_hash`` of the version of each record that landed last.

    Without records in doubt: refused, or missed by a sweep, since they landed last.
    """
    schema = raw_schema(system)
    if not _columns_of(connection, schema, entity):
        return arrow_schema({"_record_id": "VARCHAR", "_content_hash": "VARCHAR"}).empty_table()
    finished = _is_finished(schema)
    log = _columns_of(connection, schema, "extractions")
    load_order = _load_order(log)
    doubts = ["select null as entity, null as record_id, null as extraction_id where false"]
    told = "select entity, record_id, extraction_id from"
    if _columns_of(connection, schema, "quarantine"):
        doubts.append(f"{told} {schema}.quarantine where {finished}")
    if missing := _columns_of(connection, schema, MISSING):
        doubts.append(f"{told} ({_missing_sql(schema, missing, log)}) as missing")
    return connection.execute(
        f"""
        with log as (
            select extraction_id, {load_order} as load_order
            from {schema}.extractions
            where entity = $entity and {finished}
        ),
        landed as (
            select
                landed._record_id,
                arg_max(landed._content_hash, row(log.load_order, landed._sequence))
                    as _content_hash,
                max(log.load_order) as load_order
            from {schema}.{entity} as landed
            inner join log on landed._extraction_id = log.extraction_id
            where landed.{finished}
            group by landed._record_id
        ),
        doubted as (
            select doubts.record_id, max(log.load_order) as load_order
            from ({" union all ".join(doubts)}) as doubts
            inner join log on doubts.extraction_id = log.extraction_id
            where doubts.entity = $entity
            group by doubts.record_id
        )
        select landed._record_id, landed._content_hash
        from landed
        anti join doubted
            on
                landed._record_id = doubted.record_id
                and landed.load_order <= doubted.load_order
        """,
        {"entity": entity},
    ).to_arrow_table()


def next_load_order(connection: duckdb.DuckDBPyConnection, system: str) -> int:
    """The place in the log of the extraction that lands next."""
    schema = raw_schema(system)
    present = _columns_of(connection, schema, "extractions")
    if not present:
        return 0
    row = connection.execute(
        f"select coalesce(max({_load_order(present)}), -1) + 1 from {schema}.extractions"
    ).fetchone()
    return int(row[0]) if row else 0


def _is_finished(schema: str) -> str:
    """The condition that a row of a table of ``schema`` came in a load that was finished."""
    return f"_dlt_load_id in (select load_id from {schema}._dlt_loads where status = 0)"


def _load_order(present: Container[str]) -> str:
    """The load order of a row of the log, which has these columns. Rows that landed before it was
    noted have their place in the log, which is only ever added to."""
    return f"coalesce({LOAD_ORDER}, rowid)" if LOAD_ORDER in present else "rowid"


def landed_extractions(connection: duckdb.DuckDBPyConnection, system: str) -> set[str]:
    """The extraction ids of a system that finished loads hold."""
    schema = raw_schema(system)
    if not _columns_of(connection, schema, "extractions"):
        return set()
    rows = connection.execute(
        f"""
        select distinct extraction_id
        from {schema}.extractions
        where {_is_finished(schema)}
        """
    ).fetchall()
    return {row[0] for row in rows}


def unknown_start(connection: duckdb.DuckDBPyConnection, extracted: Extracted) -> str | None:
    """An entity of an extraction that went on from a cursor which no finished load has told.

    Then an older copy took the place of the warehouse since it was read: what lies between is not
    there, and would never be read again.
    """
    went_on = {one.entity: one.cursor_from for one in extracted.entities if one.cursor_from}
    if not went_on:
        return None
    schema = raw_schema(extracted.system)
    if not _columns_of(connection, schema, "extractions"):
        return next(iter(went_on))
    astray = connection.execute(
        f"""
        with went_on as (
            select unnest($entities) as entity, unnest($cursors) as cursor_to
        )
        select entity
        from went_on
        anti join (select * from {schema}.extractions where {_is_finished(schema)}) as told
            using (entity, cursor_to)
        order by entity
        limit 1
        """,
        {"entities": list(went_on), "cursors": list(went_on.values())},
    ).fetchone()
    return astray[0] if astray else None


def refused_entities(connection: duckdb.DuckDBPyConnection, system: str) -> set[str]:
    """The entities with rows in quarantine that hold what it takes to judge them again."""
    schema = raw_schema(system)
    if "fields" not in _columns_of(connection, schema, "quarantine"):
        return set()
    rows = connection.execute(
        f"select distinct entity from {schema}.quarantine where fields is not null"
    ).fetchall()
    return {row[0] for row in rows}


def refused_otherwise(
    connection: duckdb.DuckDBPyConnection, system: str, contract: Contract
) -> pa.Table:
    """The rows in quarantine that another version of their contract refused, in landing order.

    Without those that no contract can help: refused by the connector itself, or told anew by it
    when the contract changes (those of a container). The entity must be one of
    ``refused_entities``.
    """
    schema = raw_schema(system)
    landed = f"select _extraction_id, _sequence from {schema}.{contract.entity}"
    if not _columns_of(connection, schema, contract.entity):
        landed = "select null as _extraction_id, null as _sequence where false"
    finished = _is_finished(schema)
    return (
        connection.execute(
            f"""
        with refused as (
            select * from {schema}.quarantine where entity = $entity and {finished}
        )
        select {", ".join(f'refused."{name}"' for name in QUARANTINE_COLUMNS)}
        from refused
        anti join (select * from refused where contract = $contract) as judged
            on refused.extraction_id = judged.extraction_id and refused.sequence = judged.sequence
        anti join ({landed}) as landed
            on
                refused.extraction_id = landed._extraction_id
                and refused.sequence = landed._sequence
        where
            refused.fields is not null
            and refused.container is null
            and refused.reason_code <> '{REFUSED_BY_CONNECTOR}'
        qualify row_number() over (
            partition by refused.extraction_id, refused.sequence order by refused.quarantined_at
        ) = 1
        order by refused.extraction_id, refused.sequence
        """,
            {"entity": contract.entity, "contract": contract.fingerprint},
        )
        .to_arrow_table()
        .cast(quarantine_schema())
    )


def configuration_hash(registry: Registry, contracts: Sequence[Contract]) -> str:
    """Changes whenever a setting changes that the models' results depend on."""
    systems = [
        system.model_dump(
            include={
                "name",
                "role",
                "connector",
                "region",
                "legal_entity",
                "time_zone",
                "entities",
                "settle_seconds",
            },
            mode="json",
        )
        for system in registry.systems
    ]
    content = {
        "systems": systems,
        # No model looks at the calendar of the books: month end must not rebuild everything.
        "policy": registry.policy.model_dump(mode="json", exclude={"closed_periods"}),
        "rules": {rule: held.model_dump(mode="json") for rule, held in registry.rules.items()},
        "contracts": [asdict(contract) for contract in contracts],
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write_config(
    connection: duckdb.DuckDBPyConnection,
    registry: Registry,
    contracts: Sequence[Contract],
) -> None:
    _replace_table(
        connection,
        "config.systems",
        {
            "system": "VARCHAR",
            "role": "VARCHAR",
            "connector": "VARCHAR",
            "region": "VARCHAR",
            "legal_entity": "VARCHAR",
            "time_zone": "VARCHAR",
            "settle_seconds": "DOUBLE",
            "write_mode": "VARCHAR",
            "locations": "VARCHAR",
            "has_no": "VARCHAR",
        },
        [
            (
                s.name,
                s.role,
                s.connector,
                s.region,
                s.legal_entity,
                s.time_zone,
                s.settle_seconds,
                s.write_mode,
                "|".join(s.locations),
                "|".join(s.has_no),
            )
            for s in registry.systems
        ],
    )
    _replace_table(
        connection,
        "config.feeds",
        {"system": "VARCHAR", "entity": "VARCHAR", "settle_seconds": "DOUBLE"},
        [
            (system.name, contract.entity, system.settle_seconds)
            for system in registry.systems
            for contract in contracts
            if connector_is(system, contract)
        ],
    )
    _replace_table(
        connection,
        "config.rule_settings",
        {"rule_id": "VARCHAR", "grace_minutes": "BIGINT"},
        [(rule_id, held.grace_minutes) for rule_id, held in registry.rules.items()],
    )
    policy = registry.policy
    _replace_table(
        connection,
        "config.policy",
        {"approval_above": "DOUBLE", "approval_kinds": "VARCHAR", "config_hash": "VARCHAR"},
        [
            (
                policy.approval_above,
                ",".join(policy.approval_kinds),
                configuration_hash(registry, contracts),
            )
        ],
    )


def _replace_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    described = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {name} ({described})")
    if rows:
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"insert into {name} values ({marks})", rows)


def _replace_view(connection: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    connection.execute(f"create or replace view landing.{name} as {select}")


def _columns_of(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """The columns of a raw table with their types; none when there is no such table."""
    # Not asked of duckdb_columns(), which goes through every view and table of the warehouse, nor
    # by ``describe``, which takes a variable of Python that is called like a table for it.
    question = "select name, type from pragma_table_info($table)"
    try:
        rows = connection.execute(question, {"table": f"{schema}.{table}"}).fetchall()
        return dict(rows)
    except duckdb.CatalogException:
        return {}


def _stored_columns(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, dict[str, dict[str, str]]]:
    rows = connection.execute(
        """
        select schema_name, table_name, column_name, data_type
        from duckdb_columns()
        where database_name = current_database() and starts_with(schema_name, 'raw_')
        """
    ).fetchall()
    stored: dict[str, dict[str, dict[str, str]]] = {}
    for schema_name, table, column, kind in rows:
        stored.setdefault(schema_name, {}).setdefault(table, {})[column] = kind
    return stored


def _catalogue_type(kind: str) -> str:
    return "TIMESTAMP WITH TIME ZONE" if kind == "TIMESTAMPTZ" else kind
