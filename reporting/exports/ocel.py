"""OCEL 2.0: the published build as an object-centric event log, for process mining tools.

Format: https://www.ocel-standard.org/2.0/ocel20_specification.pdf (SQLite and JSON). An event is a
milestone as one system told it (``shipped (wms)``), the opening or closing of an exception, or the
proposal, acceptance or proof of a correction. Objects are orders, their lines, packages, documents,
items, parties, locations, exceptions and corrections.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import duckdb

from registry.errors import ConfigurationError

BATCH = 20_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of attributes that never change, by the specification."""

FORMATS = {".sqlite": "sqlite", ".sqlite3": "sqlite", ".json": "json"}

_OBJECTS = {
    "order": "select order_id as id, current_state, order_value, currency from marts.orders",
    "order_line": (
        "select order_line_id as id, current_state, ordered_quantity, unit_price, currency "
        "from marts.order_lifecycle"
    ),
    "package": (
        "select distinct object_id as id from core.order_events where object_type = 'package' "
        "and object_id is not null"
    ),
    "document": (
        "select system || ':' || own_document as id, system, "
        "any_value(entity) as entity from core.order_events where own_document is not null "
        "group by system, own_document"
    ),
    "item": (
        "select distinct item_id as id from (select item_id from marts.order_lifecycle union all "
        "select item_id from core.order_events) as items where item_id is not null"
    ),
    "party": (
        "select distinct party_id as id from (select party_id from marts.order_lifecycle union all "
        "select party_id from core.order_events) as parties where party_id is not null"
    ),
    "location": (
        "select distinct location_id as id from (select location_id from marts.order_lifecycle "
        "union all select location_id from core.order_events) as locations "
        "where location_id is not null"
    ),
    "exception": (
        "select exception_id as id, rule_id, title, severity, owner, status, value_at_risk, "
        "currency from marts.exceptions where status in ('open', 'closed')"
    ),
    "correction": (
        "select correction_key as id, rule_id, kind, target_system, state from marts.corrections"
    ),
}

_EVENTS = """
create temp table told as
select *
from (
    select
        event_id as id,
        milestone || ' (' || role || ')' as type,
        coalesce(occurred_at, recorded_to) as time,
        system,
        quantity,
        source_status,
        recorded_to as recorded_at,
        reversed_to as taken_back_at,
        order_id,
        order_line_id,
        case when object_type = 'package' then object_id end as package_id,
        case when own_document is not null then system || ':' || own_document end as document_id,
        item_id,
        party_id,
        location_id
    from core.order_events
    union all by name
    select
        exception_id || ':' || step as id,
        'exception ' || step as type,
        case step when 'opened' then opened_at else closed_at end as time,
        system,
        order_id,
        order_line_id,
        item_id,
        location_id,
        exception_id
    from marts.exceptions
    cross join (values ('opened'), ('closed')) as steps (step)
    where status in ('open', 'closed')
    union all by name
    select
        correction_key || ':' || step as id,
        'correction ' || step as type,
        case step
            when 'proposed' then created_at
            when 'accepted' then accepted_at
            else verified_at
        end as time,
        target_system as system,
        correction_key as correction_id
    from marts.corrections
    cross join (values ('proposed'), ('accepted'), ('verified')) as steps (step)
) as steps
where time is not null
"""

# Objects that an event names: the column, the type of object, and what it is to the event.
_NAMED = (
    ("order_id", "order", "order"),
    ("order_line_id", "order_line", "order line"),
    ("package_id", "package", "package"),
    ("document_id", "document", "document"),
    ("item_id", "item", "item"),
    ("party_id", "party", "party"),
    ("location_id", "location", "location"),
    ("exception_id", "exception", "exception"),
    ("correction_id", "correction", "correction"),
)

_BETWEEN = """
create temp table between_objects as
select
    source || ':' || source_id as source,
    target || ':' || target_id as target,
    qualifier
from (
    select 'order' as source, order_id as source_id, 'order_line' as target,
        order_line_id as target_id, 'has line' as qualifier
    from marts.order_lifecycle
    union
    select 'order', order_id, 'party', party_id, 'ordered by' from marts.orders
    union
    select 'order_line', order_line_id, 'item', item_id, 'of item' from marts.order_lifecycle
    union
    select 'package', object_key, 'order_line', order_line_id, 'carries'
    from core.object_links where object_type = 'package'
    union
    select 'order_line', object_key, 'order_line', order_line_id, 'replaces'
    from core.object_links where object_type = 'replacement'
    union
    select 'exception', exception_id, 'order_line', order_line_id, 'about' from marts.exceptions
    union
    select 'exception', exception_id, 'order', order_id, 'about' from marts.exceptions
) as pairs
where source_id is not null and target_id is not null
"""

_EVENT_ATTRIBUTES = ("system", "quantity", "source_status", "recorded_at", "taken_back_at")


@dataclass(frozen=True)
class OcelCounts:
    """How much was written. ``milestones`` are the events that core.order_events tells."""

    events: int
    milestones: int
    objects: int
    orders: int
    relations: int


def export_ocel(connection: duckdb.DuckDBPyConnection, path: Path) -> OcelCounts:
    """Write the build that ``connection`` reads to a ``.sqlite`` or ``.json`` file, whole or not at
    all. Raises ConfigurationError for another ending."""
    if path.suffix not in FORMATS:
        raise ConfigurationError(
            f"{path.name}: an OCEL file ends in one of {', '.join(sorted(FORMATS))}"
        )
    _prepare(connection)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    if FORMATS[path.suffix] == "sqlite":
        _write_sqlite(connection, partial)
    else:
        with partial.open("w", encoding="utf-8") as file:
            _write_json(connection, file)
    partial.replace(path)
    return _counts(connection)


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Temporary tables of the log: told (events), objects_<type>, named and between_objects."""
    for table in ("told", "between_objects", "objects", "named"):
        connection.execute(f"drop table if exists temp.{table}")
    connection.execute(_EVENTS)
    connection.execute(_BETWEEN)
    for kind, query in _OBJECTS.items():
        connection.execute(f"create or replace temp table objects_{kind} as {query}")
    every = " union all ".join(
        f"select '{kind}:' || id as id, '{kind}' as type from objects_{kind}" for kind in _OBJECTS
    )
    connection.execute(f"create temp table objects as {every}")
    relations = " union all ".join(
        f"select id as event, '{kind}:' || {column} as object, '{qualifier}' as qualifier "
        f"from told where {column} is not null"
        for column, kind, qualifier in _NAMED
    )
    # A reference to what is no object here (an order that only a carrier names) would dangle.
    connection.execute(
        f"create temp table named as select named.* from ({relations}) as named "
        "semi join objects on named.object = objects.id"
    )
    connection.execute(
        "delete from between_objects where source not in (select id from objects) "
        "or target not in (select id from objects)"
    )


def _types(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            f"select distinct type from {table} order by type"
        ).fetchall()
    ]


def _attributes(connection: duckdb.DuckDBPyConnection, kind: str) -> list[tuple[str, str]]:
    """Names and OCEL types of the attributes of one type of object."""
    rows = connection.execute(f"describe objects_{kind}").fetchall()
    return [(row[0], _ocel_type(row[1])) for row in rows if row[0] != "id"]


def _event_attributes(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    kinds = {row[0]: row[1] for row in connection.execute("describe told").fetchall()}
    return [(name, _ocel_type(kinds[name])) for name in _EVENT_ATTRIBUTES]


def _ocel_type(kind: str) -> str:
    if kind.startswith(("DECIMAL", "DOUBLE", "FLOAT")):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "time"
    return {"BIGINT": "integer", "INTEGER": "integer", "BOOLEAN": "boolean"}.get(kind, "string")


def _write_sqlite(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        # A file that is not finished is thrown away, so nothing needs to be safe on the way.
        file.execute("pragma journal_mode = off")
        file.execute("pragma synchronous = off")
        _sqlite_kind(connection, file, "event", "told", _types(connection, "told"))
        _sqlite_kind(connection, file, "object", "objects", _types(connection, "objects"))
        _fill(
            file,
            "event_object",
            ("ocel_event_id", "ocel_object_id", "ocel_qualifier"),
            _rows(connection, "select event, object, qualifier from named"),
        )
        _fill(
            file,
            "object_object",
            ("ocel_source_id", "ocel_target_id", "ocel_qualifier"),
            _rows(connection, "select source, target, qualifier from between_objects"),
        )
        attributes = _event_attributes(connection)
        names = [name for name, _ in attributes]
        for kind in _types(connection, "told"):
            _fill(
                file,
                f"event_{_map_type(kind)}",
                ("ocel_id", "ocel_time", *names),
                _rows(
                    connection,
                    f"select id, time, {', '.join(names)} from told where type = $type",
                    {"type": kind},
                ),
                attributes,
            )
        for kind in _types(connection, "objects"):
            described = _attributes(connection, kind)
            columns = [name for name, _ in described]
            listed = "".join(f", {name}" for name in columns)
            _fill(
                file,
                f"object_{_map_type(kind)}",
                ("ocel_id", "ocel_time", "ocel_changed_field", *columns),
                _rows(
                    connection,
                    f"select '{kind}:' || id, $epoch, null{listed} from objects_{kind}",
                    {"epoch": EPOCH},
                ),
                described,
            )
        file.commit()


def _sqlite_kind(
    connection: duckdb.DuckDBPyConnection,
    file: sqlite3.Connection,
    kind: str,
    table: str,
    types: Sequence[str],
) -> None:
    _fill(file, kind, ("ocel_id", "ocel_type"), _rows(connection, f"select id, type from {table}"))
    _fill(
        file,
        f"{kind}_map_type",
        ("ocel_type", "ocel_type_map"),
        iter([[(name, _map_type(name)) for name in types]]),
    )


def _fill(
    file: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    batches: Iterator[list[tuple[Any, ...]]],
    attributes: Sequence[tuple[str, str]] = (),
) -> None:
    kinds = {name: _SQLITE_TYPES[kind] for name, kind in attributes} | {"ocel_time": "TIMESTAMP"}
    described = ", ".join(f'"{name}" {kinds.get(name, "TEXT")}' for name in columns)
    file.execute(f'create table "{table}" ({described})')
    marks = ", ".join("?" for _ in columns)
    for batch in batches:
        file.executemany(f'insert into "{table}" values ({marks})', batch)


_SQLITE_TYPES = {
    "string": "TEXT",
    "float": "REAL",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMP",
}


def _map_type(name: str) -> str:
    """A type as a part of a table's name: ``shipped (wms)`` becomes ``ShippedWms``."""
    return "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", name))


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    # Not a cursor of its own: that would not see the temporary tables. So nothing else may be asked
    # until these rows are used up.
    cursor = connection.execute(query, values or {})
    while batch := cursor.fetchmany(BATCH):
        yield [tuple(_plain(value) for value in row) for row in batch]


def _plain(value: Any) -> Any:
    """As both formats hold it: numbers as numbers, times as ISO 8601 in UTC."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def _write_json(connection: duckdb.DuckDBPyConnection, file: TextIO) -> None:
    """Written in pieces: the whole of it in memory is several times the size of the warehouse."""
    attributes = _event_attributes(connection)
    described = [{"name": name, "type": kind} for name, kind in attributes]
    event_types = [{"name": name, "attributes": described} for name in _types(connection, "told")]
    object_types = [
        {
            "name": kind,
            "attributes": [
                {"name": name, "type": given} for name, given in _attributes(connection, kind)
            ],
        }
        for kind in _types(connection, "objects")
    ]
    file.write('{"objectTypes": ' + json.dumps(object_types))
    file.write(',\n"eventTypes": ' + json.dumps(event_types) + ',\n"objects": ')
    _write_list(file, _json_objects(connection))
    file.write(',\n"events": ')
    _write_list(file, _json_events(connection, [name for name, _ in attributes]))
    file.write("}\n")


def _write_list(file: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    before = "["
    for entry in entries:
        file.write(before + json.dumps(entry, ensure_ascii=False))
        before = ",\n"
    file.write("[]" if before == "[" else "]")


def _json_objects(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    for kind in _types(connection, "objects"):
        names = [name for name, _ in _attributes(connection, kind)]
        listed = "".join(f", told.{name}" for name in names)
        query = (
            f"select '{kind}:' || told.id, related.targets{listed} from objects_{kind} as told "
            "left join (select source, list([target, qualifier] order by target, qualifier) as "
            "targets from between_objects group by source) as related "
            f"on related.source = '{kind}:' || told.id"
        )
        for batch in _rows(connection, query):
            for identity, targets, *values in batch:
                yield {
                    "id": identity,
                    "type": kind,
                    "attributes": [
                        {"name": name, "time": _plain(EPOCH), "value": value}
                        for name, value in zip(names, values, strict=True)
                        if value is not None
                    ],
                    "relationships": _relationships(targets),
                }


def _json_events(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    query = (
        f"select told.id, told.type, told.time, related.objects, "
        f"{', '.join(f'told.{name}' for name in names)} from told left join ("
        "select event, list([object, qualifier] order by object, qualifier) as objects from named "
        "group by event) as related on related.event = told.id"
    )
    for batch in _rows(connection, query):
        for identity, kind, time, objects, *values in batch:
            yield {
                "id": identity,
                "type": kind,
                "time": time,
                "attributes": [
                    {"name": name, "value": value}
                    for name, value in zip(names, values, strict=True)
                    if value is not None
                ],
                "relationships": _relationships(objects),
            }


def _relationships(pairs: Sequence[Sequence[str]] | None) -> list[dict[str, str]]:
    return [{"objectId": target, "qualifier": qualifier} for target, qualifier in pairs or ()]


def _counts(connection: duckdb.DuckDBPyConnection) -> OcelCounts:
    row: Any = connection.execute(
        """
        select
            (select count(*) from told),
            (select count(*) from told where exception_id is null and correction_id is null),
            (select count(*) from objects),
            (select count(*) from objects where type = 'order'),
            (select count(*) from named)
        """
    ).fetchone()
    return OcelCounts(*(int(value) for value in row))
