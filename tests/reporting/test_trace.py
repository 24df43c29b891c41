"""One order on one screen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from reporting.trace import Trace, UnknownOrderError, print_trace, trace_order


@pytest.fixture
def trace(told) -> Trace:
    return trace_order(told, "SO-100123")


@pytest.mark.parametrize(
    "name", ["SO-100123", " SO-100123 ", "SO-100123/2", "E500123", "SHP-000123", "TRK0000123"]
)
def test_an_order_is_found_by_any_of_its_names(told, name) -> None:
    assert trace_order(told, name).order_id == "SO-100123"


def test_an_unknown_order_is_an_error_for_people(told) -> None:
    with pytest.raises(UnknownOrderError, match="no system has told of an order 'SO-1'"):
        trace_order(told, "SO-1")


def test_every_raw_record_of_the_order_is_there_and_no_other(trace) -> None:
    assert {(r.system, r.entity, r.record_id) for r in trace.raw} == {
        ("erp", "sales_order_lines", "E500123/10"),
        ("wms", "shipment_lines", "SHP-000123/1"),
        ("wms", "shipment_lines", "SHP-000123/9"),
        ("wms", "transactions", "4711"),
        ("carrier", "tracking_events", "EV1"),
    }
    (order,) = [r for r in trace.raw if r.system == "erp"]
    assert order.first_seen_at == datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    assert order.last_seen_at == datetime(2026, 11, 2, 8, 10, tzinfo=UTC)
    assert order.extraction_id == "extraction-0"
    assert len(order.raw) <= 400
    (refused,) = [r for r in trace.raw if r.quarantined]
    assert refused.quarantined == "qty is no number"


def test_a_value_that_came_back_is_a_version_of_its_own(told) -> None:
    told.execute(
        "insert into raw_erp.sales_order_lines select * replace ('other' as _content_hash, "
        "'2026-11-02 09:00:00Z'::timestamptz as _extracted_at) from raw_erp.sales_order_lines "
        "where _extraction_id = 'extraction-1'"
    )
    told.execute(
        "insert into raw_erp.sales_order_lines select * replace ("
        "'2026-11-02 10:00:00Z'::timestamptz as _extracted_at) from raw_erp.sales_order_lines "
        "where _extraction_id = 'extraction-1' and _content_hash <> 'other'"
    )
    versions = [r for r in trace_order(told, "SO-100123").raw if r.system == "erp"]
    assert len(versions) == 3


def test_milestones_exceptions_and_corrections_stand_in_time_order(trace) -> None:
    assert trace.lines == ("SO-100123/1", "SO-100123/2")
    assert [m.milestone for m in trace.milestones] == [
        "accepted",
        "accepted",
        "shipped",
        "shipped",
        "delivered",
        "shipped",
        "shipped",
    ]
    assert [m.is_echo for m in trace.milestones][-2:] == [True, True]
    assert [(e.rule_id, e.status) for e in trace.exceptions] == [
        ("S01", "closed"),
        ("S01", "closed"),
        ("F01", "open"),
        ("S05", "pending"),
    ]
    assert trace.exceptions[0].value_at_risk == Decimal("62.5")
    assert [(c.state, c.target_record_id) for c in trace.corrections] == [
        ("ready", None),
        ("awaiting_approval", None),
        ("accepted", "F700123"),
    ]


def test_the_screen_fits_100_columns_and_tells_the_story(trace) -> None:
    console = Console(width=100)
    with console.capture() as captured:
        print_trace(trace, console)
    screen = captured.get()
    assert max(map(len, screen.splitlines())) <= 100
    assert "line 1 × 5, line 2 × 5 SHP-000123" in screen
    assert "(our correction)" in screen
    assert "in quarantine: qty is no number" in screen
    order = [screen.index(text) for text in ("accepted", "delivered", "create fulfilment in erp")]
    assert order == sorted(order)


def test_markup_in_data_is_shown_and_not_obeyed(told) -> None:
    told.execute("update marts.exceptions set title = 'bad [/] [red]title'")
    console = Console(width=100)
    with console.capture() as captured:
        print_trace(trace_order(told, "SO-100123"), console)
    assert "[red]title" in captured.get()
