"""Carriers' payloads through all models: packages, lines, reasons, and codes that are work."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from build import Warehouse
from scenario import NOW, SYSTEMS, Scenario, ago
from trade import Order, masters

from connectors.carrier_tracking.shapes import understand

sys.path.insert(0, str(Path(__file__).parents[1] / "carriers"))

from carrier_payloads import payload

PARCELS = {**SYSTEMS, "carrier": ("carrier", "carrier_tracking", "America/New_York")}


def _told(scenario: Scenario, content: Any) -> None:
    for record in understand(content, "America/New_York").records:
        scenario.say("carrier", "tracking_events", **record.fields)


def _ups(number: str, *scans: tuple[datetime, str, str]) -> dict[str, Any]:
    return {
        "trackingNumber": number,
        "activity": [
            {
                "date": f"{moment:%Y%m%d}",
                "time": f"{moment:%H%M%S}",
                "gmtOffset": "+00:00",
                "status": {"type": kind, "code": code},
            }
            for moment, kind, code in scans
        ],
    }


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    scenario = Scenario(PARCELS)
    masters(scenario)
    # Label made, but never scanned; delivered, and the OMS does not know; on its way with an
    # exception; a code that nobody knows.
    told: dict[int, list[tuple[float, str, str]]] = {
        500001: [(50, "M", "MP")],
        500002: [(180, "I", "DP"), (1400, "D", "FS")],
        500003: [(180, "I", "DP"), (300, "X", "RF"), (400, "X", "QQ"), (500, "X", "DY")],
        500004: [(180, "I", "QQ"), (200, "ZZ", "Z1"), (210, "NA", "XX")],
    }
    for number, scans in told.items():
        order = Order(scenario, number, ago(days=3)).oms().released().warehouse().shipped()
        order.fulfilled().invoiced()
        moments = [(order.at(after), kind, code) for after, kind, code in scans]
        # A carrier repeats the whole history in every answer.
        for end in range(1, len(moments) + 1):
            _told(scenario, _ups(order.tracking, *moments[:end]))
    # Labels of two orders that never left: one was voided, and the other one forgotten.
    for number, scans in {
        500005: [(50, "M", "MP"), (180, "MV", "VD")],
        500006: [(50, "M", "MP")],
    }.items():
        order = Order(scenario, number, ago(days=4)).oms().released().warehouse()
        _told(scenario, _ups(order.tracking, *((order.at(at), *code) for at, *code in scans)))
    for name in ("fedex", "usps_local", "easypost", "aftership", "dhl_express"):
        _told(scenario, json.loads(json.dumps(payload(name))))
    scenario.read(NOW)
    scenario.read(NOW + timedelta(seconds=30))
    built = Warehouse(tmp_path_factory.mktemp("parcels"), artefacts)
    scenario.write(built.path)
    return built.build()


def test_rules_see_packages_and_lines(warehouse: Warehouse) -> None:
    carrier = {pair for pair in warehouse.exceptions("open") if pair[0] in ("S04", "S05")}
    assert carrier == {("S04", "TRK0500001"), ("S05", "SO-500002/1")}


def test_a_voided_label_is_not_waited_for(warehouse: Warehouse) -> None:
    labels = {pair for pair in warehouse.exceptions("open") if pair[0] == "S04L"}
    assert ("S04L", "TRK0500006") in labels and ("S04L", "TRK0500005") not in labels


def test_milestones_and_reasons(warehouse: Warehouse) -> None:
    told = warehouse.rows(
        "select milestone, source_status, reason_code, ordinal from core.order_events "
        "where object_type = 'package' and object_id = 'TRK0500003' and system = 'carrier' "
        "order by occurred_at"
    )
    assert told == [
        ("in_transit", "ups/I/DP", None, 1),
        ("delivery_exception", "ups/X/RF", "recipient_refused", 1),
        ("delivery_exception", "ups/X/QQ", None, 1),
        ("delayed", "ups/X/DY", "transport_delay", 1),
    ]


def test_each_piece_of_a_shipment_is_a_package(warehouse: Warehouse) -> None:
    told = warehouse.rows(
        "select object_id, milestone, reason_code from core.order_events "
        "where object_type = 'package' and own_document like 'JD%' order by all"
    )
    assert told == [
        ("JD014600006281230701", "delivered", None),
        ("JD014600006281230701", "in_transit", None),
        ("JD014600006281230702", "delayed", "held"),
    ]


def test_uncertain_times_widen_the_interval_of_recording(warehouse: Warehouse) -> None:
    spans = warehouse.rows(
        "select source_status, round(epoch(recorded_to - recorded_from) / 3600) "
        "from core.order_events where object_type = 'package' and source_status in "
        "('usps/10', 'usps/07', 'easypost/pre_transit', 'aftership/InTransit_003') order by all"
    )
    assert spans == [
        ("aftership/InTransit_003", 0),  # a day, but AfterShip says when it wrote it down
        ("easypost/pre_transit", 26),  # nobody knows where
        ("usps/07", 2),  # Florida has two zones, and the hour came twice
        ("usps/10", 1),  # Tennessee has two zones
    ]


def test_unseen_codes_are_work_and_no_loss(warehouse: Warehouse) -> None:
    work = warehouse.rows(
        "select field, source_value, record_count from marts.unmapped_codes order by all"
    )
    assert work == [("code", "ups/ZZ", 1), ("reason", "ups/QQ", 1)]
    assert warehouse.rows(
        "select milestone, object_id from core.order_events where source_status = 'ups/ZZ/Z1'"
    ) == [("unmapped", "TRK0500004")]


def test_a_notice_is_no_milestone(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select canonical_code from staging.stg_carrier_tracking__tracking_events "
        "where detail = 'ups/NA/XX'"
    ) == [("no_milestone",)]
    assert warehouse.rows(
        "select count(*) from core.order_events where source_status = 'ups/NA/XX'"
    ) == [(0,)]


def test_repeated_history_makes_no_versions(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select max(version_number) from staging.stg_carrier_tracking__tracking_events"
    ) == [(1,)]
