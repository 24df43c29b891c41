"""EPCIS 2.0: milestones as visibility events, and what was taken back declared as an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reporting.exports.epcis import export_epcis

NOW = datetime(2026, 1, 5, tzinfo=UTC)

# Fulfilled, taken back, fulfilled again; and a line cancelled for good.
TAKEN_BACK = """
insert into core.order_events by name
select
    'posted' || ordinal as event_id, 'erp' as system, 'erp' as role, 'fulfilments' as entity,
    'shipped' as milestone, ordinal, 'order_line' as object_type, 'SO-1/1' as object_id,
    'SO-1' as order_id, 'SO-1/1' as order_line_id, 'F-' || ordinal as own_document,
    4::decimal(18, 6) as quantity, 'erp|F' as raw_key,
    timestamptz '2026-01-03 00:00:00+00' + to_days(ordinal) as occurred_at,
    timestamptz '2026-01-03 00:00:00+00' + to_days(ordinal) as recorded_to,
    case ordinal when 0 then timestamptz '2026-01-03 12:00:00+00' end as reversed_to
from (values (0), (1)) as posted (ordinal)
"""


def exported(build, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "events.jsonld"
    build.execute(TAKEN_BACK)
    written = export_epcis(build, path, NOW)
    document = json.loads(path.read_text(encoding="utf-8"))
    events = document["epcisBody"]["eventList"]
    assert written.events == len(events)
    assert written.declared_errors == sum("errorDeclaration" in event for event in events)
    return document


def of(document: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [
        event
        for event in document["epcisBody"]["eventList"]
        if all(event.get(name) == value for name, value in wanted.items())
    ]


def test_a_milestone_is_its_business_step(build, tmp_path: Path) -> None:
    document = exported(build, tmp_path)
    shipped = of(document, bizStep="shipping", **{"tallyman:system": "wms"})
    assert [event["type"] for event in shipped] == ["ObjectEvent", "ObjectEvent"]
    assert shipped[0]["disposition"] == "in_transit"
    assert shipped[0]["eventTime"] == "2026-01-01T08:00:00.250+00:00"
    assert shipped[0]["quantityList"] == [{"epcClass": "urn:tallyman:item:I1", "quantity": 5.0}]
    assert shipped[0]["bizLocation"] == {"id": "urn:tallyman:location:EAST"}
    assert {"type": "po", "bizTransaction": "urn:tallyman:order:SO-1"} in shipped[0][
        "bizTransactionList"
    ]
    (scan,) = of(document, bizStep="transporting")
    assert scan["epcList"] == ["urn:tallyman:package:TRK1"]
    # An item that only the order line knows.
    assert of(document, bizStep="shipping", **{"tallyman:system": "erp"})[0]["quantityList"] == [
        {"epcClass": "urn:tallyman:item:I1", "quantity": 4.0}
    ]


def test_what_was_taken_back_is_declared_with_what_took_its_place(build, tmp_path: Path) -> None:
    document = exported(build, tmp_path)
    first, second = of(document, bizStep="shipping", **{"tallyman:system": "erp"})
    assert first["errorDeclaration"] == {
        "declarationTime": "2026-01-03T12:00:00.000+00:00",
        "reason": "incorrect_data",
        "correctiveEventIDs": [second["eventID"]],
    }
    assert "errorDeclaration" not in second
    released = of(document, bizStep="staging_outbound")
    assert {event["errorDeclaration"]["reason"] for event in released} == {"did_not_occur"}


def test_an_event_keeps_its_identity_from_one_export_to_the_next(build, tmp_path: Path) -> None:
    first = exported(build, tmp_path)
    export_epcis(build, tmp_path / "again.jsonld", NOW)
    again = json.loads((tmp_path / "again.jsonld").read_text(encoding="utf-8"))
    assert again == first
    identities = [event["eventID"] for event in first["epcisBody"]["eventList"]]
    assert len(set(identities)) == len(identities)


@pytest.mark.oracle
def test_it_is_valid_by_the_published_schema(build, tmp_path: Path, epcis_schema) -> None:
    document = exported(build, tmp_path)
    validator = jsonschema.Draft7Validator(epcis_schema)
    assert [error.message for error in validator.iter_errors(document)] == []
    document["epcisBody"]["eventList"][0]["action"] = "NOTHING"
    assert list(validator.iter_errors(document))
