"""Carriers beside the house carrier: their numbers, their codes, and what they push."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from connectors.carrier_tracking.shapes import understand
from registry.settings import PROJECT_ROOT
from sandbox.carriers import BY_SCAC, ups_check_digit, usps_check_digit
from sandbox.distributor import Distributor
from sandbox.worldfile import read_world

MILESTONES = {"OC": "label_created", "DL": "delivered"}


def test_check_digits_are_those_of_numbers_that_the_carriers_publish() -> None:
    assert ups_check_digit("999AA1012345678") == 4
    assert usps_check_digit("920559016491731275108") == 9


def test_each_scan_is_pushed_once_and_read_as_what_it_was(tmp_path: Path) -> None:
    settings = replace(
        read_world("full", orders=200, items=40, seed=5),
        faults_per_kind=0,
        decoys_per_kind=0,
        overlaps_per_kind=0,
    )
    distributor = Distributor(tmp_path, settings)
    codes = {
        row["source_value"]: row["canonical_value"]
        for row in csv.DictReader((PROJECT_ROOT / "dbt_project/seeds/status_map.csv").open())
        if (row["connector"], row["field"]) == ("carrier_tracking", "code")
    }
    read: Counter[tuple[str, str, int]] = Counter()
    for path in distributor.push_folders["pushes"].iterdir():
        for line in path.read_text().splitlines():
            understood = understand(json.loads(line), "UTC")
            assert len(understood.records) == 1
            fields = understood.records[0].fields
            at = int(datetime.fromisoformat(str(fields["occurred_at"])).timestamp())
            read[str(fields["tracking_number"]), codes[str(fields["code"])], at] += 1
    happened: Counter[tuple[str, str, int]] = Counter()
    for _, event in distributor.store.events_after(0, ("parcel_scanned",)):
        if "pushes" in event.seen:
            milestone = MILESTONES.get(event.data["code"], "in_transit")
            happened[event.data["tracking"], milestone, int(event.data["scanned_at"])] += 1
    assert read == happened
    assert len(happened) > 100
    shipments = [
        distributor.wms.shipments.edit(number) for number in distributor.wms.shipments.ids()
    ]
    assert {shipment["Carrier"] for shipment in shipments} == set(BY_SCAC)
    assert all(
        shipment["TrackingNbr"].startswith(
            {"SWFT": "TRK", "UPSN": "1Z999AA1", "USPS": "9400"}[shipment["Carrier"]]
        )
        for shipment in shipments
    )
    distributor.close()
    again = Distributor(tmp_path, settings)
    assert len(list(again.push_folders["pushes"].iterdir())) == 1
    again.close()
