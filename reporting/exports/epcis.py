"""EPCIS 2.0: the milestones of the published build as visibility events (JSON-LD).

Format: GS1 EPCIS 2.0 and CBV 2.0 (https://ref.gs1.org/standards/epcis/). Which milestone is which
event, business step and disposition is ``epcis_milestones.csv``; one without a row (a label, a
delay) has no event. An event is never taken out: what its system took back carries an error
declaration, with the event that took its place if there is one.
"""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

BATCH = 20_000
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
NAMESPACE = "urn:tallyman"
MILESTONES = Path(__file__).with_name("epcis_milestones.csv")

# A successor is the next thing that the same system said of the same milestone of the same record.
_EVENTS = """
with told as (
    select
        events.event_id,
        events.system,
        events.milestone,
        events.object_type,
        events.object_id,
        events.order_id,
        events.own_document,
        events.document,
        -- A posting often names the order line only.
        coalesce(events.item_id, lines.item_id) as item_id,
        events.location_id,
        events.quantity,
        coalesce(events.occurred_at, events.recorded_to) as occurred_at,
        events.recorded_to,
        events.reversed_to,
        events.raw_key,
        case when events.reversed_to is not null then lead(events.event_id) over (
            partition by events.system, events.milestone, events.object_type,
                events.order_line_id, events.object_id
            order by events.recorded_to, events.ordinal, events.event_id
        ) end as successor_id
    from core.order_events as events
    left join marts.order_lifecycle as lines
        on events.order_line_id = lines.order_line_id
    where coalesce(events.occurred_at, events.recorded_to) is not null
)

select told.*
from told
where
    milestone in (select unnest($milestones))
    and (item_id is not null or object_type = 'package' or order_id is not null)
order by occurred_at, event_id
"""


@dataclass(frozen=True)
class EpcisCounts:
    """Events written, and those of them that carry an error declaration."""

    events: int
    declared_errors: int


def export_epcis(connection: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> EpcisCounts:
    """Write the build that ``connection`` reads as one EPCIS document, whole or not at all.

    ``now`` is the document's creation date.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    head = {
        "@context": [CONTEXT, {"tallyman": f"{NAMESPACE}:"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _time(now),
    }
    written = errors = 0
    with partial.open("w", encoding="utf-8") as file:
        opening = json.dumps(head)[:-1]
        file.write(opening + ', "epcisBody": {"eventList": [')
        for event in _events(connection):
            file.write(("\n" if not written else ",\n") + json.dumps(event, ensure_ascii=False))
            written += 1
            errors += "errorDeclaration" in event
        file.write("\n]}}\n")
    partial.replace(path)
    return EpcisCounts(written, errors)


def _events(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    with MILESTONES.open(encoding="utf-8", newline="") as file:
        kinds = {row["milestone"]: row for row in csv.DictReader(file)}
    cursor = connection.execute(_EVENTS, {"milestones": list(kinds)})
    names = [column[0] for column in cursor.description or []]
    while batch := cursor.fetchmany(BATCH):
        for values in batch:
            row = dict(zip(names, values, strict=True))
            yield _event(row, kinds[row["milestone"]])


def _event(row: Mapping[str, Any], kind: Mapping[str, str]) -> dict[str, Any]:
    event: dict[str, Any] = {
        "type": _type(row, kind),
        "eventID": _event_id(row["event_id"]),
        "eventTime": _time(row["occurred_at"]),
        "recordTime": _time(row["recorded_to"]),
        "eventTimeZoneOffset": "+00:00",  # all times of the warehouse are UTC
        "action": kind["action"],
    }
    for name, column in (("bizStep", "biz_step"), ("disposition", "disposition")):
        if kind[column]:
            event[name] = kind[column]
    if row["object_type"] == "package":
        event["epcList"] = [_identifier("package", row["object_id"])]
    elif row["item_id"] is not None:
        event["quantityList"] = [_quantity(row)]
    else:
        event["epcList"] = []  # of goods that it does not name
    if row["location_id"] is not None:
        event["bizLocation"] = {"id": _identifier("location", row["location_id"])}
    if transactions := _transactions(row, kind):
        event["bizTransactionList"] = transactions
    if row["reversed_to"] is not None:
        event["errorDeclaration"] = _declaration(row)
    event["tallyman:system"] = row["system"]
    event["tallyman:rawKey"] = row["raw_key"]
    return event


def _type(row: Mapping[str, Any], kind: Mapping[str, str]) -> str:
    """What has neither item nor package can only be about its transaction."""
    if row["item_id"] is None and row["object_type"] != "package":
        return "TransactionEvent"
    return kind["event_type"]


def _quantity(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of a class of goods; without a unit, because the warehouse counts in eaches."""
    element: dict[str, Any] = {"epcClass": _item(row["item_id"])}
    if row["quantity"] is not None:
        element["quantity"] = float(row["quantity"])
    return element


def _item(item_id: str) -> str:
    """A GTIN as its GS1 Digital Link, any other number as ours."""
    if item_id.isdigit() and len(item_id) == 14:
        return f"https://id.gs1.org/01/{item_id}"
    return _identifier("item", item_id)


def _transactions(row: Mapping[str, Any], kind: Mapping[str, str]) -> list[dict[str, str]]:
    found = []
    if row["order_id"] is not None:
        found.append({"type": "po", "bizTransaction": _identifier("order", row["order_id"])})
    document = row["own_document"] or row["document"]
    if document is not None and (kind["transaction_type"] != "po" or not found):
        name = f"{row['system']}:{document}"
        found.append(
            {
                "type": kind["transaction_type"],
                "bizTransaction": _identifier("document", name),
            }
        )
    return found


def _declaration(row: Mapping[str, Any]) -> dict[str, Any]:
    declaration: dict[str, Any] = {
        "declarationTime": _time(row["reversed_to"]),
        "reason": "incorrect_data" if row["successor_id"] else "did_not_occur",
    }
    if row["successor_id"]:
        declaration["correctiveEventIDs"] = [_event_id(row["successor_id"])]
    return declaration


def _event_id(event_id: str) -> str:
    """The same for the same event in every export."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{NAMESPACE}:event:{event_id}')}"


def _identifier(kind: str, name: str) -> str:
    # What may not stand in a URN is written as RFC 3986 says.
    return f"{NAMESPACE}:{kind}:{quote(name, safe=':-._')}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
