"""What each source promises: the contracts (Open Data Contract Standard) read into plain values.

One YAML file an entity, ``contracts/<connector>/<entity>.yaml``. Everything that depends on the
shape of a source reads it here: typing and quarantine, the landing views, the data gates, the data
dictionary.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import ValidationError

from registry.errors import ConfigurationError
from registry.texts import read_text

if TYPE_CHECKING:
    import pyarrow
    from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

CONTRACTS_FOLDER = Path(__file__).resolve().parent / "contracts"

# How the text of a time is to be read. ``offset``: it carries its own zone. ``system``: naive local
# time of the system's zone, landed as it stands. ``epoch_ms``: whole milliseconds since 1970.
TimeZoneHandling = Literal["offset", "system", "epoch_ms"]

DUCKDB_TYPES = frozenset(
    {"VARCHAR", "BIGINT", "DECIMAL(18,6)", "TIMESTAMPTZ", "TIMESTAMP", "DATE", "BOOLEAN"}
)

# What the standard has no word for, as customProperties of a schema object and of a column.
SCHEMA_TERMS = frozenset(
    {
        "recordIdColumns",
        "recordIdSeparator",
        "referenceColumn",
        "cursorColumn",
        "snapshot",
        "changesOnly",
        "roles",
    }
)
COLUMN_TERMS = frozenset({"timeZone", "notInFuture", "toTheDay", "transport"})

# Columns that ingestion adds to every landed row, with their DuckDB types.
SYSTEM_COLUMNS: Mapping[str, str] = {
    "_system": "VARCHAR",
    "_record_id": "VARCHAR",
    "_content_hash": "VARCHAR",
    "_extraction_id": "VARCHAR",
    "_extracted_at": "TIMESTAMPTZ",
    "_sequence": "BIGINT",
    "_raw": "VARCHAR",
    "_dlt_load_id": "VARCHAR",
}


# What lies beside the entities of a system in its raw schema: ingestion/landing.py.
OWN_TABLES = frozenset(
    {"extractions", "quarantine", "missing_records", "withdrawn_containers", "unread_records"}
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def arrow_type(duckdb_type: str) -> pyarrow.DataType:
    """The Arrow type in which a column of a DuckDB type travels."""
    import pyarrow

    return {
        "VARCHAR": pyarrow.string(),
        "BIGINT": pyarrow.int64(),
        "DOUBLE": pyarrow.float64(),
        "DECIMAL(18,6)": pyarrow.decimal128(18, 6),
        "TIMESTAMPTZ": pyarrow.timestamp("us", tz="UTC"),
        "TIMESTAMP": pyarrow.timestamp("us"),
        "DATE": pyarrow.date32(),
        "BOOLEAN": pyarrow.bool_(),
    }[duckdb_type]


def arrow_schema(columns: Mapping[str, str]) -> pyarrow.Schema:
    """The Arrow schema of a table whose columns have these DuckDB types."""
    import pyarrow

    return pyarrow.schema([(name, arrow_type(kind)) for name, kind in columns.items()])


@dataclass(frozen=True)
class Column:
    """One column of an entity.

    ``source_field`` is the path in the source's document (``lines[].qty``: one value a line).
    ``required`` and ``minimum``/``maximum`` break a row when violated; ``valid_values`` and
    ``pattern`` do not: such a row is kept, and the data gate reports it. ``transport`` columns tell
    how a row travelled and are no part of its content. ``to_the_day``: a moment that the source
    never tells more exactly, so that midnight says nothing about the feed.
    """

    name: str
    source_field: str
    description: str
    logical_type: str
    duckdb_type: str
    required: bool = False
    unique: bool = False
    time_zone: TimeZoneHandling | None = None
    not_in_future: bool = False
    to_the_day: bool = False
    transport: bool = False
    valid_values: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def arrow_type(self) -> pyarrow.DataType:
        return arrow_type(self.duckdb_type)


@dataclass(frozen=True)
class Contract:
    """One entity of one connector.

    ``changes_only``: a record that is told again just as it landed last (transport columns aside)
    does not land again. For state that is read whole, or looked at again and again; never for a
    snapshot, where that a record was seen is news. What is read on from a cursor gains nothing,
    and of what has none it is so without this word (ingestion/unchanged.py).
    """

    connector: str
    entity: str
    title: str
    version: str
    domain: str
    description: str
    grain: str
    columns: tuple[Column, ...]
    record_id_columns: tuple[str, ...]
    record_id_separator: str = "/"
    reference_column: str | None = None
    cursor_column: str | None = None
    snapshot: bool = False
    changes_only: bool = False
    roles: tuple[str, ...] = ()

    def is_told_by(self, role: str) -> bool:
        """Whether an instance in this role offers the entity; most offer it in every role."""
        return not self.roles or role in self.roles

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever a row may be judged otherwise than before."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Name of the landing view: ``<connector>__<entity>``."""
        return f"{self.connector}__{self.entity}"

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise ConfigurationError(
            f"contract {self.connector}/{self.entity} has no column '{name}'; "
            f"it has: {', '.join(c.name for c in self.columns)}"
        )

    def record_id(self, fields: Mapping[str, Any]) -> str:
        """The identity of a record from its fields; an absent part is left empty."""
        parts = (fields.get(name) for name in self.record_id_columns)
        return self.record_id_separator.join("" if part is None else str(part) for part in parts)


@lru_cache
def load_contracts(*folders: Path) -> tuple[Contract, ...]:
    """All contracts, sorted by connector and entity.

    ``folders`` are searched beside the built-in ones; a file there replaces the built-in contract
    of the same connector and entity. Raises ConfigurationError naming the file and what is wrong.
    """
    contracts: dict[tuple[str, str], Contract] = {}
    for folder in (CONTRACTS_FOLDER, *folders):
        for path in sorted(folder.glob("*/*.yaml")):
            contract = read_contract(path)
            contracts[contract.connector, contract.entity] = contract
    return tuple(contract for _, contract in sorted(contracts.items()))


def contracts_of(connector: str, *folders: Path) -> dict[str, Contract]:
    """The contracts of one connector, by entity."""
    return {c.entity: c for c in load_contracts(*folders) if c.connector == connector}


def contract_of(connector: str, entity: str, *folders: Path) -> Contract:
    """One contract; raises ConfigurationError naming the entities that the connector has."""
    known = contracts_of(connector, *folders)
    if entity not in known:
        entities = ", ".join(known) or "none at all"
        raise ConfigurationError(
            f"connector '{connector}' has no contract for entity '{entity}'; it has: {entities}"
        )
    return known[entity]


def read_contract(path: Path) -> Contract:
    """Read one file; its place decides connector and entity, and its content must agree."""
    from open_data_contract_standard.model import OpenDataContractStandard

    try:
        content = yaml.load(read_text(path), Loader=_YAML_LOADER)
        document = OpenDataContractStandard(**content)
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is not an Open Data Contract Standard file: {error}"
        ) from error
    try:
        _refuse_plain_terms(content)
        return _contract(document, connector=path.parent.name, entity=path.stem)
    except _Unusable as error:
        raise ConfigurationError(f"contract {path}: {error}") from error


# The C loader is ten times as fast, and there are dozens of files.
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Unusable(Exception):
    """A valid ODCS file that says something ingestion can't follow."""


def _refuse_plain_terms(content: Mapping[str, Any]) -> None:
    """Our words as keys of their own: the standard's model would drop them without a word."""
    schemas = content.get("schema") or []
    columns = [column for schema in schemas for column in schema.get("properties") or []]
    for parts, terms in ((schemas, SCHEMA_TERMS), (columns, COLUMN_TERMS)):
        for part in parts:
            for term in sorted(terms & part.keys()):
                raise _Unusable(
                    f"'{part.get('name')}' has {term} as a key of its own; it belongs under "
                    f"customProperties: - {{property: {term}, value: ...}}"
                )


def _contract(document: OpenDataContractStandard, connector: str, entity: str) -> Contract:
    if document.id != f"{connector}.{entity}":
        raise _Unusable(f"id is '{document.id}', but its place says '{connector}.{entity}'")
    schemas = document.schema_ or []
    if not _NAME.fullmatch(entity) or entity in OWN_TABLES:
        raise _Unusable(
            f"entity '{entity}' can't be called so: small letters, digits and _ make a table, and "
            f"{', '.join(sorted(OWN_TABLES))} are ours"
        )
    if len(schemas) != 1 or schemas[0].name != entity:
        raise _Unusable(f"must describe exactly one schema object, '{entity}'")
    schema = schemas[0]
    columns = tuple(_column(item) for item in schema.properties or [])
    names = [column.name for column in columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise _Unusable(f"names columns twice: {', '.join(doubled)}")
    custom = _custom(schema.customProperties, SCHEMA_TERMS)
    record_id_columns = tuple(custom.get("recordIdColumns", ()))
    if not record_id_columns:
        raise _Unusable("needs the customProperty recordIdColumns")
    used = {*record_id_columns, custom.get("referenceColumn"), custom.get("cursorColumn")} - {None}
    unknown = sorted(used - set(names))
    if unknown:
        raise _Unusable(f"refers to columns that it does not have: {', '.join(unknown)}")
    if custom.get("snapshot") and custom.get("changesOnly"):
        raise _Unusable(
            "changesOnly is not for a snapshot: that a balance was seen is news, changed or not"
        )
    return Contract(
        connector=connector,
        entity=entity,
        title=document.name or entity,
        version=document.version or "",
        domain=document.domain or "",
        description=(document.description.purpose or "") if document.description else "",
        grain=schema.dataGranularityDescription or "",
        columns=columns,
        record_id_columns=record_id_columns,
        record_id_separator=custom.get("recordIdSeparator", "/"),
        reference_column=custom.get("referenceColumn"),
        cursor_column=custom.get("cursorColumn"),
        snapshot=bool(custom.get("snapshot", False)),
        changes_only=bool(custom.get("changesOnly", False)),
        roles=tuple(custom.get("roles", ())),
    )


def _column(item: SchemaProperty) -> Column:
    name = item.name or ""
    if not _NAME.fullmatch(name):
        raise _Unusable(
            f"column '{name}' can't be called so: small letters, digits and _, a letter first"
        )
    if item.physicalType not in DUCKDB_TYPES:
        raise _Unusable(
            f"column '{name}' has physicalType {item.physicalType}; "
            f"use one of {', '.join(sorted(DUCKDB_TYPES))}"
        )
    custom = _custom(item.customProperties, COLUMN_TERMS)
    limits: dict[str, Any] = {}
    for check in item.quality or []:
        if check.metric == "invalidValues":
            limits.update(check.arguments or {})
    return Column(
        name=name,
        source_field=item.physicalName or name,
        description=item.description or "",
        logical_type=item.logicalType or "string",
        duckdb_type=item.physicalType,
        required=bool(item.required),
        unique=bool(item.unique),
        time_zone=custom.get("timeZone"),
        not_in_future=bool(custom.get("notInFuture", False)),
        to_the_day=bool(custom.get("toTheDay", False)),
        transport=bool(custom.get("transport", False)),
        valid_values=tuple(str(value) for value in limits.get("validValues", ())),
        pattern=limits.get("pattern"),
        minimum=limits.get("minimum"),
        maximum=limits.get("maximum"),
    )


def _custom(properties: Any, terms: frozenset[str]) -> dict[str, Any]:
    custom = {item.property: item.value for item in properties or []}
    unknown = sorted(custom.keys() - terms)
    if unknown:
        raise _Unusable(
            f"knows no customProperty {', '.join(unknown)} here; there are: "
            f"{', '.join(sorted(terms))}"
        )
    return custom
