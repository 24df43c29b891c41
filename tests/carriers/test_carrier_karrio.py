"""The karrio SDK, a program of others, reads the same payloads: where we agree, and where not.

Karrio's times are the local clock under the name of UTC. So the clocks are compared, never its
time stamps, and a test states that these are wrong.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from carrier_payloads import events, milestone, payload, records, seed

pytestmark = pytest.mark.oracle

ORACLE = Path(__file__).with_name("karrio_oracle.py")
# Karrio's statuses in canonical milestones.
MEANINGS = {
    "pending": "label_created",
    "picked_up": "in_transit",
    "in_transit": "in_transit",
    "out_for_delivery": "in_transit",
    "ready_for_pickup": "in_transit",
    "on_hold": "delayed",
    "delivery_delayed": "delayed",
    "delivery_failed": "delivery_exception",
    "return_to_sender": "delivery_exception",
    "delivered": "delivered",
    "cancelled": "cancelled",
}
CASES = [
    ("fedex", "794800000001", "fedex"),
    ("ups", "1Z999AA10123456784", "ups"),
    ("ups", "1Z999AA10123456802", "ups_voided"),
    ("usps", "9400100000000000000001", "usps"),
    ("usps", "9400100000000000000002", "usps_local"),
    ("dhl_express", "7740842550", "dhl_express"),
    ("dhl_unified", "00340434292135100124", "dhl_unified"),
    ("easypost", "9400110898825022579493", "easypost"),
]
# (carrier, our code) -> karrio's status, where it sees less or otherwise than we do.
EVENT_DIFFERENCES = {
    ("ups", "ups/MV/VD"): "pending",  # a voided label is no label
    ("usps", "usps/55"): None,  # karrio looks for words in the text and finds none
    ("usps", "usps/GX"): None,
    ("usps", "usps/10"): None,
    ("usps", "usps/07"): None,
    ("usps", "usps/03"): None,
    ("dhl_express", "dhl_express/PU"): "pending",  # picked up: it is with the carrier
    ("dhl_unified", "dhl_unified/ecommerce/445"): None,  # pre-transit is not in its table
    ("easypost", "easypost/pre_transit"): "on_hold",  # a label made is not held
    ("easypost", "easypost/in_transit/weather_delay"): "in_transit",  # it ignores status_detail
}
# code -> (karrio's status, ours), by carrier, over the whole of karrio's tables.
TABLE_DIFFERENCES: dict[str, dict[str, tuple[str, str]]] = {
    "fedex": {
        "SE": ("on_hold", "delivery_exception"),
        "HA": ("on_hold", "in_transit"),  # a request to hold, not a hold
    },
    "easypost": {
        "pre_transit": ("on_hold", "label_created"),
        "unknown": ("on_hold", "no_milestone"),
        "error": ("delivery_failed", "no_milestone"),  # of the tracker, not of the package
    },
    "dhl_unified": {"unknown": ("delivery_delayed", "no_milestone")},
}


@pytest.fixture(scope="module")
def theirs(karrio_python: Path) -> dict[str, Any]:
    cases = [(carrier, number, payload(name)) for carrier, number, name in CASES]
    done = subprocess.run(
        [karrio_python, ORACLE],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _of(theirs: dict[str, Any], number: str) -> list[dict[str, Any]]:
    return [event for event in theirs["events"] if event["number"] == number]


def _ours(name: str, number: str) -> list[dict[str, Any]]:
    return [dict(record.fields) for record in records(name) if record.reference == number]


def _own_code(fields: dict[str, Any]) -> str:
    """The code that karrio shows: the reason's for UPS, the bare status for EasyPost and DHL."""
    code = str(fields["detail"] if fields["carrier"] == "ups" else fields["code"])
    return code.rpartition("/")[2]


@pytest.mark.parametrize(("carrier", "number", "name"), CASES)
def test_count_codes_and_local_clocks_agree(
    theirs: dict[str, Any], carrier: str, number: str, name: str
) -> None:
    seen = [(e["code"], f"{e['date']}T{e['time'][:5]}") for e in _of(theirs, number)]
    told = [(_own_code(fields), fields["local_time"][:16]) for fields in _ours(name, number)]
    assert sorted(seen) == sorted(told)


@pytest.mark.parametrize(("carrier", "number", "name"), CASES)
def test_statuses_agree_but_for_what_is_listed(
    theirs: dict[str, Any], carrier: str, number: str, name: str
) -> None:
    ours = {(_own_code(f), f["local_time"][:16]): f for f in _ours(name, number)}
    for event in _of(theirs, number):
        fields = ours[event["code"], f"{event['date']}T{event['time'][:5]}"]
        key = (carrier, str(fields["detail"] or fields["code"]))
        if key in EVENT_DIFFERENCES:
            assert event["status"] == EVENT_DIFFERENCES[key]
            assert MEANINGS.get(event["status"]) != milestone(fields)
        else:
            assert MEANINGS[event["status"]] == milestone(fields), key


def test_karrios_time_stamps_are_local_time_under_the_name_of_utc(theirs: dict[str, Any]) -> None:
    offsets = {}
    for carrier, number, name in CASES:
        exact = [f for f in _ours(name, number) if f["time_method"] == "told"]
        by_clock = {fields["local_time"][:16]: fields for fields in exact}
        for event in _of(theirs, number):
            assert event["timestamp"].endswith("Z")
            wall = event["timestamp"][:16]
            if wall in by_clock:
                truth = datetime.fromisoformat(by_clock[wall]["occurred_at"])
                error = truth - datetime.fromisoformat(event["timestamp"])
                offsets.setdefault(carrier, set()).add(error.total_seconds() / 3600)
    assert offsets == {
        "fedex": {5.0, 6.0},
        "ups": {5.0},
        "usps": {6.0},
        "dhl_express": {-1.0},
        "dhl_unified": {-1.0},
        "easypost": {0.0},
    }


def test_karrio_reads_the_first_ups_package_only(theirs: dict[str, Any]) -> None:
    assert _of(theirs, "1Z999AA10123456793") == []
    assert len(events("ups", "1Z999AA10123456793")) == 3


def test_karrio_reads_a_dhl_shipment_but_not_its_pieces(theirs: dict[str, Any]) -> None:
    assert _of(theirs, "JD014600006281230702") == []
    assert set(events("dhl_express", "JD014600006281230702")) == {"dhl_express/OH"}


@pytest.mark.parametrize("carrier", ["fedex", "easypost", "dhl_unified"])
def test_the_tables_agree_but_for_what_is_listed(theirs: dict[str, Any], carrier: str) -> None:
    codes = seed("code")
    found = {}
    for code, status in theirs["statuses"][carrier].items():
        ours = codes[f"{carrier}/{code}"]
        if MEANINGS[status] != ours:
            found[code] = (status, ours)
    assert found == TABLE_DIFFERENCES[carrier]
