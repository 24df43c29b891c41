"""Purchase order lines as people ask about them: on time or not, written down when, dirt and all.

Reads a published build; every figure is computed in SQL from the marts and only laid out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from reporting import terminal

ROWS_ON_SCREEN = 15
_TEXT_WIDTH = 36

_LINES = """
with landed as (
    select system, record_id from marts.purchase_order_deliveries
),

refused as (
    select distinct system, record_id
    from landing.quarantine
    where entity = 'purchase_order_lines'
    -- A line that a later file put right counts as landed.
    except
    select system, record_id from landed
)

select
    (select count(*) from landed) + (select count(*) from refused) as total,
    (select count(*) from landed) as landed,
    (select count(*) from refused) as quarantined
"""

_EVENT_LAG = """
select
    count(event_lag_days) as count,
    count(*) filter (where event_lag_days > 0) as late,
    count(*) filter (where event_lag_days < 0) as negative,
    quantile_cont(event_lag_days, 0.5) filter (where event_lag_days >= 0) as p50,
    quantile_cont(event_lag_days, 0.9) filter (where event_lag_days >= 0) as p90,
    quantile_cont(event_lag_days, 0.99) filter (where event_lag_days >= 0) as p99,
    max(event_lag_days) as max
from marts.purchase_order_deliveries
"""

# kpi_delivery has the counts; everything coarser is their sum, so the tables can't disagree.
_DELIVERY = """
select
    {columns}
    cast(sum(delivered_lines) as bigint) as lines,
    cast(sum(late_lines) as bigint) as late,
    cast(sum(early_lines) as bigint) as early,
    cast(sum(on_date_lines) as bigint) as on_date,
    round(sum(early_lines + on_date_lines) / nullif(sum(delivered_lines), 0), 6) as on_time_share
from marts.kpi_delivery
{grouping}
"""

# By the way in which the day of the order was read: a wrong reading shows here first.
_LEAD = """
select
    coalesce(ordered_on_method, 'all') as date_format,
    count(lead_days) as count,
    quantile_cont(lead_days, 0.5) as p50,
    quantile_cont(lead_days, 0.9) as p90
from marts.purchase_order_deliveries
where lead_days is not null
group by grouping sets ((ordered_on_method), ())
order by grouping(ordered_on_method) desc, ordered_on_method
"""

_EXCEPTIONS = """
select
    rule_id as rule,
    any_value(title) as title,
    count(distinct object_id) as found,
    count(distinct object_id) filter (where status = 'open') as open,
    count(distinct object_id) filter (where status = 'closed') as closed
from marts.exceptions
where
    status in ('open', 'closed')
    and object_id in (select order_line_id from marts.purchase_order_deliveries)
group by rule_id
order by rule_id
"""

_DIRT = """
select
    column_name as column,
    method,
    kept_value as text,
    cast(sum(value_count) as bigint) as values
from marts.mapping_methods
group by all
order by column_name, values desc, method, text
"""

_REFERENCES = """
select
    column_name as column,
    count(*) as references,
    count(*) filter (where resolution = 'resolved') as resolved,
    count(*) filter (where resolution = 'target_without_value') as target_without_value,
    count(*) filter (where resolution in ('dangling', 'ambiguous')) as unresolved
from (
    select 'weight_kg' as column_name, weight_resolution as resolution
    from marts.purchase_order_deliveries
    union all
    select 'freight_cost', freight_resolution from marts.purchase_order_deliveries
)
where resolution is not null
group by column_name
order by column_name
"""


def has_deliveries(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether this installation has purchase order lines, landed or refused."""
    return bool(_rows(connection, _LINES)[0]["total"])


def summarise_delivery(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The figures as plain values, ready for JSON.

    ``lines`` {total, landed, quarantined}: every line of the source is one or the other.
    ``event_lag_days`` {count, late, negative, p50, p90, p99, max}: days from delivery to record;
    quantiles are linear, over the lags that are not negative.
    ``delivery`` {lines, late, early, on_date, on_time_share}: delivered lines and their promise; on
    time is not after the promised day, so early counts. ``delivery_by_mode`` and
    ``delivery_by_vendor_and_mode``: lists of the same, most lines first.
    ``lead_days``: list of {date_format, count, p50, p90}, days from order to delivery, first of all
    lines whose day of the order is known, then by the format in which it was written.
    ``delivery_exceptions``: list of {rule, title, found, open, closed}.
    ``quarantined``: lines refused by contract. ``unmapped``: codes without a translation.
    ``dirt``: list of {column, method, text, values}; ``text`` where the source's text was kept.
    ``references``: list of {column, references, resolved, target_without_value, unresolved}.
    """
    lines = _rows(connection, _LINES)[0]
    dirt = _rows(connection, _DIRT)
    return {
        "lines": lines,
        "event_lag_days": _rows(connection, _EVENT_LAG)[0],
        "delivery": _delivery(connection)[0],
        "delivery_by_mode": _delivery(connection, "mode"),
        "delivery_by_vendor_and_mode": _delivery(connection, "vendor", "mode"),
        "lead_days": _rows(connection, _LEAD),
        "delivery_exceptions": _rows(connection, _EXCEPTIONS),
        "quarantined": lines["quarantined"],
        "unmapped": sum(row["values"] for row in dirt if row["method"] == "unmapped"),
        "dirt": dirt,
        "references": _rows(connection, _REFERENCES),
    }


def print_delivery(summary: Mapping[str, Any], console: Console) -> None:
    """The same for the terminal; long lists are cut, with a line that says so."""
    lines = summary["lines"]
    console.print(
        f"\n[bold]{lines['total']:,} purchase order lines[/bold]: {lines['landed']:,} landed, "
        f"{lines['quarantined']:,} quarantined, {summary['unmapped']:,} codes unmapped"
    )
    ways = Counter(row["column"] for row in summary["dirt"])
    _print_records(
        console,
        "How values were read, where not all in one way",
        [row for row in summary["dirt"] if ways[row["column"]] > 1],
    )
    _print_records(console, "Cross references between lines", summary["references"])
    _print_records(
        console, "Event lag: days from delivery to its record", [summary["event_lag_days"]]
    )
    _print_records(console, "Days from order to delivery", summary["lead_days"])
    by_vendor = summary["delivery_by_vendor_and_mode"]
    everything = {"mode": "all", **summary["delivery"]}
    _print_records(console, "On time, by mode", [everything, *summary["delivery_by_mode"]])
    _print_records(console, "On time, by vendor and mode", by_vendor[:ROWS_ON_SCREEN])
    if len(by_vendor) > ROWS_ON_SCREEN:
        console.print(
            f"  and {len(by_vendor) - ROWS_ON_SCREEN} more with fewer lines (--json has all)"
        )
    if summary["delivery_exceptions"]:
        _print_records(console, "Exceptions of these lines", summary["delivery_exceptions"])
    else:
        console.print("\nNo exceptions of these lines")


def _delivery(connection: duckdb.DuckDBPyConnection, *columns: str) -> list[dict[str, Any]]:
    """Delivery counts by the columns, most lines first; one row for all without any."""
    named = ", ".join(columns)
    grouping = f"group by {named} order by lines desc, {named}" if columns else ""
    prefix = f"{named}," if columns else ""
    return _rows(connection, _DELIVERY.format(columns=prefix, grouping=grouping))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _print_records(console: Console, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = terminal.table()
    for name in rows[0]:
        is_number = any(isinstance(row[name], int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(escape(_shown(name, value)) for name, value in row.items()))
    console.print(f"\n[bold]{title}[/bold]")
    console.print(table)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_share"):
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else terminal.shortened(value, _TEXT_WIDTH)
