"""Typing by contract: good values arrive exactly, bad rows whole, whatever a source sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from fakes import START
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Record
from connectors.cursors import earliest_instant
from ingestion.typing import BatchTyper, ReceivedRecord, TypedBatch, latest_local
from registry.contracts import Column, Contract, contract_of

NEW_YORK = ZoneInfo("America/New_York")


def column(name: str, kind: str, **more: Any) -> Column:
    return Column(name, name, name, "string", kind, **more)


CONTRACT = Contract(
    connector="test",
    entity="things",
    title="Things",
    version="1",
    domain="test",
    description="",
    grain="",
    columns=(
        column("id", "VARCHAR", required=True),
        column("text", "VARCHAR"),
        column("whole", "BIGINT"),
        column("amount", "DECIMAL(18,6)"),
        column("moment", "TIMESTAMPTZ", time_zone="offset", not_in_future=True),
        column("local", "TIMESTAMP", time_zone="system", not_in_future=True),
        column("ticks", "BIGINT", time_zone="epoch_ms", not_in_future=True, minimum=0),
        column("day", "DATE", not_in_future=True),
        column("dated", "TIMESTAMPTZ", time_zone="offset", not_in_future=True, to_the_day=True),
        column("flag", "BOOLEAN"),
        column("seq", "BIGINT", transport=True),
    ),
    record_id_columns=("id",),
)


@pytest.fixture(scope="module")
def typer():
    with BatchTyper("sys", NEW_YORK) as opened:
        yield opened


def judge(typer: BatchTyper, rows: list[Any], now: datetime = START) -> TypedBatch:
    received = [
        ReceivedRecord(
            Record(str(row.get("id", "")), row, json.dumps(row, default=str)), START, now
        )
        for row in rows
    ]
    return typer.type(CONTRACT, received, "x1", 0, START)


def codes(batch: TypedBatch) -> list[tuple[str, str]]:
    table = batch.quarantined
    return list(zip(table["reason_code"].to_pylist(), table["field"].to_pylist(), strict=True))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**25), max_value=10**25),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["5.000", "-0.5", "1e3", "2026-02-30", "0x10", " 7", "NaN", "true", "١٢"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
rows = st.dictionaries(
    st.sampled_from([c.name for c in CONTRACT.columns] + ["unknown"]), scalars, max_size=11
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8))
def test_every_row_is_accepted_or_quarantined_whole_and_never_both(typer, given_rows):
    batch = judge(typer, given_rows)
    raws = [json.dumps(row, default=str).encode("utf-8", "replace").decode() for row in given_rows]
    accepted, quarantined = batch.accepted["_raw"].to_pylist(), batch.quarantined["raw"].to_pylist()
    assert sorted(accepted + quarantined) == sorted(raws)
    assert batch.accepted["_sequence"].to_pylist() == sorted(
        batch.accepted["_sequence"].to_pylist()
    )
    assert all(reason for reason in batch.quarantined["reason"].to_pylist())
    assert batch.unknown_fields == (
        {"unknown"} if any("unknown" in r for r in given_rows) else set()
    )


def test_what_the_connector_refuses_goes_to_quarantine_in_its_words(typer):
    refused = Record("a", {"whole": "x"}, "RAW", "PO-1", problem="segment 4: no number")
    good = Record("b", {"id": "b"}, "OTHER")
    received = [ReceivedRecord(record, START, START) for record in (refused, good)]
    batch = typer.type(CONTRACT, received, "x1", 0, START)
    assert batch.accepted["_record_id"].to_pylist() == ["b"]
    [row] = batch.quarantined.to_pylist()
    assert (row["record_id"], row["reference"], row["raw"]) == ("a", "PO-1", "RAW")
    assert codes(batch) == [("refused_by_connector", "_record")]
    assert row["reason"] == "_record: segment 4: no number"


@settings(max_examples=150, deadline=None)
@given(
    whole=st.integers(min_value=-(2**63), max_value=2**63 - 1),
    units=st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1),
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC)),
    offset=st.integers(min_value=-14, max_value=14),
    as_number=st.booleans(),
)
def test_good_values_arrive_exactly(typer, whole, units, moment, offset, as_number):
    amount = Decimal(units).scaleb(-6)
    zone = ZoneInfo(f"Etc/GMT{offset:+d}") if -12 <= offset <= 12 else UTC
    row = {
        "id": "1",
        "text": "0042",
        "whole": whole if as_number else str(whole),
        "amount": f"{amount:f}",
        "moment": moment.astimezone(zone).isoformat(),
        "local": moment.strftime("%Y-%m-%d %H:%M:%S"),
        "ticks": int(moment.timestamp() * 1000),
        "day": f"{moment:%Y-%m-%d}",
        "flag": True,
    }
    batch = judge(typer, [row])
    assert codes(batch) == []
    [found] = batch.accepted.to_pylist()
    assert found["text"] == "0042"
    assert (found["whole"], found["amount"]) == (whole, amount)
    assert found["moment"] == moment
    assert found["local"] == moment.replace(microsecond=0, tzinfo=None)
    assert (found["day"], found["flag"]) == (moment.date(), True)


@pytest.mark.parametrize(
    "field, value",
    [
        ("whole", "5.0"),
        ("whole", "5.7"),
        ("whole", True),
        ("whole", ""),
        ("whole", 2**63),
        ("amount", "1.1234567"),
        ("amount", "1,5"),
        ("amount", "1234567890123"),
        ("amount", "NaN"),
        ("amount", float("inf")),
        ("text", {"a": 1}),
        ("text", [1]),
        ("moment", "2026-01-01T10:00:00"),
        ("moment", "2026-02-30T10:00:00Z"),
        ("local", "2026-01-01T10:00:00Z"),
        ("local", "01/02/2026 10:00"),
        ("day", "2026-02-30"),
        ("day", "2026-01-01 00:00:00"),
        ("flag", 1),
        ("flag", "yes"),
    ],
)
def test_a_value_of_another_form_is_never_bent_into_shape(typer, field, value):
    batch = judge(typer, [{"id": "1", field: value}])
    assert codes(batch) == [("wrong_type", field)]


@pytest.mark.parametrize("beside", [None, 7, "7.25"])
@pytest.mark.parametrize(
    ("told", "amount"), [(19.99, "19.99"), (0.00001, "0.00001"), (5.0, "5"), (-2.5, "-2.5")]
)
def test_a_number_with_a_fraction_is_not_cut_to_a_whole_one(typer, told, amount, beside):
    """Arrow cut 19.99 to 19 where no text stood in the same column of the batch."""
    typed = judge(typer, [{"id": "1", "amount": told}, {"id": "2", "amount": beside}])
    assert typed.accepted["amount"].to_pylist()[0] == Decimal(amount)


@pytest.mark.parametrize("beside", [None, 7, "7"])
def test_a_fraction_is_no_whole_number(typer, beside):
    typed = judge(typer, [{"id": "1", "whole": 3.9}, {"id": "2", "whole": beside}])
    assert typed.accepted["id"].to_pylist() == ["2"]
    assert typed.quarantined.num_rows == 1


def test_zeros_beyond_the_sixth_place_lose_nothing(typer):
    batch = judge(typer, [{"id": "1", "amount": "1.12345600"}])
    assert batch.accepted["amount"].to_pylist() == [Decimal("1.123456")]


def test_missing_empty_and_absent_are_told_apart(typer):
    batch = judge(typer, [{"id": None}, {"id": ""}, {"text": "no id at all"}])
    reasons = batch.quarantined["reason"].to_pylist()
    assert "id: it is empty, but required" in reasons[0]
    assert "id: it is empty, but required" in reasons[1]
    assert "id: the source did not send it" in reasons[2]


def test_one_row_tells_all_that_is_wrong_with_it(typer):
    batch = judge(typer, [{"id": "1", "whole": "x", "amount": "y", "ticks": -1}])
    assert batch.quarantined["reason"].to_pylist() == [
        "whole: not a whole number: x; amount: not a number of at most 12 digits before the point "
        "and 6 after it: y; ticks: below 0: -1"
    ]
    assert codes(batch) == [("wrong_type", "whole")]


@pytest.mark.parametrize("kind", ["moment", "local", "ticks"])
@pytest.mark.parametrize("minutes, expected", [(-1, []), (4, []), (6, ["future_time"])])
def test_times_after_the_sources_now_are_quarantined(typer, kind, minutes, expected):
    moment = START + timedelta(minutes=minutes)
    value = {
        "moment": moment.isoformat(),
        "local": f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}",
        "ticks": int(moment.timestamp() * 1000),
    }[kind]
    batch = judge(typer, [{"id": "1", kind: value}])
    assert [code for code, _ in codes(batch)] == expected


def test_a_source_with_a_fast_clock_is_not_in_the_future(typer):
    ahead = START + timedelta(minutes=30)
    row = {"id": "1", "moment": ahead.isoformat()}
    assert codes(judge(typer, [row])) == [("future_time", "moment")]
    assert codes(judge(typer, [row], now=START + timedelta(minutes=30))) == []


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Asia/Tokyo", "2026-11-03T00:00:00Z", []),
        ("Asia/Tokyo", "2026-11-04T00:00:00Z", ["future_time"]),
        ("UTC", "2026-11-02T20:01:00Z", []),
        ("UTC", "2026-11-03T00:00:00Z", ["future_time"]),
        ("America/New_York", "2026-11-03T00:00:00Z", ["future_time"]),
    ],
)
def test_a_day_that_has_begun_where_the_source_is_is_not_the_future(zone, day, expected):
    now = datetime(2026, 11, 2, 20, 0, tzinfo=UTC)
    with BatchTyper("sys", ZoneInfo(zone)) as typer:
        batch = judge(typer, [{"id": "1", "dated": day}], now=now)
    assert [code for code, _ in codes(batch)] == expected


def test_the_repeated_hour_is_not_the_future(typer):
    # 01:05 for the second time; 01:50 was shown forty-five minutes ago and will be again.
    now = datetime(2026, 11, 1, 6, 5, tzinfo=UTC)
    rows = [
        {"id": "1", "local": "2026-11-01 01:50:00"},
        {"id": "2", "local": "2026-11-01 02:00:00"},
    ]
    assert codes(judge(typer, rows, now=now)) == [("future_time", "local")]


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
)
def test_latest_local_is_the_last_time_shown(limit, name):
    zone = ZoneInfo(name)
    latest = latest_local(limit, zone)
    assert earliest_instant(latest, zone) <= limit
    assert earliest_instant(latest + timedelta(microseconds=1), zone) > limit
    assert latest >= limit.astimezone(zone).replace(tzinfo=None)


def test_the_hash_ignores_transport_and_nothing_else(typer):
    base = {"id": "1", "text": "a", "whole": 1}
    batch = judge(
        typer, [base, {**base, "seq": 9}, {**base, "text": None}, {**base, "text": ""}, {**base}]
    )
    first, resent, null, empty, again = batch.accepted["_content_hash"].to_pylist()
    assert first == resent == again
    assert len({first, null, empty}) == 3


def test_half_a_character_pair_does_not_stop_a_load(typer):
    batch = judge(typer, [{"id": "1", "text": "\ud800 broken"}, {"id": "2", "text": "fine"}])
    assert batch.accepted["text"].to_pylist() == ["? broken", "fine"]


def test_an_empty_batch_has_the_right_shape(typer):
    batch = typer.type(contract_of("demo_oms", "order_lines"), [], "x1", 0, START)
    assert batch.accepted.num_rows == batch.quarantined.num_rows == 0
    assert batch.accepted.schema.field("qty").type == pa.decimal128(18, 6)


def test_midnights_are_counted_by_document(typer):
    rows = [
        {
            "id": str(number),
            "moment": f"2026-11-0{number}T00:00:00.000Z",
            "local": f"2026-11-0{number} 0{number}:00:00",
            "day": "2026-11-01",
        }
        for number in (1, 2, 2, 3)
    ]
    batch = judge(typer, [*rows, {"id": "9"}])
    assert batch.timed == {"local"}
    assert batch.midnights == {"moment": 3}
    rows[0]["moment"] = "2026-11-01T00:00:01.000Z"
    batch = judge(typer, rows)
    assert batch.timed == {"moment", "local"}
    assert batch.midnights == {"moment": 2}
