"""What is read out of each carrier's payloads: packages, codes, reasons and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from carrier_payloads import NAMES, events, milestone, payload, records, seed
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.carrier_tracking.shapes import catalogue, understand
from connectors.carrier_tracking.times import Place, zones_of

MILESTONES = {
    "label_created",
    "in_transit",
    "delayed",
    "delivery_exception",
    "delivered",
    "cancelled",
    "no_milestone",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_event_of_every_sample_is_complete_and_mapped(name: str) -> None:
    reasons = seed("reason")
    assert records(name)
    for record in records(name):
        assert record.reference == record.fields["tracking_number"]
        assert record.record_id == record.fields["event_id"]
        found = milestone(dict(record.fields))
        assert found is not None, record.record_id
        if found in ("delayed", "delivery_exception") and record.fields["reason"]:
            assert record.fields["reason"] in reasons, record.record_id


def test_each_package_of_a_multi_piece_shipment_has_its_events() -> None:
    numbers = [record.reference for record in records("ups")]
    assert numbers == ["1Z999AA10123456784"] * 4 + ["1Z999AA10123456793"] * 3
    pieces = {record.reference for record in records("dhl_express")}
    assert pieces == {"7740842550", "JD014600006281230701", "JD014600006281230702"}


def test_a_delay_hides_under_a_coarser_code() -> None:
    ups = events("ups", "1Z999AA10123456793")
    assert milestone(ups["ups/X/RF"]) == "delivery_exception"
    assert milestone(ups["ups/X/DY"]) == "delayed"
    easypost = events("easypost")["easypost/in_transit/weather_delay"]
    assert (milestone(easypost), easypost["reason"]) == ("delayed", "easypost/weather_delay")


def test_a_voided_label_is_cancelled_and_a_freight_station_is_no_customer() -> None:
    assert milestone(events("ups_voided")["ups/MV/VD"]) == "cancelled"
    assert seed("code")["ups/DO"] == seed("code")["ups/DD"] == "in_transit"


def test_a_told_offset_makes_the_instant_exact() -> None:
    delivered = events("fedex", "794800000001")["fedex/DL"]
    assert delivered["occurred_at"] == "2026-11-10T16:10:00Z"
    assert delivered["occurred_from"] == delivered["occurred_to"] == delivered["occurred_at"]
    assert delivered["local_time"] == "2026-11-10T11:10:00-05:00"
    assert delivered["time_method"] == "told"


def test_two_clocks_in_a_payload_tell_the_offset() -> None:
    push = events("ups_track_alert")["ups/I/OR"]
    assert push["occurred_at"] == "2026-04-23T01:29:01Z"
    assert push["local_time"] == "2026-04-22T21:29:01-04:00"
    assert push["tracking_number"] == "1Z999AA10123456811"


def test_local_time_without_offset_is_read_at_the_place_of_the_scan() -> None:
    usps = {fields["region"]: fields for fields in events("usps_local").values()}
    # Tennessee has two zones, and a "Z" of USPS is no promise.
    tennessee = usps["TN"]
    assert tennessee["time_method"] == "place"
    assert tennessee["occurred_at"] == "2026-11-10T14:00:00Z"
    assert tennessee["occurred_from"] == "2026-11-10T13:00:00Z"
    assert tennessee["occurred_to"] == "2026-11-10T14:00:00Z"
    # The hour that the end of daylight saving repeats: twice in New York, thrice over Florida.
    assert (usps["NY"]["occurred_from"], usps["NY"]["occurred_to"]) == (
        "2026-11-01T05:30:00Z",
        "2026-11-01T06:30:00Z",
    )
    assert (usps["FL"]["occurred_from"], usps["FL"]["occurred_to"]) == (
        "2026-11-01T05:30:00Z",
        "2026-11-01T07:30:00Z",
    )


def test_local_time_nowhere_is_guessed_and_bracketed_by_all_the_earth() -> None:
    label = events("easypost", zone="America/New_York")["easypost/pre_transit"]
    assert label["time_method"] == "system"
    # EasyPost says 17:00 UTC where it knows no place: it is 17:00 on a clock somewhere.
    assert label["occurred_at"] == "2026-11-07T22:00:00Z"
    assert label["occurred_from"] == "2026-11-07T03:00:00Z"
    assert label["occurred_to"] == "2026-11-08T05:00:00Z"
    assert events("easypost")["easypost/in_transit/arrived_at_facility"]["time_method"] == "told"


def test_a_day_counts_from_its_last_moment() -> None:
    scan = events("aftership")["aftership/InTransit_003"]
    assert scan["occurred_at"] == scan["occurred_to"] == "2026-11-09T22:59:59.999999Z"
    assert scan["occurred_from"] == "2026-11-08T23:00:00Z"
    # FedEx writes a day as its midnight, without an offset.
    pickup = events("fedex", "794800000002")["fedex/PU"]
    assert (pickup["local_time"], pickup["time_method"]) == ("2026-11-09", "place")


def test_a_tracker_tells_when_it_wrote_the_scan_down() -> None:
    scan = events("aftership")["aftership/Exception_004"]
    assert scan["recorded_at"] == "2026-11-08T15:20:00Z"


@pytest.mark.parametrize(
    ("place", "zones"),
    [
        (Place("US", "ny"), ("America/New_York",)),
        (Place("USA", "NY"), ("America/New_York",)),
        (Place("NL", "Noord-Holland"), ("Europe/Amsterdam",)),
        (Place("XX", None), ()),
        (Place(None, "NY"), ()),
    ],
)
def test_zones_of_places(place: Place, zones: tuple[str, ...]) -> None:
    assert zones_of(place) == zones


def test_a_region_nobody_knows_is_anywhere_in_its_country() -> None:
    assert "Pacific/Honolulu" in zones_of(Place("US", "??"))


def test_the_envelope_does_not_matter() -> None:
    bare = payload("usps")
    wrapped = [{"received_at": "2026-11-10T17:00:00Z", "headers": {}, "body": [bare]}]
    assert understand(wrapped, "UTC").records == records("usps")


def test_an_answer_without_events_says_why_and_a_stranger_says_nothing() -> None:
    nobody = {"trackResponse": {"shipment": [{"warnings": [{"message": "Not Found"}]}]}}
    assert understand(nobody, "UTC").said == '[{"message":"Not Found"}]'
    assert "cannot be found" in (understand(payload("fedex"), "UTC").said or "")
    stranger = understand({"parcel": "4711", "scans": []}, "UTC")
    assert (stranger.records, stranger.packages, stranger.said) == ([], 0, None)


@pytest.mark.parametrize("change", [{"eventTimestamp": "yesterday"}, {"eventCode": None}])
def test_a_scan_that_lacks_its_identity_is_kept_whole_for_quarantine(
    change: dict[str, Any],
) -> None:
    content = payload("usps_local")
    content["trackingEvents"] = [content["trackingEvents"][0] | change]
    (record,) = understand(content, "UTC").records
    assert None in (record.fields["occurred_at"], record.fields["code"])
    assert record.record_id.startswith("usps|")
    assert "KNOXVILLE" in record.raw


@pytest.mark.parametrize("event", [None, 7, "text", [], {}])
def test_rubbish_in_the_list_of_events_is_kept_too(event: Any) -> None:
    content = {"trackingNumber": "94", "trackingEvents": [event]}
    (record,) = understand(content, "UTC").records
    assert record.fields["occurred_at"] is None


def test_two_reasons_at_one_stop_are_two_events() -> None:
    content = payload("fedex")
    scans = content["output"]["completeTrackResults"][0]["trackResults"][0]["scanEvents"]
    scans.append(scans[2] | {"exceptionCode": "07"})
    found = understand(content, "UTC").records
    assert sum(record.fields["code"] == "fedex/DE" for record in found) == 2


def test_the_map_holds_milestones_and_a_reason_for_each_code_that_needs_one() -> None:
    codes, reasons = seed("code"), seed("reason")
    assert set(codes.values()) == MILESTONES
    carriers = {shape.carrier for shape in catalogue().shapes}
    assert {code.split("/")[0] for code in codes} == carriers
    # Where the code itself tells why.
    for code, found in codes.items():
        own = code.split("/")[0] in ("usps", "dhl_express")
        if own and found in ("delayed", "delivery_exception"):
            assert code in reasons, code


def _flat(name: str) -> list[tuple[str, tuple[tuple[str, Any], ...]]]:
    return sorted((r.record_id, tuple(sorted(r.fields.items()))) for r in records(name))


def _shuffled(node: Any, random: Any) -> Any:
    """The same payload with every list in another order and some of its items repeated."""
    if isinstance(node, dict):
        return {key: _shuffled(child, random) for key, child in node.items()}
    if isinstance(node, list):
        items = [_shuffled(child, random) for child in node]
        again = [item for item in items if random.random() < 0.3]
        mixed = [*items, *again]
        random.shuffle(mixed)
        return mixed
    return node


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    random=st.randoms(use_true_random=False),
)
def test_order_and_repetition_change_nothing(name: str, random: Any) -> None:
    found = understand(_shuffled(payload(name), random), "UTC").records
    seen = sorted((r.record_id, tuple(sorted(r.fields.items()))) for r in found)
    assert seen == _flat(name)


@settings(max_examples=50, deadline=None)
@given(
    instant=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    minutes=st.integers(min_value=-48, max_value=56).map(lambda quarters: quarters * 15),
)
def test_the_same_instant_in_another_offset_is_the_same_event(
    instant: datetime, minutes: int
) -> None:
    moment = instant.replace(microsecond=0, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    content = payload("fedex")
    scan = content["output"]["completeTrackResults"][0]["trackResults"][0]["scanEvents"][0]
    found = []
    for text in (moment.isoformat(), elsewhere.isoformat()):
        scan["date"] = text
        found.append(understand(content, "UTC").records[0])
    assert found[0].record_id == found[1].record_id
    assert found[0].fields["occurred_at"] == found[1].fields["occurred_at"]
    local = found[1].fields["local_time"]
    assert local == elsewhere.isoformat()
