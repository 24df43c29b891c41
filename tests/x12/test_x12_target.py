"""Corrections as documents: each written once, read back from the folder, taken back by another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from edi_partner import NOTICE_SETS, WAREHOUSE_SETS, Partner, document

from connectors.base import CorrectionRequest, Result
from connectors.factory import make_target
from connectors.x12.interchange import read_x12
from writeback.kinds import check_payload

RELEASE = {
    "host_order": "SO-1",
    "location": "EAST",
    "lines": [
        {"host_line": "10", "target_item": "SKU-1", "quantity": "6", "uom": "EA"},
        {"host_line": "20", "target_item": "SKU-2", "quantity": "2.5", "uom": "EA"},
    ],
}
ORDER = {
    "po_number": "PO-1",
    "currency": "USD",
    "requested_on": "2026-11-20",
    "lines": [
        {"line_no": "1", "target_item": "SKU-1", "quantity": "6", "unit_price": "12.5"},
        {"line_no": "2", "target_item": "SKU-2", "quantity": "3", "unit_price": "0.75"},
    ],
}
CHANGE = {
    "po_number": "PO-1",
    "lines": [
        {
            "line_record": "1",
            "target_item": "SKU-1",
            "quantity": "4",
            "old_quantity": "6",
            "unit_price": "12.5",
            "old_unit_price": "12.5",
        },
        {
            "line_record": "2",
            "target_item": "SKU-2",
            "quantity": "0",
            "old_quantity": "3",
            "unit_price": "0.75",
            "old_unit_price": "0.75",
        },
    ],
}
NOTICE = {
    "shipment_number": "SHP-1",
    "po_number": "C-77",
    "shipped_on": "2026-11-12",
    "tracking_number": "1Z1",
    "carrier": "UPSN",
    "lines": [{"line_record": "1", "target_item": "SKU-1", "quantity": "6"}],
}


def request(kind: str, payload: Mapping[str, Any], key: str = "key-1") -> CorrectionRequest:
    check_payload(kind, payload)
    return CorrectionRequest(kind, "object", payload, {}, key, datetime(2026, 11, 10, tzinfo=UTC))


@pytest.fixture
def warehouse(tmp_path: Path) -> Partner:
    return Partner(tmp_path, "threepl", "wms", WAREHOUSE_SETS)


@pytest.fixture
def supplier(tmp_path: Path) -> Partner:
    return Partner(tmp_path)


@pytest.fixture
def customer(tmp_path: Path) -> Partner:
    return Partner(tmp_path, "bigbox", "channel", NOTICE_SETS)


def body(text: str) -> list[str]:
    """Segments of the one set in a text, without its header and trailer."""
    return [line.rstrip("~") for line in text.splitlines()][3:-3]


def test_kinds_follow_the_sets_of_the_profile(
    warehouse: Partner, supplier: Partner, customer: Partner
) -> None:
    assert warehouse.target().kinds == {"create_warehouse_order"}
    assert supplier.target().kinds == {"create_purchase_order", "change_purchase_order"}
    assert customer.target().kinds == {"send_shipment_notice"}
    made = make_target(warehouse.system, {})
    assert made is not None and made.kinds == {"create_warehouse_order"}
    refused = made.apply(request("create_purchase_order", ORDER))
    assert (refused.result, refused.code) == (Result.REFUSED, "kind_not_supported")


def test_a_release_is_written_once_and_read_back(warehouse: Partner) -> None:
    target, wanted = warehouse.target(), request("create_warehouse_order", RELEASE)
    before = target.read(wanted)
    assert (before.applied, before.precondition_met) == (False, True)
    outcome = target.apply(wanted)
    assert (outcome.result, outcome.target_record_id) == (Result.OK, "SO-1")
    [text] = warehouse.written("940")
    assert body(text) == [
        "W05*N*SO-1",
        "N1*WH**92*DC-East",
        "LX*1",
        "W01*6*EA**VN*SKU-1",
        "N9*LI*10",
        "LX*2",
        "W01*2.5*EA**VN*SKU-2",
        "N9*LI*20",
        "W76*8.5",
    ]
    after = target.read(wanted)
    assert (after.applied, after.applied_by_key, after.precondition_met) == (True, True, False)
    [first, second] = warehouse.source().read_one("warehouse_order_lines", {"host_order": "SO-1"})
    assert (first.fields["origin"], first.fields["status_code"]) == ("key-1", "N")
    assert (second.fields["quantity"], second.fields["location"]) == ("2.5", "EAST")


def test_the_same_key_is_the_same_document(warehouse: Partner) -> None:
    wanted = request("create_warehouse_order", RELEASE)
    first, again = (warehouse.target().apply(wanted) for _ in range(2))
    assert first.response == again.response and len(warehouse.written("940")) == 1
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: warehouse.target().apply(wanted), range(8)))
    assert {outcome.response for outcome in outcomes} == {first.response}
    assert len(warehouse.written("940")) == 1


def test_a_document_that_has_gone_on_its_way_is_not_written_again(warehouse: Partner) -> None:
    wanted = request("create_warehouse_order", RELEASE)
    warehouse.target().apply(wanted)
    for path in (warehouse.folder / "outbound").glob("940-*"):
        path.unlink()
    assert warehouse.target().read(wanted).applied_by_key
    assert warehouse.target().apply(wanted).result is Result.OK
    assert warehouse.written("940") == []


def test_somebody_elses_release_is_a_conflict(warehouse: Partner) -> None:
    told = document("940", "W05*N*SO-1\nLX*1\nW01*1*EA**VN*SKU-1\nW76*1")
    warehouse.send("outbound", "theirs", told)
    state = warehouse.target().read(request("create_warehouse_order", RELEASE))
    assert (state.applied, state.applied_by_key, state.precondition_met) == (True, False, False)
    outcome = warehouse.target().apply(request("create_warehouse_order", RELEASE))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")


@pytest.mark.parametrize("point", ["x12.after_ledger", "x12.after_file"])
def test_a_kill_leaves_one_document(warehouse: Partner, point: str) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path\nfrom edi_partner import NOTICE_SETS, WAREHOUSE_SETS, Partner\n"
        "from test_x12_target import RELEASE, request\n"
        "partner = Partner(Path(sys.argv[3]), 'threepl', 'wms', WAREHOUSE_SETS)\n"
        "partner.target().apply(request('create_warehouse_order', RELEASE))"
    )
    root, here = Path(__file__).parents[2], Path(__file__).parent
    command = [sys.executable, "-c", script, str(root), str(here), str(warehouse.root)]
    environment = {**os.environ, "TALLYMAN_CRASH_AT": point}
    done = subprocess.run(command, env=environment, check=False, timeout=60)
    assert done.returncode == -9
    begun = warehouse.source().ledger.find("key-1")
    assert begun is not None and not begun.is_written
    outcome = warehouse.target().apply(request("create_warehouse_order", RELEASE))
    assert outcome.response.encode() == begun.content
    assert len(warehouse.written("940")) == 1


def test_undoing_a_release_cancels_it(warehouse: Partner) -> None:
    target, wanted = warehouse.target(), request("create_warehouse_order", RELEASE)
    assert target.undo(wanted, None).code == "version_conflict"
    target.apply(wanted)
    assert target.undo(wanted, "SO-1").result is Result.OK
    assert target.undo(wanted, "SO-1").result is Result.OK
    cancellations = [text for text in warehouse.written("940") if "W05*F*SO-1" in text]
    assert len(warehouse.written("940")) == 2 and len(cancellations) == 1
    state = target.read(wanted)
    assert (state.applied, state.precondition_met) == (False, True)


def test_an_order_its_change_and_their_undoing(supplier: Partner) -> None:
    target = supplier.target()
    order, change = (
        request("create_purchase_order", ORDER),
        request("change_purchase_order", CHANGE, "key-2"),
    )
    assert target.apply(order).result is Result.OK
    [text] = supplier.written("850")
    assert body(text)[1:] == [
        "CUR*BY*USD",
        "DTM*002*20261120",
        "PO1*1*6*EA*12.5**VN*SKU-1",
        "PO1*2*3*EA*0.75**VN*SKU-2",
        "CTT*2",
    ]
    assert target.read(change).precondition_met
    assert target.apply(change).result is Result.OK
    assert [line for line in body(supplier.written("860")[0]) if line.startswith("POC")] == [
        "POC*1*QD*4**EA*12.5**VN*SKU-1",
        "POC*2*DI*0**EA*0.75**VN*SKU-2",
    ]
    state = target.read(change)
    assert (state.applied, state.precondition_met) == (True, False)
    assert target.undo(change, "PO-1").result is Result.OK
    assert [line for line in body(supplier.written("860")[1]) if line.startswith("POC")] == [
        "POC*1*QI*6**EA*12.5**VN*SKU-1",
        "POC*2*AI*3**EA*0.75**VN*SKU-2",
    ]
    assert target.read(change).precondition_met
    assert target.undo(order, "PO-1").result is Result.OK
    assert body(supplier.written("860")[2])[0].startswith("BCH*01*SA*PO-1")
    assert not target.read(order).applied


def test_a_change_of_other_values_is_a_conflict(supplier: Partner) -> None:
    target = supplier.target()
    target.apply(request("create_purchase_order", ORDER))
    lines = [{**CHANGE["lines"][0], "old_quantity": "7"}]
    outcome = target.apply(request("change_purchase_order", {**CHANGE, "lines": lines}, "key-2"))
    assert outcome.code == "version_conflict" and "6 at 12.5" in outcome.message


def test_a_ship_notice_its_replacement_and_their_undoing(customer: Partner) -> None:
    target = customer.target()
    first = request("send_shipment_notice", NOTICE)
    assert target.apply(first).result is Result.OK
    assert body(customer.written("856")[0])[0].startswith("BSN*00*SHP-1*")
    line = {**NOTICE["lines"][0], "quantity": "5", "old_quantity": "6"}
    replaced = request("send_shipment_notice", {**NOTICE, "lines": [line]}, "key-2")
    assert target.read(replaced).precondition_met
    assert target.apply(replaced).result is Result.OK
    assert body(customer.written("856")[1])[0].startswith("BSN*05*SHP-1*")
    assert target.read(replaced).applied
    assert target.undo(replaced, "SHP-1").result is Result.OK
    assert target.read(replaced).precondition_met
    assert target.undo(first, "SHP-1").result is Result.OK
    assert body(customer.written("856")[3])[0].startswith("BSN*01*SHP-1*")
    assert not target.read(first).applied


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host_order": "S" * 23}, "does not fit 1 to 22"),
        ({"host_order": "SO*1"}, "holds a separator"),
        ({"location": "ŁÓDŹ"}, "is no character of ascii"),
        ({"lines": [{**RELEASE["lines"][0], "uom": "CS"}]}, "has no unit for CS"),
        ({"lines": [{**RELEASE["lines"][0], "quantity": "x"}]}, "not a number"),
        ({"lines": [{**RELEASE["lines"][0], "quantity": "1234567890.123456"}]}, "15 digits"),
    ],
)
def test_what_does_not_fit_is_refused_and_uses_no_number(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    partner = Partner(tmp_path, "threepl", "wms", WAREHOUSE_SETS, settings={"encoding": "ascii"})
    outcome = partner.target().apply(request("create_warehouse_order", {**RELEASE, **change}))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "not_representable")
    assert words in outcome.message
    partner.target().apply(request("create_warehouse_order", RELEASE, "key-2"))
    assert read_x12(partner.written("940")[0].encode()).control_number == "000000001"


def test_a_folder_that_cant_be_written_is_tried_again(warehouse: Partner) -> None:
    (warehouse.folder / "ledger.sqlite").mkdir()
    outcome = warehouse.target().apply(request("create_warehouse_order", RELEASE))
    assert outcome.result is Result.RETRY
    (warehouse.folder / "ledger.sqlite").rmdir()
    assert warehouse.target().apply(request("create_warehouse_order", RELEASE)).result is Result.OK


def test_control_numbers_grow_from_where_the_profile_says(tmp_path: Path) -> None:
    settings = {"first_control_number": 700_000_000, "separators": {"element": "|"}}
    partner = Partner(tmp_path, settings=settings)
    for number in (1, 2):
        order = {**ORDER, "po_number": f"PO-{number}"}
        partner.target().apply(request("create_purchase_order", order, f"key-{number}"))
    texts = partner.written("850")
    assert [read_x12(t.encode()).control_number for t in texts] == ["700000000", "700000001"]
    assert all(re.match(r"ISA\|00\|", text) for text in texts)


def test_a_lost_ledger_does_not_use_the_numbers_of_the_folder_again(warehouse: Partner) -> None:
    for number in (1, 2):
        order = {**RELEASE, "host_order": f"SO-{number}"}
        warehouse.target().apply(request("create_warehouse_order", order, f"key-{number}"))
    sent = warehouse.folder / "outbound" / "processed"
    sent.mkdir()
    (warehouse.folder / "outbound" / "940-000000002.edi").rename(sent / "940-000000002.edi")
    for file in warehouse.folder.glob("ledger.sqlite*"):
        file.unlink()
    order = {**RELEASE, "host_order": "SO-3"}
    outcome = warehouse.target().apply(request("create_warehouse_order", order, "key-3"))
    assert "000000003" in outcome.message
    assert len(warehouse.written("940")) == 3


def test_a_file_with_other_content_is_not_taken_for_ours(warehouse: Partner) -> None:
    outbound = warehouse.folder / "outbound"
    ledger = warehouse.source().ledger

    def build(number: int, now: datetime) -> bytes:
        # Somebody else is quicker.
        (outbound / f"940-{number:09}.edi").write_bytes(b"theirs")
        return b"ours"

    for _ in range(2):
        with pytest.raises(FileExistsError, match=r"940-000000001\.edi .*says something else"):
            ledger.write("key-1", "940", build)
    begun = ledger.find("key-1")
    assert begun is not None and not begun.is_written
    outcome = warehouse.target().apply(request("create_warehouse_order", RELEASE))
    assert (outcome.result, outcome.code) == (Result.RETRY, "unwritable")
    assert "says something else" in outcome.message
    (outbound / "940-000000001.edi").unlink()
    assert ledger.write("key-1", "940", build).content == b"ours"
    assert (outbound / "940-000000001.edi").read_bytes() == b"ours"
