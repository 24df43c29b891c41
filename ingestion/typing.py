"""Holds a batch of records to its contract: typed rows, and the rows that break it, whole.

Rows travel as Arrow columns of text and are judged by DuckDB, a set at a time. A value is taken
only if its text has exactly the form of its type: a cast that rounds or guesses would hide a fault
of the source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from connectors.base import Record
from connectors.cursors import earliest_instant
from ingestion.landing import REFUSED_BY_CONNECTOR, quarantine_schema
from registry.contracts import SYSTEM_COLUMNS, Column, Contract, arrow_type

FUTURE_TOLERANCE = timedelta(minutes=5)
# More than any shift that a time zone has made.
_WIDEST_SHIFT = timedelta(hours=26)

_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?"
FORMS = {
    "BIGINT": r"[+-]?\d{1,19}",
    # Twelve digits before and six after the point; zeros beyond lose nothing.
    "DECIMAL(18,6)": r"[+-]?0*\d{1,12}(\.\d{1,6}0*)?",
    "TIMESTAMPTZ": _TIME + r"(Z|[+-]\d{2}:\d{2})",
    "TIMESTAMP": _TIME,
    "DATE": r"\d{4}-\d{2}-\d{2}",
    "BOOLEAN": "true|false",
}
# First character of the text of an object or a list: no text of a scalar begins with it.
_STRUCTURE = "\x00"
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class ReceivedRecord:
    """A record with when it was received and when, on its source's clock, that was."""

    record: Record
    received_at: datetime
    source_now: datetime


@dataclass(frozen=True)
class TypedBatch:
    """``accepted`` has the contract's columns and ours (without ``_dlt_load_id``, which dlt adds);
    ``quarantined`` those of ``landing.quarantine``. ``unknown_fields``: in no column, kept in _raw.
    Of the columns that say when something happened: ``timed`` do so with a time of day, somewhere;
    ``midnights`` with midnight, in so many documents.
    """

    accepted: pa.Table
    quarantined: pa.Table
    unknown_fields: frozenset[str]
    timed: frozenset[str] = frozenset()
    midnights: Mapping[str, int] = field(default_factory=dict)


def accepted_schema(contract: Contract) -> pa.Schema:
    """Columns of accepted rows, in landing order."""
    own = {name: kind for name, kind in SYSTEM_COLUMNS.items() if name != "_dlt_load_id"}
    return pa.schema(
        [
            *((column.name, column.arrow_type) for column in contract.columns),
            *((name, arrow_type(kind)) for name, kind in own.items()),
        ]
    )


class BatchTyper:
    """Types the batches of one extraction; a context manager, because it holds a scratch database.

    ``zone`` is the source system's: naive local times are compared with now in it.
    """

    def __init__(self, system: str, zone: ZoneInfo) -> None:
        self._system = system
        self._zone = zone
        self._scratch = duckdb.connect(":memory:", config={"threads": 1})
        self._scratch.execute("set TimeZone = 'UTC'")

    def __enter__(self) -> BatchTyper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scratch.close()

    def type(
        self,
        contract: Contract,
        received: Sequence[ReceivedRecord],
        extraction_id: str,
        first_sequence: int,
        quarantined_at: datetime,
    ) -> TypedBatch:
        """Judge one batch. Rows keep their order; ``_sequence`` counts it from the given one."""
        if not received:
            return TypedBatch(
                accepted_schema(contract).empty_table(),
                quarantine_schema().empty_table(),
                frozenset(),
            )
        batch, unknown = _as_text(contract, received, first_sequence, self._zone)
        self._scratch.register("batch", batch)
        try:
            timed, midnights = self._midnights(contract)
            self._scratch.execute(_judge_sql(contract))
            parameters = {
                "system": self._system,
                "entity": contract.entity,
                "extraction_id": extraction_id,
                "quarantined_at": quarantined_at,
            }
            accepted = self._rows(_accepted_sql(contract), parameters, ("system", "extraction_id"))
            quarantined = self._rows(_QUARANTINED_SQL, parameters, tuple(parameters))
            quarantined = _with_what_was_told(quarantined, received, first_sequence, contract)
        finally:
            self._scratch.unregister("batch")
        return TypedBatch(
            accepted.cast(accepted_schema(contract)),
            quarantined.cast(quarantine_schema()),
            unknown,
            timed,
            midnights,
        )

    def _midnights(self, contract: Contract) -> tuple[frozenset[str], dict[str, int]]:
        """Which moments the batch tells with a time of day anywhere, and in how many documents it
        tells one as midnight."""
        # All balances of a snapshot have the one moment at which it was taken: it may be midnight.
        if contract.snapshot:
            return frozenset(), {}
        moments = {
            column.name: f"t{index}"
            for index, column in enumerate(contract.columns)
            if column.not_in_future
            and not column.to_the_day
            and column.duckdb_type in ("TIMESTAMP", "TIMESTAMPTZ")
        }
        at_midnight = "{0}[12:19] = '00:00:00'"
        told = self._of_columns(f"bool_and({at_midnight}) filter ({{0}} <> '')", moments)
        timed = frozenset(name for name, is_cut in told.items() if is_cut is False)
        some = self._of_columns(f"bool_or({at_midnight}) filter ({{0}} <> '')", moments)
        # Rarely any: only then is it worth while to count documents.
        documents = f"count(distinct coalesce(reference, record_id)) filter ({at_midnight})"
        cut = {name: moments[name] for name, is_any in some.items() if is_any}
        return timed, self._of_columns(documents, cut)

    def _of_columns(self, expression: str, columns: Mapping[str, str]) -> dict[str, Any]:
        """An aggregate over the batch of each column of text, by the column's name."""
        if not columns:
            return {}
        wanted = ", ".join(expression.format(text) for text in columns.values())
        row = self._scratch.execute(f"select {wanted} from batch").fetchone()
        assert row is not None
        return dict(zip(columns, row, strict=True))

    def _rows(self, sql: str, parameters: dict[str, Any], used: tuple[str, ...]) -> pa.Table:
        cursor = self._scratch.execute(sql, {name: parameters[name] for name in used})
        return cursor.to_arrow_table()


def _with_what_was_told(
    quarantined: pa.Table,
    received: Sequence[ReceivedRecord],
    first_sequence: int,
    contract: Contract,
) -> pa.Table:
    """Refused rows with what it takes to judge them again, under another contract."""
    refused = [received[number - first_sequence] for number in quarantined["sequence"].to_pylist()]
    told = {
        # As text where JSON has no such type: the contract sees the text in any case.
        "fields": [json.dumps(dict(item.record.fields), default=str) for item in refused],
        "source_now": [item.source_now for item in refused],
        "contract": [contract.fingerprint] * len(refused),
    }
    schema = quarantine_schema()
    for name, values in told.items():
        quarantined = quarantined.append_column(name, pa.array(values, schema.field(name).type))
    return quarantined.select(schema.names)


def _as_text(
    contract: Contract, received: Sequence[ReceivedRecord], first_sequence: int, zone: ZoneInfo
) -> tuple[pa.Table, frozenset[str]]:
    """The batch as columns of text ``t0..tn``, beside what judging needs of each row."""
    rows = [item.record.fields for item in received]
    records = [item.record for item in received]
    names = [column.name for column in contract.columns]
    columns: dict[str, pa.Array] = {
        f"t{index}": _text_column([row.get(name) for row in rows])
        for index, name in enumerate(names)
    }
    required = {column.name for column in contract.columns if column.required}
    absent = [required - row.keys() for row in rows]
    columns["absent"] = pa.array(
        [_SEPARATOR.join(["", *sorted(missing), ""]) if missing else None for missing in absent],
        pa.string(),
    )
    columns["record_id"] = _text_column([record.record_id for record in records])
    columns["reference"] = _text_column([record.reference for record in records])
    columns["raw"] = _text_column([record.raw for record in records])
    columns["container"] = _text_column([record.container for record in records])
    columns["problem"] = _text_column([record.problem for record in records])
    columns["extracted_at"] = pa.array(
        [item.received_at for item in received], arrow_type("TIMESTAMPTZ")
    )
    columns["sequence"] = pa.array(
        range(first_sequence, first_sequence + len(rows)), arrow_type("BIGINT")
    )
    latest = {item.source_now: item.source_now + FUTURE_TOLERANCE for item in received}
    local = {now: latest_local(limit, zone) for now, limit in latest.items()}
    columns["latest"] = pa.array(
        [latest[item.source_now] for item in received], arrow_type("TIMESTAMPTZ")
    )
    columns["latest_local"] = pa.array(
        [local[item.source_now] for item in received], arrow_type("TIMESTAMP")
    )
    known = frozenset(names)
    unknown = frozenset(chain.from_iterable(row.keys() - known for row in rows))
    return pa.table(columns), unknown


def _text_column(values: list[Any]) -> pa.Array:
    """Values as text: the quick ways first, as nearly every column is all text or all whole."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        pass
    # Asked for whole numbers, Arrow cuts 19.99 to 19 without a word: so only of nothing else.
    if all(value is None or type(value) is int for value in values):
        try:
            return pa.array(values, pa.int64()).cast(pa.string())
        except OverflowError:
            pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # To JSON 5.0 is 5; and 0.00001, not 1e-05, which no column of decimals takes.
        number = Decimal(repr(value))
        return format(number.to_integral_value() if value.is_integer() else number, "f")
    if isinstance(value, dict | list):
        return f"{_STRUCTURE}{value!r}".encode("utf-8", "replace").decode()
    # JSON may hold half a character pair, which no file or database takes.
    return str(value).encode("utf-8", "replace").decode()


def latest_local(limit: datetime, zone: ZoneInfo) -> datetime:
    """The latest naive local time that the zone's clocks have shown by ``limit``.

    Just after daylight saving ends that is more than the local time of ``limit`` itself.
    """
    low = limit.astimezone(zone).replace(tzinfo=None) - _WIDEST_SHIFT
    high = low + 2 * _WIDEST_SHIFT
    step = timedelta(microseconds=1)
    while high - low > step:
        middle = low + (high - low) // 2
        if earliest_instant(middle, zone) <= limit.astimezone(UTC):
            low = middle
        else:
            high = middle
    return low


def _judge_sql(contract: Contract) -> str:
    """Make the table ``judged``: typed columns ``v0..vn`` and the list of what is wrong."""
    typed = ",\n        ".join(
        f"{_typed_sql(f't{index}', column)} as v{index}"
        for index, column in enumerate(contract.columns)
    )
    findings: Iterable[str] = (
        _finding_sql(index, column) for index, column in enumerate(contract.columns)
    )
    no_id = (
        "case when coalesce(record_id, '') = '' then "
        "{'code': 'missing_record_id', 'field': '_record_id', "
        "'reason': 'the record can not be told from others'} end"
    )
    found = ",\n        ".join([no_id, *findings])
    content = ", ".join(
        f"coalesce(t{index}, '{_NULL_MARK}')"
        for index, column in enumerate(contract.columns)
        if not column.transport
    )
    return f"""
create or replace temp table judged as
with typed as (
    select
        *,
        {typed}
    from batch
),
found as (
    select
        *,
        -- What the connector refuses need not be looked into: its fields may be anything.
        case when problem is not null
        then [{{'code': '{REFUSED_BY_CONNECTOR}', 'field': '_record', 'reason': problem}}]
        else list_filter([
        {found}
        ], finding -> finding is not null)
        end as findings
    from typed
)
select
    *,
    md5(concat_ws('{_SEPARATOR}', {content})) as content_hash
from found
"""


# Differs from every text that a source can send in one column.
_NULL_MARK = "\x1e"


def _typed_sql(text: str, column: Column) -> str:
    if column.duckdb_type == "VARCHAR":
        return f"case when not starts_with({text}, chr(0)) then {text} end"
    form = FORMS[column.duckdb_type]
    return (
        f"case when regexp_full_match({text}, '{form}') "
        f"then try_cast({text} as {column.duckdb_type}) end"
    )


def _finding_sql(index: int, column: Column) -> str:
    """A struct (code, field, reason) when the column breaks its row, else null."""
    text, value = f"t{index}", f"v{index}"
    tests: list[tuple[str, str, str]] = []
    if column.required:
        mark = f"{_SEPARATOR}{column.name}{_SEPARATOR}"
        tests.append(
            (f"contains(absent, '{mark}')", "missing_column", "'the source did not send it'")
        )
        tests.append(
            (f"{text} is null or {text} = ''", "missing_value", "'it is empty, but required'")
        )
    shown = f"left(replace({text}, chr(0), ''), 80)"
    tests.append(
        (
            f"{text} is not null and {value} is null",
            "wrong_type",
            f"'not {_described(column)}: ' || {shown}",
        )
    )
    if column.minimum is not None:
        tests.append(
            (
                f"{value} < {column.minimum}",
                "out_of_range",
                f"'below {column.minimum}: ' || {shown}",
            )
        )
    if column.maximum is not None:
        tests.append(
            (
                f"{value} > {column.maximum}",
                "out_of_range",
                f"'above {column.maximum}: ' || {shown}",
            )
        )
    if column.not_in_future:
        tests.append(
            (
                f"{value} > {_latest_sql(column)}",
                "future_time",
                f"'later than the source''s own clock: ' || {shown}",
            )
        )
    cases = " ".join(
        f"when {test} then {{'code': '{code}', 'field': '{column.name}', 'reason': {reason}}}"
        for test, code, reason in tests
    )
    return f"case {cases} end"


def _latest_sql(column: Column) -> str:
    if column.duckdb_type == "DATE":
        return "cast(latest_local as date)"
    if column.to_the_day and column.time_zone == "offset":
        # A day is told as its midnight in UTC, and east of there it begins hours before that.
        return "greatest(latest, timezone('UTC', date_trunc('day', latest_local)))"
    if column.time_zone == "epoch_ms":
        return "epoch_ms(latest)"
    return "latest_local" if column.time_zone == "system" else "latest"


def _described(column: Column) -> str:
    if column.time_zone == "offset":
        return "an ISO 8601 time with its offset"
    if column.time_zone == "system":
        return "a local time YYYY-MM-DD HH:MM:SS"
    return {
        "VARCHAR": "a text",
        "BIGINT": "a whole number",
        "DECIMAL(18,6)": "a number of at most 12 digits before the point and 6 after it",
        "DATE": "a date YYYY-MM-DD",
        "BOOLEAN": "true or false",
    }.get(column.duckdb_type, f"a {column.duckdb_type}")


def _accepted_sql(contract: Contract) -> str:
    values = ", ".join(
        f'v{index} as "{column.name}"' for index, column in enumerate(contract.columns)
    )
    return f"""
select
    {values},
    $system as _system,
    record_id as _record_id,
    content_hash as _content_hash,
    $extraction_id as _extraction_id,
    extracted_at as _extracted_at,
    sequence as _sequence,
    raw as _raw
from judged
where len(findings) = 0
order by sequence
"""


_QUARANTINED_SQL = """
select
    $system as system,
    $entity as entity,
    record_id,
    reference,
    content_hash,
    $extraction_id as extraction_id,
    cast($quarantined_at as timestamptz) as quarantined_at,
    findings[1].code as reason_code,
    findings[1].field as field,
    array_to_string(
        list_transform(findings, finding -> finding.field || ': ' || finding.reason), '; '
    ) as reason,
    raw,
    container,
    sequence,
    extracted_at
from judged
where len(findings) > 0
order by sequence
"""
