"""x12 keeps the contract, over a partner's folder in which documents appear as each side's."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from contract_subject import FolderSubject
from contract_suite import CorrectionContract, CursorContract, FolderContract

sys.path.insert(0, str(Path(__file__).parents[2] / "x12"))

from edi_partner import Partner, document

from connectors.base import CorrectionRequest
from registry.systems import System

SETS = {"inbound": ["855", "856", "810", "997"], "outbound": ["850", "860", "856", "940", "997"]}
# One business document of ours, by the segment that begins it.
BEGINNINGS = {
    "create_purchase_order": "BEG*00*SA*{po_number}*",
    "change_purchase_order": "BCH*04*SA*{po_number}*",
    "create_warehouse_order": "W05*N*{host_order}~",
    "send_shipment_notice": "BSN*00*{shipment_number}*",
}

WAYS = {"acknowledgement_lines": "inbound", "purchase_order_lines": "outbound"}


def record_id(entity: str, order: str) -> str:
    return f"{order}/1/1" if entity == "acknowledgement_lines" else f"{order}/1"


class TradingPartner(FolderSubject):
    connector = "x12"
    entities = (
        "interchanges",
        "functional_groups",
        "functional_acknowledgements",
        "purchase_orders",
        "purchase_order_lines",
        "acknowledgements",
        "acknowledgement_lines",
        "shipment_notice_lines",
        "invoice_lines",
    )
    moving = ("acknowledgement_lines", "purchase_order_lines")
    kinds = tuple(BEGINNINGS)
    reversible = frozenset(kinds)
    exempt: ClassVar[Mapping[str, str]] = {
        name: reason
        for name, reason in FolderSubject.exempt.items()
        if name != "CorrectionContract"
    }
    damages = ("envelope", "set")
    base_url = "acme"

    def __init__(self, root: Path) -> None:
        self.partner = Partner(
            root,
            sets=SETS,
            # What we answer would be a record that the suite did not make.
            settings={"functional_acknowledgement": {"answer": False}},
        )
        self.folder = self.partner.folder
        self._number = 0
        self._made: dict[str, list[str]] = {}
        self._last: dict[str, Path] = {}
        notice = (
            "BSN*00*N-1*20261104*0900*0004\nHL*1**O\nPRF*PO-0\nHL*2*1*I\nLIN*1*VN*A\nSN1*1*6*EA"
        )
        bill = "BIG*20261105*I-1**PO-0\nIT1*1*6*EA*2**VN*A\nTDS*1200"
        for code, text in (("856", notice), ("810", bill), ("997", "AK1*PO*1\nAK9*A*1*1*1")):
            self.partner.send("inbound", code, document(code, text))
        for entity in self.moving:
            self.make(entity, 1)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        yield cls(folder)

    def system(self, **changes: Any) -> System:
        return self.partner.system.model_copy(update=changes)

    def make(self, entity: str, count: int) -> list[str]:
        """New documents and, of several, one that says something new of an older order."""
        orders = self._made.setdefault(entity, [])
        chosen = orders[:1] if count > 1 else []
        while len(chosen) < count:
            self._number += 1
            chosen.append(f"PO-{self._number}")
        orders += [order for order in chosen if order not in orders]
        for order in chosen:
            self._number += 1
            self._last[entity] = self.partner.put(
                WAYS[entity], f"{uuid.uuid4().hex}.edi", self._text(entity, order), is_old=False
            )
        return [record_id(entity, order) for order in chosen]

    def grow(self, entity: str) -> str:
        self._number += 1
        order = f"PO-{self._number}"
        with self._last[entity].open("ab") as handle:
            handle.write(self._text(entity, order))
        return record_id(entity, order)

    def spoil(self, entity: str, damage: str) -> Path:
        self._number += 1
        order = f"PO-{self._number}"
        text = self._text(entity, order, "many" if damage == "set" else "1")
        if damage == "envelope":
            text = text.replace(b"SE*", b"SE*9")
        return self.partner.put(WAYS[entity], f"000-{order}.edi", text)

    def mend(self, entity: str, path: Path) -> list[str]:
        order = path.stem.removeprefix("000-")
        path.write_bytes(self._text(entity, order))
        return [record_id(entity, order)]

    def _text(self, entity: str, order: str, quantity: str | None = None) -> bytes:
        """An interchange that says something new of an order."""
        quantity = quantity or str(uuid.uuid4().int % 100_000 + 1)
        line = f"PO1*1*{quantity}*EA*2**VN*A"
        if entity == "acknowledgement_lines":
            said = f"BAK*00*AD*{order}*20261102\n{line}\nACK*IA*{quantity}*EA"
            new = document("855", said)
        else:
            new = document("850", f"BEG*00*SA*{order}**20261102\n{line}")
        now = datetime.now(UTC).replace(tzinfo=None)
        return self.partner.text(WAYS[entity], new, at=now)

    def correction(self, kind: str) -> CorrectionRequest:
        number = uuid.uuid4().hex[:12]
        line = {"target_item": "A", "quantity": "6", "uom": "EA"}
        price = {"unit_price": "2", "old_unit_price": "2"}
        payload: dict[str, Any] = {
            "create_purchase_order": {
                "po_number": number,
                "currency": "USD",
                "lines": [{**line, "line_no": "1", "unit_price": "2"}],
            },
            "change_purchase_order": {
                "po_number": number,
                "lines": [{**line, **price, "line_record": "1", "old_quantity": "9"}],
            },
            "create_warehouse_order": {
                "host_order": number,
                "location": "EAST",
                "lines": [{**line, "host_line": "10"}],
            },
            "send_shipment_notice": {
                "shipment_number": number,
                "po_number": "C-1",
                "shipped_on": "2026-11-12",
                "lines": [{**line, "line_record": "1"}],
            },
        }[kind]
        if kind == "change_purchase_order":
            told = f"BEG*00*SA*{number}**20261102\nPO1*1*9*EA*2**VN*A"
            self.partner.send("outbound", number, document("850", told))
        key, now = f"tly-{number}", datetime.now(UTC)
        return CorrectionRequest(kind, "object", payload, {}, key, now)

    def effects(self, request: CorrectionRequest) -> int:
        beginning = BEGINNINGS[request.kind].format(**request.payload)
        files = (self.partner.folder / "outbound").rglob("*.edi")
        return sum(path.read_text().count(beginning) for path in files)


class TestTradingPartner(FolderContract, CursorContract, CorrectionContract):
    subject_class = TradingPartner
