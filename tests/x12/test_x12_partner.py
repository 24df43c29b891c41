"""A trading partner that nobody here wrote: mock-edi, over folders, as a partner's transport is.

Our outbound folder is its drop folder and its pickup folder is our inbound one, so that both sides
do what they would do in earnest: the mock moves what it took, and writes when it likes.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from edi_partner import Partner, Reader

from connectors.base import CorrectionRequest, Record, Result

SETS = {
    "inbound": ["855", "856", "810", "865", "997", "ORDRSP", "DESADV", "INVOIC", "CONTRL"],
    "outbound": ["850", "860", "997"],
}
LINES = [
    {"line_no": "1", "target_item": "WIDGET-001", "quantity": "6", "unit_price": "12.50"},
    {"line_no": "2", "target_item": "WIDGET-002", "quantity": "8", "unit_price": "13.75"},
]


class Mock:
    """The mock behind its own HTTP interface, and the folder that we share with it."""

    def __init__(self, url: str, partner: Partner) -> None:
        self.url = url
        self.partner = partner
        self.reader = Reader(partner)

    def post(self, path: str, body: bytes = b"") -> Any:
        request = urllib.request.Request(self.url + path, body, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def behave(self, **settings: str) -> None:
        body = json.dumps(settings).encode()
        us = self.partner.profile.us.id
        request = urllib.request.Request(
            f"{self.url}/_mock/partners/{us}",
            body,
            {"Content-Type": "application/json"},
            method="PATCH",
        )
        urllib.request.urlopen(request, timeout=20).close()

    def trade(self) -> None:
        """The mock takes what we sent and does all that it has promised."""
        self.post("/_mock/drop/scan")
        self.post("/_mock/advance?seconds=2592000")
        self.post("/_mock/drop/scan")

    def order(self, number: str, **changes: Any) -> None:
        payload = {"po_number": number, "currency": "USD", "lines": LINES, **changes}
        self.correct("create_purchase_order", payload, f"order-{number}")

    def correct(self, kind: str, payload: dict[str, Any], key: str) -> None:
        created = datetime(2026, 11, 10, tzinfo=UTC)
        request = CorrectionRequest(kind, "object", payload, {}, key, created)
        assert self.partner.target().apply(request).result is Result.OK

    def read(self, entity: str) -> dict[str, Record]:
        """The newest version of each record; nothing may be refused."""
        records = self.reader.read(entity)
        assert [record.problem for record in records if record.problem] == []
        return {record.record_id: record for record in records}


@contextmanager
def mock_partner(root: Path, us: str, **settings: Any) -> Iterator[Mock]:
    """The mock on a free port, until the block ends; it knows us as one of its customers."""
    partner = Partner(
        root,
        "seller",
        "supplier",
        SETS,
        settings={
            "us": {"id": us},
            "them": {"id": "MOCKEDI"},
            "item_qualifiers": ["VP", "SA"],
            **settings,
        },
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = partner.folder
    command = [
        sys.executable, "-m", "mockedi", "--port", str(port), "-q",
        "--drop-dir", str(folder / "outbound"), "--pickup-dir", str(folder / "inbound"),
        "--drop-interval-ms", "600000", "--drop-settle-ms", "0",
        "--despatch-delay", "3600000", "--invoice-delay", "7200000",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/_mock/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield Mock(url, partner)
    finally:
        process.kill()
        process.wait(timeout=20)


@pytest.fixture
def seller(tmp_path: Path) -> Iterator[Mock]:
    with mock_partner(tmp_path, "ACME") as mock:
        yield mock


def quantities(records: dict[str, Record], *names: str) -> dict[str, Any]:
    return {
        key: tuple(record.fields[name] for name in names) for key, record in sorted(records.items())
    }


def test_an_order_is_acknowledged_answered_announced_and_billed(seller: Mock) -> None:
    seller.order("PO-778")
    seller.trade()
    acknowledged = seller.read("functional_acknowledgements")
    assert quantities(acknowledged, "status_code", "set_statuses") == {"PO/1": ("A", "850/0001=A")}
    answers = seller.read("acknowledgement_lines")
    assert quantities(answers, "status_code", "quantity", "unit_price", "item") == {
        "PO-778/1/1": ("IA", "6", "12.50", "WIDGET-001"),
        "PO-778/2/1": ("IA", "8", "13.75", "WIDGET-002"),
    }
    notices = list(seller.read("shipment_notice_lines").values())
    assert [
        (n.fields["po_number"], n.fields["line_number"], n.fields["quantity"]) for n in notices
    ] == [("PO-778", "1", "6"), ("PO-778", "2", "8")]
    assert all(n.fields["tracking_number"] for n in notices)
    bills = list(seller.read("invoice_lines").values())
    assert [(b.fields["line_number"], b.fields["quantity"]) for b in bills] == [
        ("1", "6"),
        ("2", "8"),
    ]
    assert bills[0].fields["invoice_total"] == "185.00"


def test_our_answers_satisfy_the_partner(seller: Mock) -> None:
    seller.order("PO-778")
    seller.trade()
    seller.read("interchanges")
    assert len(seller.partner.written("997")) == 3
    seller.trade()
    with urllib.request.urlopen(f"{seller.url}/_mock/unacknowledged?older-than=0") as answer:
        assert json.load(answer) == []
    seller.read("interchanges")
    assert len(seller.partner.written("997")) == 3
    assert not list((seller.partner.folder / "outbound").glob("failed/*"))


def test_a_short_shipment_is_seen(seller: Mock) -> None:
    seller.behave(behaviour="short-ship")
    seller.order("PO-779")
    seller.trade()
    answers = seller.read("acknowledgement_lines")
    assert quantities(answers, "status_code", "quantity", "ordered_quantity") == {
        "PO-779/1/1": ("IQ", "5", "6"),
        "PO-779/2/1": ("IQ", "6", "8"),
    }
    notices = seller.read("shipment_notice_lines").values()
    assert sorted(n.fields["quantity"] for n in notices) == ["5", "6"]


def test_a_refused_line_is_seen(seller: Mock) -> None:
    seller.order("PO-780", lines=[LINES[0], {**LINES[1], "target_item": "NO-SUCH-ITEM"}])
    seller.trade()
    answers = seller.read("acknowledgement_lines")
    assert quantities(answers, "status_code") == {"PO-780/1/1": ("IA",), "PO-780/2/1": ("IR",)}


def test_a_change_is_understood_and_answered(seller: Mock) -> None:
    seller.order("PO-781")
    seller.post("/_mock/drop/scan")
    line = {
        "line_record": "1", "target_item": "WIDGET-001", "quantity": "4", "old_quantity": "6",
        "unit_price": "12.50", "old_unit_price": "12.50",
    }  # fmt: skip
    seller.correct("change_purchase_order", {"po_number": "PO-781", "lines": [line]}, "change")
    seller.post("/_mock/drop/scan")
    answers = seller.read("acknowledgement_lines")
    assert answers["PO-781/1/1"].fields["set_code"] == "865"
    assert answers["PO-781/1/1"].fields["quantity"] == "4"
    assert quantities(seller.read("functional_acknowledgements"), "status_code") == {
        "PC/2": ("A",),
        "PO/1": ("A",),
    }


def test_a_partner_that_says_nothing_owes_an_acknowledgement(seller: Mock) -> None:
    seller.behave(behaviour="no-ack")
    seller.order("PO-782")
    seller.trade()
    assert seller.read("functional_acknowledgements") == {}
    assert list(seller.read("functional_groups")) == ["PO/1"]


def test_a_partner_that_rejects_is_heard(seller: Mock) -> None:
    seller.behave(behaviour="reject-ack")
    seller.order("PO-783")
    seller.trade()
    assert quantities(seller.read("functional_acknowledgements"), "status_code") == {"PO/1": ("R",)}


def test_a_corrupt_partner_is_refused_whole_and_told_so(seller: Mock) -> None:
    seller.behave(behaviour="corrupt")
    seller.order("PO-784")
    seller.trade()
    refused = seller.reader.refused("interchanges")
    assert len(refused) == 3 and all("(count)" in record.problem for record in refused)
    assert {record.reference for record in refused} == {"PO-784"}
    assert seller.read("acknowledgement_lines") == {}
    assert all("AK9*R*" in text for text in seller.partner.written("997"))


def test_the_same_order_twice_is_taken_for_one(seller: Mock) -> None:
    seller.order("PO-785")
    seller.trade()
    [sent] = (seller.partner.folder / "outbound").rglob("850-*.edi")
    assert sent.parent.name == "processed"
    seller.order("PO-785")
    seller.trade()
    assert len(list((seller.partner.folder / "outbound").rglob("850-*.edi"))) == 1


def test_an_edifact_partner_tells_the_same_story(tmp_path: Path) -> None:
    with mock_partner(tmp_path, "ACME", them={"id": "MOCKEDI"}) as seller:
        seller.behave(dialect="EDIFACT", version="D:96A:UN", behaviour="short-ship")
        seller.order("PO-786")
        seller.trade()
        answers = seller.read("acknowledgement_lines")
        assert quantities(answers, "quantity", "set_code") == {
            "PO-786/1/1": ("5", "ORDRSP"),
            "PO-786/2/1": ("6", "ORDRSP"),
        }
        notices = seller.read("shipment_notice_lines").values()
        assert sorted((n.fields["po_number"], n.fields["quantity"]) for n in notices) == [
            ("PO-786", "5"),
            ("PO-786", "6"),
        ]
        bills = seller.read("invoice_lines").values()
        assert sorted(b.fields["quantity"] for b in bills) == ["5", "6"]
