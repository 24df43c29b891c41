"""Two systems of one role side by side: what both told and told alike over a period, and what not.

For a cutover: the old and the new ERP run beside each other, and the new one may take over when
this report is clean for as long as the oldest document that is still open. All of it is SQL over
sets, over a published build.

What is compared, by an identity that both share and never by a system's own numbers:

- milestones of order lines, packages and whole orders: the object, the milestone, and the document
  where it is not the system's own (a shipment that is invoiced in two parts is two facts);
- movements of stock: document, kind, item and place;
- balances: item, place and state, as each last showed all of them by the end of the period;
- item masters: the item, as it stands in the build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from registry.errors import ConfigurationError
from reporting import terminal
from reporting.lists import Row, records

DEFAULT_TOLERANCE = 60
GRAINS = ("day", "month")
VERDICTS = ("equal", "different", "only_old", "only_new", "pending")
FIELDS = ("times", "quantity", "unit_price", "currency", "item", "location", "occurred")

# One row a fact and system; several records of one fact (partial postings, doubles) are summed.
# What is a sum of nothing told is null. Texts are sets, so that their order makes no difference.
_PAIRS = """
create or replace temporary table parity_pairs as
with told as (
    select
        system,
        object_type as kind,
        milestone,
        coalesce(object_id, document, own_document, record_id) as object_id,
        case when document is distinct from own_document then document end as document,
        item_id,
        location_id,
        quantity,
        unit_price,
        currency,
        occurred_at,
        occurred_from,
        occurred_to,
        recorded_to,
        raw_key
    from core.order_events
    where system in ($old, $new) and reversed_from is null
    union all by name
    select
        system,
        'movement' as kind,
        movement_kind as milestone,
        coalesce(document, record_id) as object_id,
        concat_ws('@', item_id, location_id) as document,
        item_id,
        location_id,
        on_hand_change as quantity,
        coalesce(occurred_at, recorded_to) as occurred_at,
        coalesce(occurred_at, recorded_from) as occurred_from,
        coalesce(occurred_at, recorded_to) as occurred_to,
        recorded_to,
        raw_key
    from core.inventory_movements
    where system in ($old, $new)
    union all by name
    -- What a system did not show in its last complete balance it holds none of: zero is no news.
    select
        system,
        'position' as kind,
        state as milestone,
        concat_ws('@', item_id, location_id) as object_id,
        item_id,
        location_id,
        quantity,
        raw_key
    from (
        -- One reading may show each place, or each page, as of a moment of its own.
        select
            *,
            max(as_of) over one_reading as read_at,
            max(as_of_to) over one_reading as read_by
        from core.inventory_positions
        where system in ($old, $new)
        window one_reading as (partition by system, entity, extraction_id)
    )
    where read_by <= $until
    qualify
        dense_rank() over (
            partition by system, entity order by read_at desc, extraction_id desc
        ) = 1
        and quantity <> 0
    union all by name
    select
        system,
        'item' as kind,
        'in_master' as milestone,
        coalesce(item_id, source_item) as object_id,
        item_id,
        cast(pack_numerator as decimal(38, 6)) / pack_denominator as quantity,
        list_price as unit_price,
        currency,
        raw_key
    from core.dim_items
    where system in ($old, $new)
),

facts as (
    select
        kind,
        milestone,
        object_id,
        document,
        system,
        count(*) as times,
        sum(quantity) as quantity,
        list_sort(list_distinct(list(unit_price))) as unit_price,
        list_sort(list_distinct(list(currency))) as currency,
        list_sort(list_distinct(list(item_id))) as item,
        list_sort(list_distinct(list(location_id))) as location,
        min(occurred_at) as occurred,
        min(occurred_from) as occurred_from,
        max(occurred_to) as occurred_to,
        max(recorded_to) as recorded_to,
        list_sort(list(raw_key)) as raw_keys
    from told
    group by kind, milestone, object_id, document, system
),

paired as (
    select
        coalesce(old_facts.kind, new_facts.kind) as kind,
        coalesce(old_facts.milestone, new_facts.milestone) as milestone,
        coalesce(old_facts.object_id, new_facts.object_id) as object_id,
        coalesce(old_facts.document, new_facts.document) as document,
        -- A state has no moment of its own: it is what stands at the end of the period.
        coalesce(least(old_facts.occurred, new_facts.occurred), $until) as occurred,
        coalesce(greatest(old_facts.occurred, new_facts.occurred), $since) as last_occurred,
        greatest(old_facts.recorded_to, new_facts.recorded_to) as recorded_to,
        case when old_facts.system is not null then old_facts end as old_told,
        case when new_facts.system is not null then new_facts end as new_told
    from (select * from facts where system = $old) as old_facts
    full join (select * from facts where system = $new) as new_facts
        on
            old_facts.kind = new_facts.kind
            and old_facts.milestone = new_facts.milestone
            and old_facts.object_id = new_facts.object_id
            and old_facts.document is not distinct from new_facts.document
),

-- In the period is what either of the two says was: else what one dates to the day before the
-- period would be missing in it on one side only.
compared as (
    select
        *,
        list_filter(
            [
                case when old_told.times <> new_told.times then 'times' end,
                case
                    when old_told.quantity is distinct from new_told.quantity then 'quantity'
                end,
                case
                    when old_told.unit_price is distinct from new_told.unit_price
                        then 'unit_price'
                end,
                case
                    when old_told.currency is distinct from new_told.currency then 'currency'
                end,
                case when old_told.item is distinct from new_told.item then 'item' end,
                case
                    when old_told.location is distinct from new_told.location then 'location'
                end,
                -- Moments that can't be the same one, and lie apart by more than is tolerated.
                case
                    when
                        abs(epoch(old_told.occurred) - epoch(new_told.occurred)) > $tolerance * 60
                        and (
                            old_told.occurred_from > new_told.occurred_to
                            or new_told.occurred_from > old_told.occurred_to
                        )
                        then 'occurred'
                end
            ],
            lambda field: field is not null
        ) as fields
    from paired
    where occurred <= $until and last_occurred >= $since
)

select
    kind,
    milestone,
    date_trunc($grain, occurred) as period,
    object_id,
    document,
    case
        when old_told is not null and new_told is not null
            then case when len(fields) = 0 then 'equal' else 'different' end
        -- The other one may still follow: that is not known yet.
        when recorded_to > $known_until - to_minutes($tolerance) then 'pending'
        when new_told is null then 'only_old'
        else 'only_new'
    end as verdict,
    case when old_told is null or new_told is null then [] else fields end as fields,
    old_told,
    new_told
from compared
"""

_SUMMARY = """
select
    kind,
    milestone,
    strftime(period at time zone 'UTC', $shape) as period,
    count_if(verdict = 'equal') as equal,
    count_if(verdict = 'different') as different,
    count_if(verdict = 'only_old') as only_old,
    count_if(verdict = 'only_new') as only_new,
    count_if(verdict = 'pending') as pending
from parity_pairs
group by all
order by all
"""

_DIFFERENCES = """
select
    kind,
    milestone,
    strftime(period at time zone 'UTC', $shape) as period,
    verdict,
    object_id,
    document,
    fields,
    old_told.raw_keys as old_records,
    new_told.raw_keys as new_records,
    old_told,
    new_told
from parity_pairs
where verdict in ('different', 'only_old', 'only_new')
order by all
"""

_FEEDS = """
select
    system,
    entity,
    watermark_at
from reconciliation.feed_watermarks
where system in ($old, $new)
order by watermark_at nulls first, system, entity
"""

_REFUSED = """
select
    system,
    count(*) as refused
from intermediate.int_open_quarantine
where system in ($old, $new)
group by system
"""


def parity(
    connection: duckdb.DuckDBPyConnection,
    old: str,
    new: str,
    since: datetime,
    until: datetime | None = None,
    grain: str = "day",
    tolerance: int = DEFAULT_TOLERANCE,
) -> dict[str, Any]:
    """What two systems of one role told over a period, fact by fact::

        old, new, since, until, known_until, grain, tolerance_minutes
        has_parity: bool          some facts, all equal, and no record of the two refused
        verdict: str              the same as one line
        totals: {equal, different, only_old, only_new, pending}
        refused: {system: int}    records in quarantine, of which nothing is known
        summary: [{kind, milestone, period, and the five counts}]
        differences: [{kind, milestone, period, verdict, object_id, document, fields, old, new,
                       old_records, new_records}]   old and new: the compared values; the records:
                                                    keys as `raw_key` has them

    ``until`` defaults to, and goes no further than, what both have told completely. Two moments
    within ``tolerance`` minutes count as one, and as long may the other system take to follow.
    Raises ConfigurationError for systems that can't be compared or a period that can't be known.
    """
    if grain not in GRAINS:
        raise ConfigurationError(f"no grain '{grain}'; there are: {', '.join(GRAINS)}")
    _must_be_comparable(connection, old, new)
    systems = {"old": old, "new": new}
    known_until = _known_until(connection, systems)
    end = min(until or known_until, known_until)
    if since >= end:
        raise ConfigurationError(
            f"nothing can be compared from {terminal.moment(since)} on: {old} and {new} have "
            f"told everything only until {terminal.moment(known_until)} UTC"
            if until is None or until > known_until
            else "the period ends before it begins: --until must be later than --since"
        )
    connection.execute(
        _PAIRS,
        {
            **systems,
            "since": since,
            "until": end,
            "known_until": known_until,
            "grain": grain,
            "tolerance": tolerance,
        },
    )
    shape = {"shape": "%Y-%m" if grain == "month" else "%Y-%m-%d"}
    summary = records(connection, _SUMMARY, shape)
    differences = [_difference(row) for row in records(connection, _DIFFERENCES, shape)]
    refused = {row["system"]: row["refused"] for row in records(connection, _REFUSED, systems)}
    totals = {verdict: sum(row[verdict] for row in summary) for verdict in VERDICTS}
    report = {
        **systems,
        "since": since,
        "until": end,
        "known_until": known_until,
        "grain": grain,
        "tolerance_minutes": tolerance,
        "has_parity": bool(totals["equal"]) and not differences and not refused,
        "totals": totals,
        "refused": refused,
        "summary": summary,
        "differences": differences,
    }
    return {**report, "verdict": _verdict(report)}


def _must_be_comparable(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    roles = dict(connection.execute("select system, role from core.dim_systems").fetchall())
    for system in (old, new):
        if system not in roles:
            raise ConfigurationError(
                f"no system '{system}' in the published build; there are: "
                f"{', '.join(sorted(roles))}"
            )
    if old == new:
        raise ConfigurationError(f"'{old}' can't be compared with itself: name two systems")
    if roles[old] != roles[new]:
        raise ConfigurationError(
            f"{old} is of the role {roles[old]} and {new} of {roles[new]}: a parity report "
            "compares two systems of one role"
        )


def _known_until(connection: duckdb.DuckDBPyConnection, systems: dict[str, str]) -> datetime:
    feeds = records(connection, _FEEDS, systems)
    silent = [f"{row['system']}.{row['entity']}" for row in feeds if row["watermark_at"] is None]
    if silent or {row["system"] for row in feeds} != set(systems.values()):
        raise ConfigurationError(
            f"never read completely: {', '.join(silent) or 'any feed of one of the two'}; "
            "run `tallyman sync` and see `tallyman doctor`"
        )
    return min(row["watermark_at"] for row in feeds)


def _difference(row: Row) -> Row:
    """A row of the query with both sides as {field: value}: all fields, if only one told it."""
    old, new = row.pop("old_told"), row.pop("new_told")
    names = row["fields"] or FIELDS
    return {
        **row,
        "old": {name: _shown(old[name]) for name in names} if old else None,
        "new": {name: _shown(new[name]) for name in names} if new else None,
        "old_records": row["old_records"] or [],
        "new_records": row["new_records"] or [],
    }


def _shown(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(str(_shown(one)) for one in value) or None
    if isinstance(value, datetime):
        return terminal.moment(value)
    if value is None or isinstance(value, str):
        return value
    return terminal.number(value)


def _verdict(report: Mapping[str, Any]) -> str:
    totals = report["totals"]
    facts = sum(totals.values())
    period = f"{terminal.moment(report['since'])} to {terminal.moment(report['until'])} UTC"
    if report["has_parity"]:
        waiting = f", {totals['pending']:,} not known yet" if totals["pending"] else ""
        return f"Parity: {totals['equal']:,} of {facts:,} facts are equal{waiting}, {period}."
    if not facts:
        return f"No parity: neither of the two told anything, {period}."
    found = [
        f"{totals['different']:,} differ" if totals["different"] else "",
        f"{totals['only_old']:,} only in {report['old']}" if totals["only_old"] else "",
        f"{totals['only_new']:,} only in {report['new']}" if totals["only_new"] else "",
        *(f"{count:,} refused of {system}" for system, count in report["refused"].items()),
        f"{totals['pending']:,} not known yet" if totals["pending"] else "",
    ]
    return f"No parity: of {facts:,} facts {', '.join(filter(None, found))}, {period}."


def print_parity(report: Mapping[str, Any], console: Console, limit: int = 50) -> None:
    """The counts by object kind, milestone and period, what differs by name, and the verdict."""
    old, new = report["old"], report["new"]
    counts = terminal.table(title=f"{old} and {new}")
    for heading in ("Kind", "Milestone", report["grain"].title()):
        counts.add_column(heading, no_wrap=True)
    for heading in ("Equal", "Differ", f"Only {old}", f"Only {new}", "Not known yet"):
        counts.add_column(heading, justify="right")
    for row in report["summary"]:
        counts.add_row(
            row["kind"].replace("_", " "),
            row["milestone"].replace("_", " "),
            row["period"],
            *(f"{row[verdict]:,}" for verdict in VERDICTS),
        )
    if report["summary"]:
        console.print(counts)
    differences: Sequence[Mapping[str, Any]] = report["differences"]
    if differences:
        view = terminal.table("Object", "Milestone", "What", "Records", title="What differs")
        for row in differences[:limit]:
            view.add_row(
                escape(" ".join(filter(None, (row["object_id"], row["document"])))),
                row["milestone"].replace("_", " "),
                escape(_what(row, old, new)),
                escape("\n".join([*row["old_records"], *row["new_records"]])),
            )
        console.print(view)
        if len(differences) > limit:
            console.print(
                f"{limit} of {len(differences):,} shown; see more with --limit or --json."
            )
    style = "green" if report["has_parity"] else "red"
    console.print(f"[{style}]{escape(report['verdict'])}[/]")


def _what(row: Mapping[str, Any], old: str, new: str) -> str:
    if row["verdict"] == "only_old":
        return f"only in {old}"
    if row["verdict"] == "only_new":
        return f"only in {new}"
    return "; ".join(
        f"{field.replace('_', ' ')}: {row['old'][field]} in {old}, {row['new'][field]} in {new}"
        for field in row["fields"]
    )
