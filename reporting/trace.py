"""One order on one screen: every raw record, milestone, exception and correction, in time order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from registry.contracts import load_contracts
from registry.errors import TallymanError
from reporting import terminal
from reporting.lists import Row, records, short_key

RAW_WIDTH = 400  # characters of a raw record that are kept for showing
ORDERS_NAMED = 5  # of those that go by one name
REFERS = """
    or (
        cast(landed.{reference} as varchar) in $names
        and not exists (
            select 1
            from core.order_events as events
            where
                events.entity = $entity
                and events.system = landed._system
                and events.record_id = landed._record_id
                and events.order_id <> $order_id
        )
    )
"""


class UnknownOrderError(TallymanError):
    """No system has told of this order."""

    exit_code = 2


class AmbiguousOrderError(TallymanError):
    """Several orders go by this name."""

    exit_code = 2


@dataclass(frozen=True)
class RawRecord:
    """One version of one record as a system told it; ``version`` counts from 1 (quarantine: 0).

    ``first_seen_at``/``last_seen_at``: the extractions that brought this version first and last.
    ``raw`` is shortened. ``quarantined``: why it could not be used, None when it could.
    """

    system: str
    entity: str
    record_id: str
    first_seen_at: datetime
    last_seen_at: datetime
    extraction_id: str
    raw: str
    version: int
    quarantined: str | None = None


@dataclass(frozen=True)
class Milestone:
    """A milestone of one order line or package as one system told it."""

    system: str
    milestone: str
    object_id: str
    occurred_at: datetime | None
    recorded_at: datetime | None
    reversed_at: datetime | None
    quantity: Decimal | None
    document: str | None
    source_status: str | None
    is_echo: bool
    raw_key: str

    @property
    def at(self) -> datetime | None:
        return self.occurred_at or self.recorded_at


@dataclass(frozen=True)
class ExceptionEpisode:
    """A disagreement about this order, from when to when."""

    rule_id: str
    title: str
    object_id: str
    status: str
    system: str | None
    due_at: datetime | None
    opened_at: datetime | None
    closed_at: datetime | None
    value_at_risk: Decimal | None
    currency: str | None
    expected_value: str | None
    observed_value: str | None
    held_reason: str | None


@dataclass(frozen=True)
class CorrectionStep:
    """A correction of this order reaching a state."""

    correction_key: str
    rule_id: str
    object_id: str
    kind: str
    target_system: str
    state: str
    at: datetime
    old_value: str | None
    new_value: str | None
    target_record_id: str | None
    reason: str | None


@dataclass(frozen=True)
class Trace:
    """Everything about one order; each list is in time order.

    ``names`` are the identifiers under which systems know the order: its own number, documents,
    shipments, tracking numbers.
    """

    order_id: str
    lines: tuple[str, ...]
    names: tuple[str, ...]
    raw: tuple[RawRecord, ...]
    milestones: tuple[Milestone, ...]
    exceptions: tuple[ExceptionEpisode, ...]
    corrections: tuple[CorrectionStep, ...]


def trace_order(connection: duckdb.DuckDBPyConnection, order_number: str) -> Trace:
    """Gather one order from a published build.

    ``order_number`` may be any name of the order: also a document, shipment or tracking number.
    Raises UnknownOrderError, AmbiguousOrderError.
    """
    order_id = _resolve(connection, order_number.strip())
    events = _events(connection, order_id)
    lines = sorted({event["order_line_id"] for event in events if event["order_line_id"]})
    objects = {order_id, *lines} | {event["object_id"] for event in events} - {None}
    # Two ERPs may have given one number: a document is known by its system and its number.
    documents = {
        (event["system"], name)
        for event in events
        for name in (event["document"], _own_document(event))
        if name is not None
    }
    names = objects | {name for _, name in documents}
    return Trace(
        order_id=order_id,
        lines=tuple(lines),
        names=tuple(sorted(names)),
        raw=tuple(_raw_records(connection, order_id, names, events)),
        milestones=tuple(_milestone(event) for event in events),
        exceptions=tuple(_exceptions(connection, order_id, names)),
        corrections=tuple(_corrections(connection, objects, documents)),
    )


def _resolve(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    found = connection.execute(
        """
        with named as (
            select order_id, 1 as preference from core.order_events
            where order_id = $name
            union all
            select order_id, 2 from core.order_events
            where $name in (order_line_id, document, own_document)
            union all
            select order_id, 3 from core.object_links
            where object_key = $name
        )

        select distinct order_id
        from named
        where order_id is not null
        qualify preference = min(preference) over ()
        order by order_id
        """,
        {"name": name},
    ).fetchall()
    if not found:
        raise UnknownOrderError(
            f"no system has told of an order '{name}': give an order, document, shipment or "
            "tracking number, written as its system writes it"
        )
    if len(found) > 1:
        shown = ", ".join(str(order) for (order,) in found[:ORDERS_NAMED])
        more = f" and {len(found) - ORDERS_NAMED} more" if len(found) > ORDERS_NAMED else ""
        raise AmbiguousOrderError(f"'{name}' names {shown}{more}: give the number of the order")
    return str(found[0][0])


def _events(connection: duckdb.DuckDBPyConnection, order_id: str) -> list[Row]:
    """Milestones of the order's lines, and of the packages in which they travelled."""
    return records(
        connection,
        """
        with packages as (
            select distinct object_key
            from core.object_links
            where object_type = 'package' and order_id = $order_id
        )

        select
            system,
            entity,
            record_id,
            milestone,
            object_id,
            order_line_id,
            document,
            own_document,
            quantity,
            source_status,
            occurred_at,
            recorded_to as recorded_at,
            reversed_to as reversed_at,
            is_echo,
            raw_key
        from core.order_events
        where
            order_id = $order_id
            or (object_type = 'package' and object_id in (select object_key from packages))
        order by coalesce(occurred_at, recorded_to), recorded_to, system, milestone, object_id
        """,
        {"order_id": order_id},
    )


def _own_document(event: Row) -> str | None:
    """The document that holds the milestone; not the milestone's own number, which names nothing
    else (a tracking event's)."""
    own: str | None = event["own_document"]
    return None if own == event["record_id"] else own


def _milestone(event: Row) -> Milestone:
    return Milestone(
        system=event["system"],
        milestone=event["milestone"],
        object_id=event["object_id"] or event["record_id"],
        occurred_at=event["occurred_at"],
        recorded_at=event["recorded_at"],
        reversed_at=event["reversed_at"],
        quantity=event["quantity"],
        document=_own_document(event) or event["document"],
        source_status=event["source_status"],
        is_echo=bool(event["is_echo"]),
        raw_key=event["raw_key"],
    )


def _raw_records(
    connection: duckdb.DuckDBPyConnection,
    order_id: str,
    names: Iterable[str],
    events: Sequence[Row],
) -> list[RawRecord]:
    """Records that made a milestone, and those that refer to the order without making one, not
    even of another order."""
    told: dict[str, list[str]] = defaultdict(list)
    for event in events:
        told[event["entity"]].append(f"{event['system']}|{event['record_id']}")
    found: list[RawRecord] = []
    for view, reference in _landing_views(connection):
        entity = view.partition("__")[2]
        refers = REFERS.format(reference=reference) if reference else ""
        rows = records(
            connection,
            f"""
            with observed as (
                select
                    _system,
                    _record_id,
                    _content_hash,
                    _extraction_id,
                    _extracted_at,
                    _sequence,
                    _raw,
                    lag(_content_hash) over versions is distinct from _content_hash as is_new
                from landing."{view}" as landed
                where concat_ws('|', _system, _record_id) in $told {refers}
                window versions as (
                    partition by _system, _record_id order by _extracted_at, _sequence
                )
            ),

            numbered as (
                select
                    *,
                    count_if(is_new) over (
                        partition by _system, _record_id order by _extracted_at, _sequence
                    ) as version_number
                from observed
            )

            select
                _system as system,
                _record_id as record_id,
                min(_extracted_at) as first_seen_at,
                max(_extracted_at) as last_seen_at,
                arg_min(_extraction_id, (_extracted_at, _sequence)) as extraction_id,
                left(any_value(_raw), {RAW_WIDTH}) as raw,
                version_number as version
            from numbered
            group by _system, _record_id, version_number
            """,
            {
                "told": told.get(entity, []),
                **(
                    {"names": list(names), "order_id": order_id, "entity": entity} if refers else {}
                ),
            },
        )
        found += [RawRecord(entity=entity, **row) for row in rows]
    for row in records(
        connection,
        f"""
        select
            system,
            entity,
            record_id,
            quarantined_at as first_seen_at,
            quarantined_at as last_seen_at,
            extraction_id,
            left(raw, {RAW_WIDTH}) as raw,
            0 as version,
            reason as quarantined
        from landing.quarantine
        where reference in $names
        """,
        {"names": list(names)},
    ):
        found.append(RawRecord(**row))
    return sorted(
        found, key=lambda r: (r.first_seen_at, r.system, r.entity, r.version, r.record_id)
    )


def _landing_views(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None]]:
    """Views of sources (not our own records), and the column by which a record names its order."""
    references = {contract.name: contract.reference_column for contract in load_contracts()}
    views = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'landing' "
        "and contains(view_name, '__') and not starts_with(view_name, 'tallyman__') order by 1"
    ).fetchall()
    return [(view, references.get(view)) for (view,) in views]


def _exceptions(
    connection: duckdb.DuckDBPyConnection, order_id: str, names: Iterable[str]
) -> list[ExceptionEpisode]:
    rows = records(
        connection,
        """
        select
            rule_id,
            title,
            object_id,
            status,
            system,
            due_at,
            opened_at,
            closed_at,
            value_at_risk,
            currency,
            expected_value,
            observed_value,
            held_reason
        from marts.exceptions
        where
            order_id = $order_id
            or starts_with(order_line_id, $order_id || '/')
            -- A package, or a document that no order is known of.
            or (object_id in $names and (order_id is null or object_type = 'package'))
        order by coalesce(opened_at, due_at), rule_id, object_id
        """,
        {"names": list(names), "order_id": order_id},
    )
    return [ExceptionEpisode(**row) for row in rows]


def _corrections(
    connection: duckdb.DuckDBPyConnection,
    objects: Iterable[str],
    documents: Iterable[tuple[str, str]],
) -> list[CorrectionStep]:
    """Each state that a load has seen a correction in; what came between two loads is not told."""
    rows = records(
        connection,
        """
        with versions as (
            select
                *,
                lag(state) over (
                    partition by correction_key order by updated_at, _extracted_at, _sequence
                ) is distinct from state as is_new
            from landing.tallyman__corrections
            where
                object_id in $objects
                or concat_ws('|', target_system, object_id) in $documents
        )

        select
            correction_key,
            rule_id,
            object_id,
            kind,
            target_system,
            state,
            updated_at as at,
            old_value,
            new_value,
            target_record_id,
            state_reason as reason
        from versions
        where is_new
        order by updated_at, correction_key
        """,
        {
            "objects": list(objects),
            "documents": [f"{system}|{name}" for system, name in documents],
        },
    )
    return [CorrectionStep(**row) for row in rows]


def print_trace(trace: Trace, console: Console) -> None:
    """The order's story, then the records behind it; laid out for 100 columns."""
    others = [name for name in trace.names if name not in {trace.order_id, *trace.lines}]
    lines = len(trace.lines)
    console.print(
        Panel(
            f"{lines} line{'s' if lines != 1 else ''} · also known as {', '.join(others) or '-'}",
            title=f"[bold]{escape(trace.order_id)}[/]",
            title_align="left",
            border_style="dim",
        )
    )
    _print_story(trace, console)
    _print_raw(trace, console)


def _print_story(trace: Trace, console: Console) -> None:
    view = terminal.table(title="What happened (UTC)")
    view.add_column("When", no_wrap=True)
    view.add_column("Who", no_wrap=True)
    view.add_column("What", no_wrap=True)
    view.add_column("About", overflow="fold")
    entries: list[tuple[datetime | None, str, str, str]] = [
        *_milestone_entries(trace),
        *_exception_entries(trace),
        *_correction_entries(trace),
    ]
    unknown = datetime.max.replace(tzinfo=UTC)
    for at, who, what, about in sorted(entries, key=lambda entry: entry[0] or unknown):
        view.add_row(terminal.moment(at) or "unknown", who, what, about)
    console.print(view)


def _milestone_entries(trace: Trace) -> list[tuple[datetime | None, str, str, str]]:
    """Lines that took the same step together are one entry."""
    together: dict[tuple[Any, ...], list[Milestone]] = defaultdict(list)
    for step in trace.milestones:
        together[step.at, step.system, step.milestone, step.document, step.is_echo].append(step)
        if step.reversed_at is not None:
            key = (step.reversed_at, step.system, f"{step.milestone} taken back", step.document)
            together[*key, False].append(step)
    entries = []
    for (at, system, milestone, document, is_echo), steps in together.items():
        parts = [
            _within(trace, step.object_id)
            + (f" × {terminal.number(step.quantity)}" if step.quantity is not None else "")
            for step in sorted(steps, key=lambda step: step.object_id)
        ]
        about = escape(", ".join(dict.fromkeys(parts)))
        if document and document not in about:
            about += f" [dim]{escape(document)}[/]"
        if is_echo:
            about += " [cyan](our correction)[/]"
        entries.append((at, system, milestone.replace("_", " "), about))
    return entries


def _exception_entries(trace: Trace) -> list[tuple[datetime | None, str, str, str]]:
    """Lines about which the same rule spoke at the same time are one entry."""
    together: dict[tuple[Any, ...], list[ExceptionEpisode]] = defaultdict(list)
    for row in trace.exceptions:
        if row.opened_at is None:
            together[row.due_at, "[yellow]due[/]", row.rule_id, row.held_reason].append(row)
        else:
            together[row.opened_at, "[bold red]exception[/]", row.rule_id, None].append(row)
        if row.closed_at is not None:
            together[row.closed_at, "[green]closed[/]", row.rule_id, None].append(row)
    entries = []
    for (at, what, rule_id, held_reason), rows in together.items():
        objects = ", ".join(dict.fromkeys(_within(trace, row.object_id) for row in rows))
        about = f"{rule_id} {escape(rows[0].title)}: {escape(objects)}"
        if what == "[bold red]exception[/]":
            about += _stakes(rows)
        if held_reason:
            about += f" [dim](held: {escape(held_reason)})[/]"
        entries.append((at, "tallyman", what, about))
    return entries


def _stakes(rows: Sequence[ExceptionEpisode]) -> str:
    """What was expected and what it puts at risk; amounts are added within a currency only."""
    text = "".join(
        f", expected {escape(row.expected_value)}, seen {escape(str(row.observed_value))}"
        for row in rows
        if row.expected_value is not None
    )
    at_risk: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.value_at_risk is not None:
            at_risk[row.currency or ""] += row.value_at_risk
    return text + (f", {terminal.amounts(at_risk)} at risk" if at_risk else "")


def _within(trace: Trace, object_id: str) -> str:
    """A line by its number, anything else by its name."""
    prefix = f"{trace.order_id}/"
    return f"line {object_id.removeprefix(prefix)}" if object_id.startswith(prefix) else object_id


def _correction_entries(trace: Trace) -> list[tuple[datetime | None, str, str, str]]:
    return [
        (
            step.at,
            "tallyman",
            "correction",
            f"{terminal.state(step.state)}: {step.kind.replace('_', ' ')} in {step.target_system}"
            + (f" → {escape(step.target_record_id)}" if step.target_record_id else "")
            + f" [dim]{step.rule_id} {short_key(step.correction_key)}[/]",
        )
        for step in trace.corrections
    ]


def _print_raw(trace: Trace, console: Console) -> None:
    """Two lines each: which record, and how it begins. Lines of one document are told together."""
    together: dict[tuple[Any, ...], list[RawRecord]] = defaultdict(list)
    for record in trace.raw:
        document = record.record_id.partition("/")[0]
        seen = record.first_seen_at.replace(microsecond=0)
        place = (seen, record.system, record.entity, document)
        together[(*place, record.version, record.extraction_id, record.quarantined)].append(record)
    console.print("[bold]What each system said[/] [dim](when we first saw it, UTC)[/]\n")
    for (seen, system, entity, document, *_), records_ in together.items():
        first = records_[0]
        lines = ", ".join(r.record_id.removeprefix(document) for r in records_).lstrip("/")
        name = f"{document}/{lines}" if lines else document
        console.print(
            f"{terminal.moment(seen)}  {system:8} {entity} [bold]{escape(name)}[/]"
            f" [dim]extraction …{escape(first.extraction_id[-8:])}[/]"
            + (f" [dim]· version {first.version}[/]" if first.version > 1 else ""),
            highlight=False,
        )
        if first.quarantined is not None:
            console.print(f"  [bold red]in quarantine: {escape(first.quarantined)}[/]")
        raw = terminal.shortened(first.raw, console.width - 4)
        console.print(f"  [dim]{escape(raw)}[/]", highlight=False)
    again = sum(record.last_seen_at > record.first_seen_at for record in trace.raw)
    console.print(
        f"\n[dim]{len(trace.raw)} versions of records; {again} of them were seen again unchanged "
        "by later extractions.[/dim]"
    )
