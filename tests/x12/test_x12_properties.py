"""What we write is what is read, whatever the values and separators; damage never goes unseen."""

from __future__ import annotations

import string
import tempfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from edi_partner import NOTICE_SETS, SUPPLIER_SETS, WAREHOUSE_SETS, Partner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.x12 import documents
from connectors.x12.edifact import read_edifact
from connectors.x12.interchange import (
    BadInterchangeError,
    Interchange,
    read_x12,
    split_interchanges,
)
from connectors.x12.profile import Separators
from connectors.x12.reading import plain_date, plain_number
from connectors.x12.writing import NewSet, write_x12

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NOW = datetime(2026, 11, 2, 9, 30, 15)
MARKS = "*|>:^!~%"
TEXTS = st.text(string.ascii_letters + string.digits + " -./&'#ÄÉß€漢", min_size=1, max_size=20)
VALUES = TEXTS.map(str.strip).filter(bool)
QUANTITIES = st.decimals("0.000001", "99999999", places=6).map(lambda n: f"{n.normalize():f}")


@st.composite
def separators(draw: Callable[..., Any]) -> Separators:
    element, component, repetition, segment = draw(
        st.permutations(MARKS).map(lambda marks: marks[:4])
    )
    return Separators(
        element=element,
        component=component,
        repetition=repetition,
        segment=segment,
        line_feed=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def partners() -> dict[str, Partner]:
    root = Path(tempfile.mkdtemp())
    return {
        "wms": Partner(root, "threepl", "wms", WAREHOUSE_SETS),
        "supplier": Partner(root, "acme", "supplier", SUPPLIER_SETS),
        "channel": Partner(root, "bigbox", "channel", NOTICE_SETS),
    }


def told(partner: Partner, marks: Separators, new: NewSet, entity: str) -> list[dict[str, Any]]:
    """The fields read back from a set of ours, written with some separators."""
    source = partner.source()
    profile = source.profile.model_copy(update={"separators": marks})
    version = "005010" if marks.line_feed else "004010"
    text = write_x12(profile, version, 42, NOW, [new])
    [chunk] = split_interchanges(text)
    interchange = read_x12(chunk)
    assert interchange.raw.strip() == text.decode().strip()
    read = source._translator.told(interchange, "outbound", "it")
    assert [verdict.problems for verdict in read.verdicts] == [()]
    return [dict(record.fields) for record in read.records[entity]]


@QUICK
@given(separators(), VALUES, st.lists(st.tuples(VALUES, QUANTITIES), min_size=1, max_size=5))
def test_a_release_comes_back_as_it_was(
    partners: dict[str, Partner], marks: Separators, order: str, lines: list[tuple[str, str]]
) -> None:
    payload = {
        "host_order": order,
        "location": "EAST",
        "lines": [
            {"host_line": str(n), "target_item": item, "quantity": quantity, "uom": "EA"}
            for n, (item, quantity) in enumerate(lines, start=1)
        ],
    }
    partner = partners["wms"]
    new = documents.warehouse_order(partner.profile, payload, "N", NOW)
    fields = told(partner, marks, new, "warehouse_order_lines")
    assert [(f["host_order"], f["item"], Decimal(f["quantity"])) for f in fields] == [
        (order, item, Decimal(quantity)) for item, quantity in lines
    ]


@QUICK
@given(separators(), VALUES, st.lists(st.tuples(VALUES, QUANTITIES, QUANTITIES), min_size=1))
def test_an_order_comes_back_as_it_was(
    partners: dict[str, Partner],
    marks: Separators,
    order: str,
    lines: list[tuple[str, str, str]],
) -> None:
    payload = {
        "po_number": order,
        "currency": "USD",
        "lines": [
            {"line_no": n, "target_item": item, "quantity": quantity, "unit_price": price}
            for n, (item, quantity, price) in enumerate(lines, start=1)
        ],
    }
    partner = partners["supplier"]
    new = documents.purchase_order(partner.profile, payload, NOW)
    fields = told(partner, marks, new, "purchase_order_lines")
    assert [
        (
            f["po_number"],
            f["line_number"],
            f["item"],
            Decimal(f["quantity"]),
            Decimal(f["unit_price"]),
        )
        for f in fields
    ] == [
        (order, str(n), item, Decimal(quantity), Decimal(price))
        for n, (item, quantity, price) in enumerate(lines, start=1)
    ]


@QUICK
@given(separators(), VALUES, st.lists(st.tuples(VALUES, QUANTITIES), min_size=1, max_size=5))
def test_a_ship_notice_comes_back_as_it_was(
    partners: dict[str, Partner], marks: Separators, shipment: str, lines: list[tuple[str, str]]
) -> None:
    payload = {
        "shipment_number": shipment,
        "po_number": "PO-1",
        "shipped_on": "2026-11-12",
        "lines": [
            {"line_record": n, "target_item": item, "quantity": quantity}
            for n, (item, quantity) in enumerate(lines, start=1)
        ],
    }
    partner = partners["channel"]
    new = documents.shipment_notice(partner.profile, payload, "00", "quantity", NOW)
    fields = told(partner, marks, new, "shipment_notice_lines")
    assert [(f["shipment_number"], f["item"], Decimal(f["quantity"])) for f in fields] == [
        (shipment, item, Decimal(quantity)) for item, quantity in lines
    ]


def sample(partners: dict[str, Partner]) -> bytes:
    new = NewSet("940", [["W05", "N", "SO-1"], ["LX", "1"], ["W01", "6", "EA", "", "VN", "SKU-1"]])
    return write_x12(partners["wms"].profile, "004010", 42, NOW, [new])


@QUICK
@given(st.data())
def test_a_cut_file_is_never_taken_for_a_whole_one(
    partners: dict[str, Partner], data: st.DataObject
) -> None:
    text = sample(partners)
    length = data.draw(st.integers(1, len(text.rstrip()) - 1))
    for chunk in split_interchanges(text[:length]):
        with pytest.raises(BadInterchangeError):
            read_x12(chunk)


@QUICK
@given(st.data())
def test_a_lost_or_doubled_segment_is_never_unseen(
    partners: dict[str, Partner], data: st.DataObject
) -> None:
    lines = sample(partners).decode().splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines) - 1))
    times = data.draw(st.sampled_from([0, 2]))
    text = "".join([*lines[:place], lines[place] * times, *lines[place + 1 :]]).encode()
    with pytest.raises(BadInterchangeError):
        [read_x12(chunk) for chunk in split_interchanges(text)]


@QUICK
@example(junk=b"UNA")
@given(st.binary(max_size=400) | st.binary(max_size=60).map(lambda b: b"UNB+UNOC:3" + b))
def test_any_bytes_are_read_or_refused(partners: dict[str, Partner], junk: bytes) -> None:
    text = sample(partners)
    for payload in (junk, text[:106] + junk, junk + text, text.replace(b"SO-1", junk)):
        chunks = list(split_interchanges(payload))
        assert all(chunk in payload for chunk in chunks)
        for chunk in chunks:
            for read in (read_x12, read_edifact):
                try:
                    assert isinstance(read(chunk), Interchange)
                except BadInterchangeError as error:
                    assert str(error)


@QUICK
@given(st.lists(st.integers(1, 999_999_999), min_size=1, max_size=5, unique=True))
def test_a_file_of_several_interchanges_is_split_where_they_meet(
    partners: dict[str, Partner], numbers: list[int]
) -> None:
    profile = partners["wms"].profile
    new = NewSet("940", [["W05", "N", "SO-1"]])
    texts = [write_x12(profile, "004010", number, NOW, [new]) for number in numbers]
    chunks = list(split_interchanges(b"\r\n".join(texts)))
    assert [chunk.strip() for chunk in chunks] == [text.strip() for text in texts]


@QUICK
@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-9999, max_value=9999)
)
def test_numbers_keep_their_value_in_every_spelling(number: Decimal) -> None:
    text = f"{number:f}"
    spellings = [text, text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text]
    if number >= 0:
        spellings += [f"+{text}", f"000{text}"]
    else:
        spellings.append(f"{text[1:]}-")
    for spelling in spellings:
        plain = plain_number(spelling)
        assert plain is not None and Decimal(plain) == number


@QUICK
@given(st.text(max_size=10))
def test_what_is_no_number_and_no_day_is_none(text: str) -> None:
    plain, day = plain_number(text), plain_date(text)
    assert plain is None or Decimal(plain) == Decimal(plain)
    assert day is None or datetime.fromisoformat(day)
