"""One canonical JSON text and one hash, for keys, for approvals and for what is sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from registry.errors import TallymanError


class CanonicalFormError(TallymanError):
    """A value has no canonical JSON form, for example NaN or a time without a zone."""


def canonical_value(value: Any) -> Any:
    """The value in its canonical shape: equal facts compare, print and hash alike.

    Numbers: whole ones become int, others plain decimal text (``Decimal("12.50")`` -> ``"12.5"``),
    so that no float ever travels. Times become ISO 8601 in UTC with 'Z'. Text stays as it is.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _canonical_number(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise CanonicalFormError(f"{value} has no time zone: convert it to UTC first")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): canonical_value(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical_value(item) for item in value]
    raise CanonicalFormError(f"a {type(value).__name__} has no canonical JSON form: {value!r}")


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, no escapes but the needed ones."""
    return json.dumps(
        canonical_value(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def parse_json(text: str) -> Any:
    """JSON text to values without ever making a float."""
    return _DECODER.decode(text)


# One decoder: ``json.loads`` with an option makes a new one each time.
_DECODER = json.JSONDecoder(parse_float=Decimal)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def same_value(left: Any, right: Any) -> bool:
    """Equal as facts: ``"5.000"`` is 5, None is only None, ``"0042"`` is not ``"42"``,
    nor ``"12E4"`` ``"120000"``."""
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).lower() == str(right).lower()
    if str(left) == str(right):
        return True
    left_time, right_time = _as_time(left), _as_time(right)
    if left_time is not None and right_time is not None:
        return left_time == right_time
    left_number, right_number = _as_number(left), _as_number(right)
    return left_number is not None and left_number == right_number


# What ``Decimal`` takes beyond it occurs in identifiers.
_PLAIN_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?")


def _canonical_number(value: float | Decimal) -> int | str:
    number = Decimal(repr(value)) if isinstance(value, float) else value
    if not number.is_finite():
        raise CanonicalFormError(f"{value} is not a number that can be sent")
    if number == number.to_integral_value():
        return int(number)
    return format(number.normalize(), "f")


def _as_number(value: Any) -> Decimal | None:
    """A number, or None: "0042", "12E4" and "1_000" are identifiers, and no plain decimals."""
    text = str(value)
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _as_time(value: Any) -> datetime | None:
    """An instant, or None for whatever is not written as one (a plain number, a naive time)."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and "T" in value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
    else:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)
