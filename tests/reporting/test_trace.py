"""One order on one screen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from reporting.trace import (
    AmbiguousOrderError,
    Trace,
    UnknownOrderError,
    print_trace,
    trace_order,
)


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


@pytest.fixture
def told_of_two_orders(told):
    """A second ERP has given the number of the first one's document to an order of its own."""
    told.execute(
        "insert into core.order_events by name select 'north' || record as event_id, system, "
        "entity, record as record_id, milestone, 'order_line' as object_type, "
        "'NO-7/1' as object_id, 'NO-7/1' as order_line_id, 'NO-7' as order_id, "
        "'E500123' as document, own as own_document, false as is_echo, "
        "'2026-11-01 11:00:00Z'::timestamptz as recorded_to, system || '|' || record as raw_key "
        "from (values ('erp_north', 'sales_order_lines', 'E500123/10', 'accepted', 'E500123'), "
        "('wms', 'shipment_lines', 'SHP-000777/1', 'shipped', 'SHP-000777')) "
        "as told (system, entity, record, milestone, own)"
    )
    told.execute(
        "insert into raw_wms.shipment_lines select * replace ('SHP-000777/1' as _record_id) "
        "from raw_wms.shipment_lines"
    )
    told.execute(
        "insert into marts.exceptions by name select 'o3' as exception_id, 'O03' as rule_id, "
        "'Same order twice' as title, 'order_document' as object_type, 'E500123' as object_id, "
        "'NO-7' as order_id, 'erp_north' as system, 'open' as status"
    )
    told.execute(
        "insert into raw_tallyman.corrections by name select * replace "
        "('north' as correction_key, 'E500123' as object_id, 'erp_north' as target_system, "
        "'cancel_order' as kind, 'ready' as state) from raw_tallyman.corrections limit 1"
    )
    return told


def test_a_number_that_two_erps_have_given_names_both_orders(told_of_two_orders) -> None:
    with pytest.raises(AmbiguousOrderError, match="'E500123' names NO-7, SO-100123: give the"):
        trace_order(told_of_two_orders, "E500123")


def test_what_goes_by_the_same_number_elsewhere_is_not_the_orders(told_of_two_orders) -> None:
    ours = trace_order(told_of_two_orders, "SO-100123")
    assert "SHP-000777/1" not in {record.record_id for record in ours.raw}
    assert "O03" not in {episode.rule_id for episode in ours.exceptions}
    assert {step.target_system for step in ours.corrections} == {"erp"}
    theirs = trace_order(told_of_two_orders, "NO-7")
    assert "SHP-000777/1" in {record.record_id for record in theirs.raw}
    assert {episode.rule_id for episode in theirs.exceptions} == {"O03"}
    assert [step.kind for step in theirs.corrections] == ["cancel_order"]


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
