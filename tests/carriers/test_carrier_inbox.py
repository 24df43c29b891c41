"""The inbox: what is read once, what again, what waits, and what goes to quarantine."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from carrier_payloads import NAMES, payload, records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Page, Record, SourceError
from connectors.carrier_tracking import inbox
from connectors.carrier_tracking.source import ENTITY, InboxSource, make_source
from connectors.factory import known_connectors
from connectors.files import client
from registry.errors import ConfigurationError
from registry.systems import System


class Inbox:
    """A folder of payloads with a source on it that starts afresh in every pass."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.folder = path / "inbox"
        self.folder.mkdir()
        self.system = System(
            name="carrier",
            role="carrier",
            connector="carrier_tracking",
            base_url="inbox",
            folder=path,
            **settings,
        )
        self.notices: list[str] = []
        self.withdrawn: list[str] = []

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.folder / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def append(self, name: str, text: str) -> None:
        with (self.folder / name).open("ab") as handle:
            handle.write(text.encode())

    def pages(self, cursor: str | None = None) -> list[Page]:
        """Pages of records without their file."""
        source = InboxSource(self.system)
        self.notices = source.notices
        return [
            replace(page, records=[replace(record, container=None) for record in page.records])
            for page in source.pages(ENTITY, cursor)
        ]

    def read(self, cursor: str | None = None) -> tuple[list[Record], str | None]:
        """Records, and the cursor after them; ``withdrawn`` is renewed."""
        pages = self.pages(cursor)
        self.withdrawn = [name for page in pages for name in page.withdrawn]
        return [record for page in pages for record in page.records], pages[-1].cursor


@pytest.fixture
def box(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path)


def usps(number: int) -> str:
    scan = {"eventTimestamp": "2026-11-10T10:55:00", "eventCode": "01", "eventState": "IA"}
    return json.dumps({"trackingNumber": f"94{number}", "trackingEvents": [scan]})


def numbers(found: list[Record]) -> list[str | None]:
    return [record.reference for record in found]


def test_the_factory_knows_it(box: Inbox) -> None:
    assert "carrier_tracking" in known_connectors()
    assert isinstance(make_source(box.system, {}), InboxSource)


def test_all_shapes_are_read_whatever_their_files_are_called(box: Inbox) -> None:
    for position, name in enumerate(NAMES):
        box.write(f"{position}.json", json.dumps(payload(name), indent=2))
    found, cursor = box.read()
    assert found == [record for name in NAMES for record in records(name)]
    assert box.read(cursor)[0] == []


def test_new_and_grown_files_only(box: Inbox) -> None:
    box.write("a.ndjson", usps(1) + "\n")
    first, cursor = box.read()
    box.append("a.ndjson", usps(2) + "\n" + usps(3))
    box.write("b.json", usps(4))
    second, cursor = box.read(cursor)
    third, _ = box.read(cursor)
    assert (numbers(first), numbers(second), third) == (["941"], ["942", "943", "944"], [])


def test_an_unchanged_file_is_not_even_opened(box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    box.write("a.ndjson", usps(1) + "\n\n")
    _, cursor = box.read()
    monkeypatch.setattr(client, "_digest", lambda *_: pytest.fail("the file was opened"))
    monkeypatch.setattr(inbox, "resume", lambda *_: pytest.fail("the file was opened"))
    assert box.read(cursor)[0] == []


def test_a_document_that_is_still_being_written_waits(box: Inbox) -> None:
    text = json.dumps(payload("fedex"), indent=1)
    box.write("a.json", text[:900])
    found, cursor = box.read()
    assert found == [] and "unfinished" in box.notices[0]
    box.append("a.json", text[900:])
    found, cursor = box.read(cursor)
    assert found == records("fedex")
    assert box.read(cursor)[0] == []


def test_a_document_that_never_ends_goes_to_quarantine(box: Inbox) -> None:
    box.write("a.json", usps(1)[:-5])
    _, cursor = box.read()
    found, cursor = box.read(cursor)
    assert [record.fields for record in found] == [{}]
    assert "not JSON" in found[0].raw and "941" in found[0].raw
    assert box.read(cursor)[0] == []


def test_a_broken_line_costs_only_itself(box: Inbox) -> None:
    box.write("a.ndjson", f"{usps(1)}\n{{'not': json}}\n{usps(2)}\n")
    found, _ = box.read()
    assert numbers(found) == ["941", None, "942"]


def test_a_payload_of_no_known_shape_goes_to_quarantine(box: Inbox) -> None:
    box.write("a.json", json.dumps({"parcel": "4711", "scans": [1, 2]}))
    found, _ = box.read()
    assert [record.fields for record in found] == [{}]
    assert "no known shape" in found[0].raw and "4711" in found[0].raw


def test_an_answer_that_knows_no_package_is_only_told(box: Inbox) -> None:
    box.write("a.json", json.dumps({"response": {"errors": [{"message": "Invalid number"}]}}))
    found, _ = box.read()
    assert found == [] and "Invalid number" in box.notices[0]


def test_a_pattern_that_leads_out_of_the_folder_is_named(tmp_path: Path) -> None:
    box = Inbox(tmp_path, options={"files": "/in/*.json"})
    with pytest.raises(ConfigurationError, match=r"'carrier': options.files: '/in/\*.json' must"):
        box.read()


def test_what_is_no_utf_8_does_not_keep_the_others_from_being_read(box: Inbox) -> None:
    box.write("a.json", b'{"trackingNumber": "\xff"}')
    box.write("b.json", usps(1))
    source = InboxSource(box.system)
    found: list[Record] = []
    with pytest.raises(SourceError, match=r"a\.json: byte 0xff"):
        for page in source.pages(ENTITY, None):
            found += page.records
    assert numbers(found) == ["941"]


def test_a_rewritten_file_is_read_again(box: Inbox) -> None:
    box.write("a.json", usps(1))
    _, cursor = box.read()
    box.write("a.json", usps(2) + usps(3))
    found, _ = box.read(cursor)
    assert numbers(found) == ["942", "943"]
    assert "rewritten" in box.notices[0]


def test_a_lost_mount_is_no_quiet_day(box: Inbox) -> None:
    file = box.write("a.json", usps(1))
    _, cursor = box.read()
    file.unlink()
    with pytest.raises(SourceError, match="still mounted"):
        box.read(cursor)


def test_another_zone_makes_all_files_new(box: Inbox) -> None:
    box.write("a.json", usps(1))
    _, cursor = box.read()
    box.system = box.system.model_copy(update={"time_zone": "America/Denver"})
    assert numbers(box.read(cursor)[0]) == ["941"]


def test_reading_goes_on_after_every_page(tmp_path: Path) -> None:
    box = Inbox(tmp_path, page_size=2)
    for name in "abc":
        box.write(f"{name}.ndjson", "\n".join(usps(ord(name) * 10 + n) for n in range(5)))
    pages = box.pages()
    whole = [record for page in pages for record in page.records]
    assert len(pages) > 5 and len(whole) == 15
    for position, page in enumerate(pages):
        before = [record for earlier in pages[: position + 1] for record in earlier.records]
        assert before + box.read(page.cursor)[0] == whole


def test_a_point_read_finds_the_events_of_a_number(box: Inbox) -> None:
    box.write("a.json", json.dumps(payload("ups")))
    source = InboxSource(box.system)
    found = source.read_one(ENTITY, {"tracking_number": "1Z999AA10123456793"})
    assert len(found) == 3
    assert source.read_one(ENTITY, {"tracking_number": "1Z"}) == []
    with pytest.raises(SourceError, match="can't look up"):
        source.read_one(ENTITY, {"event_id": "x"})
    with pytest.raises(SourceError, match="no entity"):
        list(source.pages("shipments", None))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(NAMES), cuts=st.sets(st.integers(1, 4000), max_size=3))
def test_files_in_any_order_in_any_number_of_steps_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], cuts: set[int]
) -> None:
    box = Inbox(tmp_path_factory.mktemp("box"))
    text = "\n".join(json.dumps(payload(name)) for name in [*order, order[0]]) + "\n"
    cursor, found, written = None, {}, 0
    for end in [*sorted(cuts), len(text)]:
        box.append("all.ndjson", text[written:end])
        written = max(written, end)
        # The pass after a write sees a change, so a cut document is never taken for a broken one.
        records_now, cursor = box.read(cursor)
        found.update({record.record_id: record.fields for record in records_now})
    expected = {record.record_id: record.fields for name in NAMES for record in records(name)}
    assert found == expected


def test_a_touched_file_yields_nothing(box: Inbox) -> None:
    file = box.write("a.json", usps(1))
    _, cursor = box.read()
    os.utime(file, ns=(1, 1))
    assert box.read(cursor)[0] == []


def broken(found: list[Record]) -> list[str]:
    return [record.record_id for record in found if not record.fields]


def test_a_rewritten_file_withdraws_what_it_said_and_no_other_does(box: Inbox) -> None:
    box.write("a.ndjson", f"{usps(1)}\n{{not: json}}\n{{not: json, too}}\n")
    box.write("b.ndjson", "{not: json}\n")
    found, cursor = box.read()
    first, _, other = broken(found)
    assert first.startswith("a.ndjson@") and other == "b.ndjson@0"
    box.append("b.ndjson", f"{usps(3)}\n")
    found, cursor = box.read(cursor)
    assert (numbers(found), box.withdrawn) == (["943"], [])
    box.write("a.ndjson", f"{usps(1)}\n{{not: json}}\n{usps(2)}\n")
    found, cursor = box.read(cursor)
    # What is still broken is quarantined again.
    assert (broken(found), box.withdrawn) == ([first], ["a.ndjson"])
    assert box.read(cursor)[0] == [] and box.withdrawn == []


def test_a_file_that_is_taken_away_is_withdrawn(box: Inbox) -> None:
    box.write("a.ndjson", usps(1))
    file = box.write("b.ndjson", f'{{"parcel": "4711"}}\n{usps(2)}\n')
    found, cursor = box.read()
    assert broken(found) == ["b.ndjson@0"]
    file.rename(file.with_suffix(".rejected"))
    found, cursor = box.read(cursor)
    assert (found, box.withdrawn) == ([], ["b.ndjson"])
    assert box.read(cursor)[0] == [] and box.withdrawn == []


def test_another_reading_tells_all_files_anew(box: Inbox) -> None:
    box.write("a.ndjson", f"{{not: json}}\n{usps(1)}\n")
    _, cursor = box.read()
    box.system = box.system.model_copy(update={"time_zone": "America/Denver"})
    found, cursor = box.read(cursor)
    assert (broken(found), box.withdrawn) == (["a.ndjson@0"], ["a.ndjson"])
    (box.folder / "a.ndjson").rename(box.folder / "b.ndjson")
    found, _ = box.read(cursor)
    assert (broken(found), box.withdrawn) == (["b.ndjson@0"], ["a.ndjson"])


def test_a_pass_that_is_cut_short_withdraws_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    box = Inbox(tmp_path, page_size=1)
    box.write("a.ndjson", "{not: json}\n{not: json, too}\n")
    box.write("b.ndjson", "{not: json}\n")
    _, cursor = box.read()
    box.write("a.ndjson", f"{usps(1)}\n{usps(2)}\n{usps(3)}\n")
    (box.folder / "b.ndjson").unlink()
    *cut, last = box.pages(cursor)
    assert len(cut) == 3 and set(last.withdrawn) == {"a.ndjson", "b.ndjson"}
    for page in cut:
        assert page.withdrawn == ()
        found, _ = box.read(page.cursor)
        assert numbers(found) == ["941", "942", "943"]
        assert set(box.withdrawn) == {"a.ndjson", "b.ndjson"}
