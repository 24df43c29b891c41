"""Reading a partner's folder: every set, what is refused and why, files that come and go."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from edi_partner import (
    WAREHOUSE_SETS,
    Partner,
    Reader,
    document,
)

from connectors.base import SourceError
from connectors.x12.profile import load_profile
from connectors.x12.records import ENTITIES_OF_SET, Translator
from registry.contracts import contracts_of
from registry.errors import ConfigurationError

ORDER = """BEG*00*SA*PO-778**20261102
CUR*BY*USD
DTM*002*20261110
N1*ST*DC EAST*92*DC-East
PO1*1*6*EA*12.5**VN*SKU-009*UP*012345678905
PO1*2*3*DZ*.75**VN*SKU-012
CTT*2"""
ANSWER = """BAK*00*AC*PO-778*20261102****S-1*20261103
PO1*1*6*EA*12.5**VN*SKU-009
ACK*IQ*4*EA*067*20261109
ACK*IB*2*EA
PO1*2*3*DZ*.75**VN*SKU-012
CTT*2"""
NOTICE = """BSN*00*SHP-1*20261104*1430*0001
HL*1**S
TD5*B*2*UPSN*M*UPS GROUND
REF*BM*BOL1
REF*CN*1Z1
DTM*011*20261104
DTM*017*20261106
HL*2*1*O
PRF*PO-778***20261102
HL*3*2*P
MAN*GM*00100000000000000017
HL*4*3*I
LIN*1*VN*SKU-009
SN1*1*4*EA**6*EA
CTT*4"""
INVOICE = """BIG*20261105*INV-1*20261102*PO-778***CN
CUR*SE*USD
IT1*1*4*EA*12.5**VN*SKU-009
TDS*-5000
CTT*1"""
TRACKING = """B10*PRO1*SHP-1*UPSN
LX*1
AT7*X6*NS***20261105*1200*ET
MS1*COLUMBUS*OH*US
LX*2
AT7*D1*NS***20261106*0930*LT
MS1*RENO*NV*US"""
RETURN = """BGN*11*BGN-1*20261110
RDR*CM*EV
PRF*SO-1
N9*RZ*RMA-1
BLI*VN*SKU-009*2*EA
N9*LI*10"""


@pytest.fixture
def supplier(tmp_path: Path) -> Partner:
    return Partner(
        tmp_path, settings={"units": {"EA": {"uom": "EA"}, "DZ": {"uom": "EA", "factor": 12}}}
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Partner:
    return Partner(tmp_path, "threepl", "wms", WAREHOUSE_SETS)


def one(partner: Partner, entity: str, code: str, text: str, way: str = "inbound") -> list[Any]:
    """Fields of the records of one set in a folder of its own."""
    partner.send(way, "it", document(code, text))
    records = Reader(partner).read(entity)
    assert [record.problem for record in records] == [None] * len(records)
    return [record.fields for record in records]


def told(fields: dict[str, Any], *names: str) -> list[Any]:
    return [fields[name] for name in names]


# ---- sets ----------------------------------------------------------------------------------


def test_850_and_its_change(supplier: Partner) -> None:
    lines = one(supplier, "purchase_order_lines", "850", ORDER, "outbound")
    names = ("po_number", "line_number", "item", "quantity", "base_factor", "unit_price")
    assert [told(line, *names) for line in lines] == [
        ["PO-778", "1", "SKU-009", "6", "1", "12.5"],
        ["PO-778", "2", "SKU-012", "3", "12", "0.75"],
    ]
    assert told(lines[0], "currency", "requested_on", "direction") == [
        "USD",
        "2026-11-10",
        "outbound",
    ]
    [head] = Reader(supplier).read("purchase_orders")
    assert told(head.fields, "ordered_on", "ship_to") == ["2026-11-02", "EAST"]
    change = "BCH*04*SA*PO-778***20261102\nPOC*2*QD*1*3*DZ*.75**VN*SKU-012\nCTT*1"
    supplier.send("outbound", "change", document("860", change), at=datetime(2026, 11, 3))
    newest = supplier.source().read_one("purchase_order_lines", {"po_number": "PO-778"})
    assert {r.fields["line_number"]: r.fields["quantity"] for r in newest} == {"1": "6", "2": "1"}


def test_855_answers_in_parts_and_by_the_whole(supplier: Partner) -> None:
    lines = one(supplier, "acknowledgement_lines", "855", ANSWER)
    names = ("line_number", "part", "status_code", "quantity", "promised_on", "seller_order")
    assert [told(line, *names) for line in lines] == [
        ["1", "1", "IQ", "4", "2026-11-09", "S-1"],
        ["1", "2", "IB", "2", None, "S-1"],
        ["2", "1", "AC", "3", None, "S-1"],
    ]


def test_855_without_lines_answers_the_order(supplier: Partner) -> None:
    [head] = one(supplier, "acknowledgements", "855", "BAK*00*RJ*PO-1*20261102")
    assert told(head, "po_number", "status_code") == ["PO-1", "RJ"]


def test_865_is_an_answer_to_a_change(supplier: Partner) -> None:
    text = "BCA*00*AC*PO-1***20261102\nPOC*1*QD*5**EA*2**VN*SKU-1\nACK*IA*5*EA\nCTT*1"
    [line] = one(supplier, "acknowledgement_lines", "865", text)
    assert told(line, "line_number", "status_code", "quantity") == ["1", "IA", "5"]


def test_856_takes_from_the_levels_above(supplier: Partner) -> None:
    [line] = one(supplier, "shipment_notice_lines", "856", NOTICE)
    names = (
        "shipment_number", "po_number", "line_number", "quantity", "ordered_quantity",
        "package_number", "tracking_number", "carrier", "shipped_on", "expected_on",
    )  # fmt: skip
    assert told(line, *names) == [
        "SHP-1", "PO-778", "1", "4", "6", "00100000000000000017", "1Z1", "UPSN", "2026-11-04",
        "2026-11-06",
    ]  # fmt: skip


def test_810_has_implied_decimals(supplier: Partner) -> None:
    [line] = one(supplier, "invoice_lines", "810", INVOICE)
    assert told(line, "invoice_type", "invoice_total", "unit_price", "po_number") == [
        "CN",
        "-50.00",
        "12.5",
        "PO-778",
    ]


def test_214_has_true_offsets(tmp_path: Path) -> None:
    carrier = Partner(
        tmp_path, "upsn", "carrier", {"inbound": ["214"]}, time_zone="America/Los_Angeles"
    )
    events = one(carrier, "tracking_events", "214", TRACKING)
    assert [told(event, "status_code", "occurred_at", "place") for event in events] == [
        ["X6", "2026-11-05T12:00:00-05:00", "COLUMBUS, OH, US"],
        ["D1", "2026-11-06T17:30:00+00:00", "RENO, NV, US"],
    ]


def test_180_names_the_order(tmp_path: Path) -> None:
    partner = Partner(tmp_path, "threepl", "wms", {"inbound": ["180"]})
    [line] = one(partner, "return_lines", "180", RETURN)
    names = ("return_number", "order_number", "line_number", "quantity", "reason_code", "item")
    assert told(line, *names) == ["RMA-1", "SO-1", "10", "2", "EV", "SKU-009"]


def test_944_tells_what_came_damaged(warehouse: Partner) -> None:
    text = "W17*F*20261105*RCV-1*PO-1\nN1*WH**92*DC-East\nW07*10*EA**VN*A\nW13*4*EA*01*X\nW14*10"
    [line] = one(warehouse, "stock_transfer_lines", "944", text)
    assert told(line, "quantity", "damaged_quantity", "location") == ["10", "4", "EAST"]


def test_943_announces_a_transfer(warehouse: Partner) -> None:
    text = "W06*N*TR-1*20261105*SHP-9**PO-1\nN1*WH**92*DC-East\nW04*10*EA**VN*A\nW03*10"
    [line] = one(warehouse, "stock_transfer_lines", "943", text, "outbound")
    assert told(line, "transfer_number", "set_code", "quantity") == ["TR-1", "943", "10"]


def test_every_set_has_a_contract_and_a_reader() -> None:
    contracts = contracts_of("x12")
    assert {entity for filled in ENTITIES_OF_SET.values() for entity in filled} <= set(contracts)


# ---- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda t: t.replace(b"SE*8*", b"SE*9*"), "count", "declared 9, actual 8"),
        (lambda t: t.replace(b"GE*1*", b"GE*2*"), "count", "declared 2, actual 1"),
        (lambda t: t.replace(b"IEA*1*", b"IEA*3*"), "count", "declared 3, actual 1"),
        (lambda t: t.replace(b"*0001~\nGE", b"*0009~\nGE"), "control_number", "do not match"),
        (lambda t: t.replace(b"IEA*1*000000007", b"IEA*1*000000008"), "control_number", "ISA13"),
        (lambda t: t[:300], "cut", "does not end"),
        (lambda t: t[: t.index(b"IEA")], "cut", "IEA"),
        (lambda t: t[:60], "cut", "too short"),
        (lambda t: t.replace(b"GS*PR", b"GS*PO"), "envelope", "belongs in PR"),
        (lambda t: t.replace(b"*ZZ*ACME ", b"*ZZ*OTHER"), "partner", "the sender is"),
        (lambda t: t.replace(b"X*004010", b"X*003010"), "version", "003010"),
        (lambda t: t.replace(b"SKU-009", b"SKU-\xff09"), "encoding", "0xff"),
        (lambda t: b"hello, this is no EDI" * 9, "envelope", "must begin with an ISA"),
    ],
)
def test_a_bad_interchange_is_refused_whole(
    supplier: Partner, change: Callable[[bytes], bytes], code: str, words: str
) -> None:
    text = supplier.text("inbound", document("855", ANSWER), number=7)
    supplier.put("inbound", "bad.edi", change(text))
    reader = Reader(supplier)
    [record] = reader.refused("interchanges")
    assert f"({code})" in record.problem
    assert words in record.problem
    assert record.raw.strip() == change(text).strip().decode("utf-8", "replace")
    assert reader.cursors["interchanges"]
    assert reader.read("acknowledgement_lines") == []


def test_each_order_of_a_refused_interchange_is_kept_with_its_own_sets(supplier: Partner) -> None:
    """The whole of it once for each order would be as many copies of a file as it has orders."""
    text = supplier.text(
        "inbound", *(document("855", ANSWER.replace("778", str(n))) for n in (778, 779, 780))
    )
    supplier.put("inbound", "bad.edi", text.replace(b"GE*3*", b"GE*4*"))
    refused = Reader(supplier).refused("interchanges")
    assert [record.reference for record in refused] == ["PO-778", "PO-779", "PO-780"]
    for record in refused:
        others = {"PO-778", "PO-779", "PO-780"} - {record.reference}
        assert f"{record.reference}*" in record.raw
        assert not any(other in record.raw for other in others)
        tags = [segment.split("*")[0].strip() for segment in record.raw.split("~")]
        assert tags[:3] == ["ISA", "GS", "ST"] and tags[-4:] == ["SE", "GE", "IEA", ""]
        assert "GE*4*" in record.raw


def test_a_bad_interchange_does_not_take_its_neighbours_with_it(supplier: Partner) -> None:
    good = supplier.text("inbound", document("855", ANSWER))
    bad = supplier.text("inbound", document("855", ANSWER.replace("778", "779")))
    last = supplier.text("inbound", document("855", ANSWER.replace("778", "780")))
    supplier.put("inbound", "all.edi", good + bad.replace(b"IEA*1*", b"IEA*2*") + last)
    orders = {record.fields["po_number"] for record in Reader(supplier).read("acknowledgements")}
    assert orders == {"PO-778", "PO-780"}
    [refused] = Reader(supplier).refused("interchanges")
    assert (refused.record_id, refused.reference) == ("inbound/all.edi#2/PO-779", "PO-779")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ACK*IQ*4*EA", "ACK*IQ*four*EA", "segment 4: ACK02 is no number: four"),
        ("067*20261109", "067*20261399", "segment 4: ACK05 is no date: 20261399"),
        ("ACK*IQ*4*EA", "ACK**4*EA", "segment 4: ACK01 is required"),
        ("PO1*1*6", "PO1*2*6", "PO-778/2/1 is told twice, with different words"),
        ("*VN*SKU-012", "", "segment 6: PO106 names no item"),
        ("ACK*IQ*4*EA", "ACK*IQ*4.1234567*EA", "more than 12 digits before or 6 after"),
        ("*12.5*", "*-12.5*", "unit_price is below 0: -12.5"),
    ],
)
def test_a_bad_line_refuses_its_transaction(
    supplier: Partner, old: str, new: str, words: str
) -> None:
    bad = document("855", ANSWER.replace(old, new))
    good = document("855", ANSWER.replace("778", "780"))
    supplier.send("inbound", "both", bad, good)
    reader = Reader(supplier)
    records = reader.read("acknowledgement_lines")
    assert {r.reference for r in records if r.problem} == {"PO-778"}
    assert all(words in r.problem for r in records if r.problem)
    assert {r.reference for r in records if not r.problem} == {"PO-780"}
    # A good version of the same lines settles what is in quarantine.
    supplier.send("inbound", "repaired", document("855", ANSWER))
    repaired = {r.record_id for r in reader.good("acknowledgement_lines")}
    assert {"PO-778/1/1", "PO-778/1/2"} <= repaired
    if "told twice" not in words:
        assert {r.record_id for r in records if r.problem} <= repaired


def test_a_set_that_names_no_order_is_kept_with_the_interchanges(supplier: Partner) -> None:
    supplier.send("inbound", "it", document("855", ANSWER.replace("PO-778*", "*")))
    reader = Reader(supplier)
    assert reader.read("acknowledgement_lines") == []
    [record] = reader.refused("interchanges")
    assert record.reference is None and "BAK03 is required" in record.problem
    (supplier.folder / "inbound" / "it.edi").unlink()
    reader.read("interchanges")
    assert reader.withdrawn == {record.container}


def test_a_refused_interchange_may_be_sent_again_under_its_number(supplier: Partner) -> None:
    text = supplier.text("inbound", document("855", ANSWER), number=7)
    supplier.put("inbound", "a.edi", text.replace(b"SE*8*", b"SE*9*"))
    reader = Reader(supplier)
    assert reader.refused("interchanges") and not reader.read("acknowledgement_lines")
    supplier.put("inbound", "b.edi", text)
    assert not reader.refused("interchanges")
    assert {r.reference for r in reader.good("acknowledgement_lines")} == {"PO-778"}
    # Now nobody waits for the first one any more; after that all is quiet.
    assert not reader.refused("interchanges")
    assert reader.withdrawn == {"inbound/a.edi"}
    assert reader.read("interchanges") == []
    assert not reader.withdrawn


@pytest.mark.parametrize("until", [b"ST*855", b"ST*856", b"IEA*"])
@pytest.mark.parametrize("name", ["a.edi", "a.edi.uploading"])
def test_an_interchange_that_first_came_cut_lands_when_it_comes_whole(
    supplier: Partner, until: bytes, name: str
) -> None:
    text = supplier.text("inbound", document("855", ANSWER), number=7)
    second = supplier.text("inbound", document("856", NOTICE), number=8)
    group = second[second.index(b"GS*") : second.index(b"IEA*")]
    text = text.replace(b"IEA*1*", group + b"IEA*2*")
    stump = supplier.put("inbound", name, text[: text.index(until)])
    reader = Reader(supplier)

    def files() -> list[set[str]]:
        names = ("interchanges", "acknowledgement_lines", "shipment_notice_lines")
        told = [{str(r.container) for r in reader.good(entity)} for entity in names]
        return [{file for file in held if file.startswith("inbound/")} for held in told]

    assert files() == [set(), set(), set()]
    if name == "a.edi.uploading":
        stump.unlink()
    supplier.put("inbound", "b.edi", text)
    assert files() == [{"inbound/b.edi"}] * 3


def test_a_cut_file_that_is_dated_ahead_is_not_still_being_written(supplier: Partner) -> None:
    """A transport may keep the time of a clock hours ahead: till then nobody had been told."""
    text = supplier.text("inbound", document("855", ANSWER))
    path = supplier.put("inbound", "a.edi", text[:-40])
    ahead = time.time() + 5 * 3600
    os.utime(path, (ahead, ahead))
    (refused,) = Reader(supplier).refused("interchanges")
    assert "cut" in (refused.problem or "")
    now = time.time()
    os.utime(path, (now, now))
    reader = Reader(supplier)
    assert reader.refused("interchanges") == [] and "still being written" in reader.notices[0]


def test_a_reused_number_is_refused_in_every_entity(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("856", NOTICE), number=7)
    supplier.send("inbound", "b", document("855", ANSWER), number=7)
    reader = Reader(supplier)
    assert reader.refused("interchanges")
    assert reader.read("acknowledgement_lines") == reader.read("invoice_lines") == []
    # Nor does what was refused keep the number from what was told under it first.
    path = supplier.root / "acme.yaml"
    path.write_text(path.read_text().replace("units:", "currency: EUR\nunits:"))
    assert reader.good("shipment_notice_lines")
    assert reader.read("acknowledgement_lines") == []


def test_a_set_that_is_not_expected_is_refused(supplier: Partner) -> None:
    supplier.send("inbound", "it", document("850", ORDER))
    reader = Reader(supplier)
    assert all(
        "set 850 is not expected inbound" in record.problem
        for record in reader.read("purchase_order_lines")
    )
    assert reader.read("interchanges")[0].problem is None
    assert "AK5*R*1~" in supplier.written("997")[0]


def test_a_set_of_an_entity_that_nobody_reads_is_kept_with_the_interchanges(
    supplier: Partner,
) -> None:
    """Its lines have no feed of this partner to be in quarantine of: it would be seen nowhere."""
    supplier.send("inbound", "it", document("214", TRACKING))
    assert "tracking_events" not in supplier.source().entities
    (refused,) = Reader(supplier).refused("interchanges")
    assert "set 214 is not expected inbound" in (refused.problem or "")
    assert "B10*PRO1*SHP-1*UPSN" in str(refused.raw)
    # No rule waits for what this partner is not to send: it holds nothing but itself.
    assert refused.reference is not None


def test_a_control_number_is_used_once(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("855", ANSWER), number=7)
    reader = Reader(supplier)
    name = "ACME/000000007/202611020900"
    assert name in {r.record_id for r in reader.good("interchanges")}
    assert not reader.notices
    # The same again, under another name, says nothing new and is noted once; other words under it
    # are refused.
    supplier.send("inbound", "b", document("855", ANSWER), number=7)
    assert name in {r.record_id for r in reader.good("interchanges")}
    assert [notice.split(":")[0] for notice in reader.notices] == ["told again"]
    reader.read("interchanges")
    assert not reader.notices
    assert len(Reader(supplier).good("acknowledgement_lines")) == 6
    supplier.send("inbound", "c", document("855", ANSWER.replace("778", "9")), number=7)
    [refused] = reader.refused("interchanges")
    assert "(reused_number)" in refused.problem


# ---- files ---------------------------------------------------------------------------------


def test_reading_twice_changes_nothing(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("855", ANSWER))
    reader = Reader(supplier)
    entities = supplier.source().entities
    first = {entity: reader.read(entity) for entity in entities}
    assert first["acknowledgement_lines"]
    # Our own answer is news once; then all is quiet.
    reader.read("interchanges")
    assert {entity: reader.read(entity) for entity in entities} == {e: [] for e in entities}


def test_a_file_that_is_being_written_waits(supplier: Partner) -> None:
    text = supplier.text("inbound", document("855", ANSWER))
    path = supplier.put("inbound", "a.edi", text[:300], is_old=False)
    reader = Reader(supplier)
    assert reader.read("interchanges") == reader.read("acknowledgement_lines") == []
    supplier.put("inbound", "b.edi.part", text)
    assert reader.read("interchanges") == []
    path.write_bytes(text)
    assert [r.fields["file"] for r in reader.good("interchanges")][:1] == ["inbound/a.edi"]
    assert len(reader.good("acknowledgement_lines")) == 3


def test_a_moved_file_is_the_same_and_a_rejected_one_is_not_read(supplier: Partner) -> None:
    path = supplier.send("outbound", "po", document("850", ORDER))
    reader = Reader(supplier)
    [first] = reader.read("purchase_orders")
    (path.parent / "processed").mkdir()
    path.rename(path.parent / "processed" / path.name)
    assert [r.record_id for r in reader.read("purchase_orders")] == [first.record_id]
    supplier.send("inbound", "rejected/x", document("855", ANSWER))
    assert reader.read("acknowledgements") == []


def test_an_unreadable_file_keeps_no_other_from_being_read(supplier: Partner) -> None:
    supplier.send("inbound", "b", document("855", ANSWER))
    (supplier.folder / "inbound" / "a.edi").symlink_to("/proc/self/mem")
    reader = Reader(supplier)
    with pytest.raises(SourceError, match=r"inbound/a\.edi"):
        reader.read("acknowledgement_lines")
    assert reader.cursors["acknowledgement_lines"] and "b.edi" in str(reader.cursors)


def test_a_lost_folder_is_no_quiet_day(supplier: Partner) -> None:
    (supplier.folder / "inbound").rmdir()
    with pytest.raises(SourceError, match="no folder"):
        Reader(supplier).read("interchanges")


@pytest.mark.parametrize("below", ["", "processed"])
def test_a_folder_that_may_not_be_listed_is_no_quiet_day(
    supplier: Partner, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier.send("inbound", "processed/a", document("855", ANSWER.replace("ACK*IQ", "ACK*")))
    reader = Reader(supplier)
    assert reader.read("acknowledgement_lines")
    shut = str(supplier.folder / "inbound" / below)
    list_folder = os.scandir

    def scandir(path: str) -> Any:
        if Path(path) == Path(shut):
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match=f"{Path(shut)}: Permission denied; let the user"):
        reader.read("acknowledgement_lines")
    # Nobody may take what lies there for gone: what is broken in it is still waited for.
    assert not reader.withdrawn
    monkeypatch.undo()
    assert reader.read("acknowledgement_lines") == []


def test_a_changed_profile_reads_all_anew(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("855", ANSWER))
    reader = Reader(supplier)
    assert reader.read("acknowledgements")
    path = supplier.root / "acme.yaml"
    path.write_text(path.read_text().replace("units:", "currency: EUR\nunits:"))
    assert len(reader.read("acknowledgements")) == 1


def test_a_point_read_asks_the_newest_version_whatever_it_is_found_by(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("810", INVOICE))
    corrected = document("810", INVOICE.replace("PO-778", "PO-779"))
    supplier.send("inbound", "b", corrected, at=datetime(2026, 11, 20))
    source = supplier.source()
    assert source.read_one("invoice_lines", {"po_number": "PO-778"}) == []
    assert len(source.read_one("invoice_lines", {"po_number": "PO-779"})) == 1
    both = {"invoice_number": "INV-1", "po_number": "PO-778"}
    assert source.read_one("invoice_lines", both) == []


def test_a_point_read_understands_only_what_names_its_document(
    supplier: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 30):
        text = ANSWER.replace("PO-778", f"PO-{number}")
        supplier.send("inbound", f"f{number}", document("855", text))
    source = supplier.source()
    read: list[str] = []
    understand = Translator.told

    def told(self: Any, interchange: Any, direction: str, file: str, origin: Any) -> Any:
        read.append(file)
        return understand(self, interchange, direction, file, origin)

    monkeypatch.setattr(Translator, "told", told)
    assert len(source.read_one("acknowledgement_lines", {"po_number": "PO-17"})) == 3
    assert read == ["inbound/f17.edi"]


def test_point_reads_take_any_columns(supplier: Partner) -> None:
    supplier.send("inbound", "a", document("855", ANSWER))
    source = supplier.source()
    assert len(source.read_one("acknowledgement_lines", {"po_number": "PO-778"})) == 3
    assert source.read_one("acknowledgement_lines", {"po_number": "PO-77"}) == []
    with pytest.raises(SourceError, match="can't look up"):
        source.read_one("acknowledgement_lines", {"colour": "red"})


def test_the_profile_decides_what_there_is_to_read(supplier: Partner, warehouse: Partner) -> None:
    assert supplier.source().entities[0] == "interchanges"
    assert "shipment_lines" not in supplier.source().entities
    assert warehouse.source().entities[-1] == "inventory"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sets": {"inbound": ["999"]}}, "999 is not one of"),
        ({"encoding": "utf-16"}, "utf-16"),
        ({"separators": {"element": "*", "segment": "*"}}, "must differ"),
        ({"us": {"id": "A" * 16}}, "us.id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_profile_is_named(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    partner = Partner(tmp_path, settings=settings)
    with pytest.raises(ConfigurationError, match=words):
        load_profile(partner.root / "acme.yaml")


def test_profile_and_system_agree_on_the_role(tmp_path: Path) -> None:
    partner = Partner(tmp_path, settings={"role": "carrier"})
    with pytest.raises(ConfigurationError, match="has role supplier"):
        partner.source()


# ---- answers (997) -------------------------------------------------------------------------


def test_each_interchange_is_answered_once(supplier: Partner) -> None:
    supplier.send(
        "inbound", "a", document("855", ANSWER), document("855", ANSWER.replace("7", "6"))
    )
    supplier.send("inbound", "b", document("997", "AK1*PO*501\nAK9*A*1*1*1"))
    reader = Reader(supplier)
    for _ in range(3):
        reader.read("interchanges")
    # A lost cursor does not make a second answer either.
    Reader(supplier).read("interchanges")
    [text] = supplier.written("997")
    assert [line for line in text.splitlines() if line.startswith("AK")] == [
        "AK1*PR*1~",
        "AK2*855*0001~",
        "AK5*A~",
        "AK2*855*0002~",
        "AK5*A~",
        "AK9*A*2*2*2~",
    ]
    assert text.startswith("ISA*00*          *00*          *ZZ*DISTRIB        *ZZ*ACME           ")


def test_an_answer_names_what_is_wrong(supplier: Partner) -> None:
    bad = ANSWER.replace("ACK*IQ*4*EA", "ACK*IQ*four*EA")
    supplier.send("inbound", "a", document("855", bad), document("855", ANSWER))
    Reader(supplier).read("interchanges")
    [text] = supplier.written("997")
    told = [line.rstrip("~") for line in text.splitlines() if line.startswith("AK")]
    assert told[1:5] == ["AK2*855*0001", "AK3*ACK*4**8", "AK4*2**6", "AK5*R*5"]
    assert told[-1] == "AK9*P*2*2*1"


def test_a_refused_interchange_is_answered_with_a_rejection(supplier: Partner) -> None:
    text = supplier.text("inbound", document("855", ANSWER), number=7)
    supplier.put("inbound", "a.edi", text.replace(b"SE*8*", b"SE*9*"))
    Reader(supplier).read("interchanges")
    assert "AK1*PR*7~\nAK9*R*1*1*0*5~" in supplier.written("997")[0]


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_nothing_is_answered_until_writing_is_on(tmp_path: Path, mode: str) -> None:
    supplier = Partner(tmp_path, write_mode=mode)
    supplier.send("inbound", "a", document("855", ANSWER))
    reader = Reader(supplier)
    reader.read("interchanges")
    assert supplier.written("997") == []
    assert reader.notices == [f"1 interchanges are not acknowledged: write_mode is {mode}"]
    supplier.write_mode = "on"
    reader.read("interchanges")
    assert len(supplier.written("997")) == 1


@pytest.mark.parametrize("point", ["x12.after_ledger", "x12.after_file"])
def test_a_kill_while_answering_makes_no_second_answer(supplier: Partner, point: str) -> None:
    supplier.send("inbound", "a", document("855", ANSWER))
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path\nfrom edi_partner import Partner, Reader\n"
        "Reader(Partner(Path(sys.argv[3]))).read('interchanges')"
    )
    root, here = Path(__file__).parents[2], Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(here), str(supplier.root)],
        env={**os.environ, "TALLYMAN_CRASH_AT": point},
        check=False,
        timeout=60,
    )
    assert done.returncode == -9
    assert len(supplier.written("997")) == (1 if point == "x12.after_file" else 0)
    Reader(supplier).read("interchanges")
    [text] = supplier.written("997")
    ledger = sqlite3.connect(supplier.folder / "ledger.sqlite")
    assert ledger.execute("select content from documents").fetchone()[0].decode() == text


def test_an_outbound_folder_that_cant_be_written_is_told_and_tried_again(
    supplier: Partner,
) -> None:
    supplier.send("inbound", "a", document("855", ANSWER))
    blocker = supplier.folder / "ledger.sqlite"
    blocker.mkdir()
    reader = Reader(supplier)
    assert reader.good("interchanges")
    assert any("not acknowledged" in notice for notice in reader.notices)
    blocker.rmdir()
    reader.read("interchanges")
    assert len(supplier.written("997")) == 1


# ---- functional acknowledgements of what we sent --------------------------------------------


def test_what_we_sent_and_what_was_said_of_it(supplier: Partner) -> None:
    supplier.send("outbound", "po", document("850", ORDER), number=501)
    text = "AK1*PO*501\nAK2*850*0001\nAK3*PO1*5**8\nAK4*2**6\nAK5*R*5\nAK9*R*1*1*0"
    supplier.send("inbound", "fa", document("997", text))
    reader = Reader(supplier)
    [group] = reader.read("functional_groups")
    assert told(group.fields, "functional_id", "group_number", "sets", "set_count") == [
        "PO",
        "501",
        "850/0001",
        "1",
    ]
    assert told(group.fields, "written_at", "acknowledgement_due_at") == [
        "2026-11-02 09:00:00",
        "2026-11-03 09:00:00",
    ]
    [answered] = reader.read("functional_acknowledgements")
    assert told(answered.fields, "functional_id", "group_number", "status_code") == [
        "PO",
        "501",
        "R",
    ]
    assert answered.fields["set_statuses"] == "850/0001=R(5)"


# ---- EDIFACT -------------------------------------------------------------------------------


def edifact(code: str, body: str, reference: int = 77) -> bytes:
    lines = [line.strip() for line in body.strip().splitlines()]
    text = [
        "UNA:+.? ",
        f"UNB+UNOC:3+ACME:ZZ+DISTRIB:ZZ+261102:0900+{reference}",
        f"UNH+1+{code}:D:96A:UN",
        *lines,
        f"UNT+{len(lines) + 2}+1",
        f"UNZ+1+{reference}",
    ]
    return "'\n".join([*text, ""]).encode()


def edifact_fields(supplier: Partner, code: str, entity: str, body: str) -> list[Any]:
    supplier.put("inbound", f"{code}.edi", edifact(code, body))
    records = Reader(supplier).read(entity)
    assert [record.problem for record in records] == [None] * len(records)
    return [record.fields for record in records]


def test_a_point_read_finds_a_number_with_release_characters(supplier: Partner) -> None:
    body = """BGM+380+INV?-9+9
        DTM+137:20261105:102
        RFF+ON:PO?-778
        LIN+1++SKU-009:VP
        QTY+47:4:PCE
        UNS+S"""
    supplier.put("inbound", "INVOIC.edi", edifact("INVOIC", body))
    source = supplier.source()
    assert len(source.read_one("invoice_lines", {"po_number": "PO-778"})) == 1
    assert len(source.read_one("invoice_lines", {"invoice_number": "INV-9"})) == 1


def test_ordrsp(supplier: Partner) -> None:
    body = """BGM+231+S-1+4
        DTM+137:20261103:102
        RFF+ON:PO-778
        CUX+2:EUR:9
        LIN+1+3+SKU-009:VP
        QTY+21:6:PCE
        QTY+113:4:PCE
        DTM+67:20261109:102
        PRI+AAA:12.5
        LIN+2+7+SKU-012:VP
        QTY+21:3:PCE
        UNS+S"""
    lines = edifact_fields(supplier, "ORDRSP", "acknowledgement_lines", body)
    names = ("po_number", "line_number", "status_code", "quantity", "promised_on", "unit_price")
    assert [told(line, *names) for line in lines] == [
        ["PO-778", "1", "LIN3", "4", "2026-11-09", "12.5"],
        ["PO-778", "2", "LIN7", "3", None, None],
    ]


def test_desadv(supplier: Partner) -> None:
    body = """BGM+351+SHP-1+9
        DTM+11:20261104:102
        RFF+ON:PO-778
        CPS+1
        PAC+1
        PCI+33E
        GIN+BJ+00100000000000000017
        LIN+1++SKU-009:VP
        QTY+12:4:PCE
        CPS+2
        PAC+1
        GIN+BJ+00100000000000000024
        LIN+2++SKU-012:VP
        QTY+12:5:PCE"""
    lines = edifact_fields(supplier, "DESADV", "shipment_notice_lines", body)
    names = ("shipment_number", "po_number", "line_number", "quantity", "package_number")
    assert [told(line, *names) for line in lines] == [
        ["SHP-1", "PO-778", "1", "4", "00100000000000000017"],
        ["SHP-1", "PO-778", "2", "5", "00100000000000000024"],
    ]
    assert lines[0]["shipped_on"] == "2026-11-04"


def test_invoic(supplier: Partner) -> None:
    body = """BGM+380+INV-1+9
        DTM+137:20261105:102
        RFF+ON:PO-778
        CUX+2:EUR:4
        LIN+1++SKU-009:VP
        QTY+47:4:PCE
        PRI+AAA:12.5
        FTX+AAI+++O?'BRIEN ?+ CO'S
        UNS+S
        MOA+77:50""".replace("'S\n", "\n")
    [line] = edifact_fields(supplier, "INVOIC", "invoice_lines", body)
    names = ("invoice_number", "invoice_type", "po_number", "quantity", "currency", "invoice_total")
    assert told(line, *names) == ["INV-1", "380", "PO-778", "4", "EUR", "50"]


def test_orders_are_purchase_orders_too(supplier: Partner) -> None:
    body = "BGM+220+PO-1+9\nDTM+137:20261102:102\nLIN+1++SKU-1:VP\nQTY+21:6:PCE\nUNS+S"
    text = edifact("ORDERS", body).replace(b"ACME:ZZ+DISTRIB", b"DISTRIB:ZZ+ACME")
    supplier.put("outbound", "po.edi", text)
    [line] = Reader(supplier).read("purchase_order_lines")
    assert told(line.fields, "po_number", "line_number", "quantity") == ["PO-1", "1", "6"]
    [group] = Reader(supplier).read("functional_groups")
    assert group.record_id == "EDIFACT/77"
    supplier.put("inbound", "c.edi", edifact("CONTRL", "UCI+77+DISTRIB+ACME+7\nUCM+1+ORDERS+7"))
    [answered] = Reader(supplier).read("functional_acknowledgements")
    assert (answered.record_id, answered.fields["status_code"]) == ("EDIFACT/77", "UCI7")


def test_invrpt(warehouse: Partner) -> None:
    body = (
        "BGM+35+ADV-1+9\nDTM+366:202611092300:203\nNAD+WH+DC-East\nLIN+1++SKU-9:VP\nQTY+145:92:PCE"
    )
    text = edifact("INVRPT", body).replace(b"ACME", b"THREEPL")
    warehouse.put("inbound", "a.edi", text)
    [line] = Reader(warehouse).read("inventory")
    assert told(line.fields, "location", "item", "state", "quantity", "as_of") == [
        "EAST",
        "SKU-9",
        "on_hand",
        "92",
        "2026-11-09 23:00:00",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t.replace(b"UNT+6", b"UNT+7"), "count"),
        (lambda t: t.replace(b"UNZ+1", b"UNZ+2"), "count"),
        (lambda t: t.replace(b"UNZ+1+77", b"UNZ+1+78"), "control_number"),
        (lambda t: t.replace(b"UNT+6+1", b"UNT+6+2"), "control_number"),
        (lambda t: t[:-10], "cut"),
        (lambda t: t.replace(b"UNT+6+1'\n", b""), "cut"),
    ],
)
def test_a_bad_edifact_interchange_is_refused_whole(
    supplier: Partner, change: Callable[[bytes], bytes], code: str
) -> None:
    body = "BGM+231+S-1+4\nRFF+ON:PO-1\nLIN+1+5+A:VP\nQTY+21:6:PCE"
    supplier.put("inbound", "a.edi", change(edifact("ORDRSP", body)))
    [record] = Reader(supplier).refused("interchanges")
    assert f"({code})" in record.problem
    assert Reader(supplier).read("acknowledgement_lines") == []


def test_throughput_is_enough_for_a_day_of_documents(supplier: Partner) -> None:
    """2,000 lines within seconds; the bound is wide, a quadratic reader would break it."""
    for number in range(40):
        lines = "\n".join(f"PO1*{n}*6*EA*1**VN*SKU-{n}\nACK*IA*6*EA" for n in range(1, 51))
        text = f"BAK*00*AC*PO-{number}*20261102\n{lines}\nCTT*50"
        supplier.send("inbound", f"a{number}", document("855", text))
    began = time.process_time()
    assert len(Reader(supplier).read("acknowledgement_lines")) == 2000
    assert time.process_time() - began < 10


def test_a_file_that_was_moved_is_not_told_again(supplier: Partner) -> None:
    path = supplier.send("inbound", "a", document("855", ANSWER), number=7)
    reader = Reader(supplier)
    reader.read("interchanges")
    path.rename(path.with_name("moved.edi"))
    assert reader.good("interchanges")
    assert not reader.notices
