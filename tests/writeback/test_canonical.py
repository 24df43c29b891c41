"""One canonical form: equal facts have one text and one hash, and no float survives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writeback.canonical import (
    CanonicalFormError,
    canonical_json,
    canonical_value,
    digest,
    parse_json,
    same_value,
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_canonical_form_is_stable_and_survives_a_round_trip(value: object) -> None:
    text = canonical_json(value)
    assert canonical_json(parse_json(text)) == text
    assert canonical_value(canonical_value(value)) == canonical_value(value)


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_numbers_have_one_form() -> None:
    assert canonical_json({"q": Decimal("5.000000"), "p": Decimal("12.50")}) == '{"p":"12.5","q":5}'
    assert canonical_json(json.loads("0.1")) == '"0.1"'
    assert digest(parse_json("5.000000")) == digest(5)


def test_times_are_utc() -> None:
    eastern = datetime(2026, 11, 21, 4, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert canonical_value(eastern) == "2026-11-21T09:00:00Z"
    with pytest.raises(CanonicalFormError, match="no time zone"):
        canonical_value(datetime(2026, 11, 21))


@pytest.mark.parametrize("value", [float("nan"), Decimal("Infinity"), {1, 2}, b"x"])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(CanonicalFormError):
        canonical_value(value)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("5.000", 5, True),
        ("5.000", "5", True),
        (Decimal("12.5"), "12.50", True),
        ("0042", "42", False),
        ("0042", "0042", True),
        (None, None, True),
        (None, 0, False),
        ("A0007", "A0007", True),
        ("A0007", "a0007", False),
        ("2026-11-21T09:00:00.000Z", "2026-11-21T04:00:00-05:00", True),
        (datetime(2026, 11, 21, 9, tzinfo=UTC), "2026-11-21T09:00:00Z", True),
        (True, "true", True),
        ("0.5", Decimal("0.50"), True),
        ("+5", 5, True),
        (Decimal("1E+2"), "100", True),
        (0.0000001, "0.0000001", True),
        ("12E4", "120000", False),
        ("12e4", 120000, False),
        ("1_000", "1000", False),
        ("Infinity", "inf", False),
    ],
)
def test_same_value(left: object, right: object, same: bool) -> None:
    assert same_value(left, right) is same
    assert same_value(right, left) is same
