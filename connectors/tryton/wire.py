"""Values as Tryton writes them in JSON, and as plain text: no network here."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# A quantity is a binary float in Tryton: what lies beyond this is noise of adding them up.
QUANTITY_PLACES = 6

Domain = Sequence[Any]
Row = dict[str, Any]


def encode(value: Any) -> str:
    """A domain, an order or a context as the REST interface takes it: JSON in base64."""
    text = json.dumps(value, default=_object, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def body(value: Any) -> Any:
    """A value to be written, in Tryton's JSON: exact decimals, times, lists of commands."""
    return json.loads(json.dumps(value, default=_object))


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(utc, part) for part in parts}}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form in Tryton")


def decode(content: bytes | str) -> Any:
    """An answer with times as ISO 8601 in UTC, and numbers as exact text.

    Raises ValueError for what is no JSON.
    """
    return json.loads(content, object_hook=_plain, parse_float=_number)


def _number(text: str) -> str:
    return _exact(round(Decimal(text), QUANTITY_PLACES))


def _exact(number: Decimal) -> str:
    """Without needless zeros: SQLite keeps those that somebody typed, PostgreSQL adds its own."""
    return format(number.normalize(), "f")


def _plain(value: dict[str, Any]) -> Any:
    match value.get("__class__"):
        case "datetime":
            # Naive in Tryton, and always UTC.
            day = f"{value['year']:04}-{value['month']:02}-{value['day']:02}"
            time = f"{value['hour']:02}:{value['minute']:02}:{value['second']:02}"
            return f"{day}T{time}.{value['microsecond']:06}Z"
        case "date":
            return f"{value['year']:04}-{value['month']:02}-{value['day']:02}"
        case "Decimal":
            return _exact(Decimal(value["decimal"]))
    return value


def flatten(record: Mapping[str, Any], path: str = "") -> Row:
    """A record with the fields of the records that it points to under dotted names."""
    row: Row = {}
    for name, value in record.items():
        if name == "__name__":
            continue
        if isinstance(value, Mapping):
            row.update(flatten(value, f"{path}{name}."))
        else:
            row[path + name] = value
    return row


def reference(value: object) -> tuple[str, int] | None:
    """The model and the record of a reference field (``sale.line,46``); None when it is empty."""
    if not isinstance(value, str):
        return None
    model, _, record_id = value.partition(",")
    return (model, int(record_id)) if record_id.isdigit() else None
