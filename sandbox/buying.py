"""Purchase orders staged step by step, for faults and decoys of suppliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.catalogue import LOCATIONS, supplier_of
from sandbox.clock import DAY, MINUTE
from sandbox.scene import Scene

COST_PERCENT = 60
"""What a supplier takes, in per cent of our list price."""

PROMISED_AFTER = 3 * DAY

Lines = list[dict[str, int]]


@dataclass
class Bought:
    """One purchase order. A line has line, item, qty and cost in cents; ``at`` is when it went
    out, ``promised`` when the goods are to be there."""

    number: str
    supplier: str
    location: str
    lines: Lines
    at: float
    promised: float

    def object(self, line: dict[str, int]) -> str:
        """A line as rules name it: ``4500000001/1``."""
        return f"{self.number}/{line['line']}"

    def objects(self) -> list[str]:
        """All its lines as rules name them."""
        return [self.object(line) for line in self.lines]

    def keys(self) -> dict[str, Any]:
        """Its business keys, for a truth row."""
        # The number alone could be any number: its lines name it.
        return {"purchase": self.number, "lines": self.objects()}


class Buyer:
    """Stages purchase orders on a scene: ERP, WMS and the supplier hear of each step in time."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def order(
        self, at: float, like: Bought | None = None, times: int = 1, of: str | None = None
    ) -> Bought:
        """A purchase order of a few items of one supplier, which his translator acknowledges.

        ``times``: the quantities can be divided by it. ``of``: the supplier.
        """
        scene = self.scene
        if like is None:
            supplier = of or supplier_of(scene.rng.choice(scene.items).number)
            fitting = [item for item in scene.items if supplier_of(item.number) == supplier]
            lines = [
                {
                    "line": line,
                    "item": item.number,
                    "qty": item.case_pack * scene.rng.randrange(2, 9) * times,
                    "cost": item.price * COST_PERCENT // 100,
                }
                for line, item in enumerate(scene.rng.sample(fitting, scene.rng.choice((2, 3))), 1)
            ]
            location = scene.rng.choice(LOCATIONS)
        else:
            supplier, location, lines = like.supplier, like.location, like.lines
        number = scene.numbers.next("purchase")
        bought = Bought(number, supplier, location, lines, at, at + PROMISED_AFTER)
        self._tell(bought, at, "purchase_ordered", {"erp": 1.0, "suppliers": 2.0}, promised=True)
        self._tell(bought, at + 10 * MINUTE, "purchase_arrived", {"suppliers": 0.0}, lines=None)
        return bought

    def answer(self, bought: Bought, at: float, lines: Lines | None = None, **broken: str) -> float:
        """The supplier answers; ``lines``: other quantities or prices than were ordered.

        ``broken``: how the envelope of the answer is wrong, if it is (``sandbox.x12.BROKEN``).
        """
        heard = {"suppliers": 0.0, "erp": MINUTE}
        self._tell(bought, at, "purchase_acknowledged", heard, lines=lines, promised=True, **broken)
        return at

    def answer_again(self, bought: Bought, at: float) -> None:
        """The file with the supplier's answer comes once more, as it was meant."""
        about = f"855 {bought.number}"
        self.scene.add(at, "interchange_resent", about, {"suppliers": at}, about=about)

    def announce(self, bought: Bought, at: float, lines: Lines | None = None) -> str:
        """The supplier sends a notice of what left. Returns its number."""
        notice = self.scene.numbers.next("notice")
        heard = {"suppliers": 0.0, "wms": MINUTE}
        self._tell(bought, at, "shipment_announced", heard, lines=lines, notice=notice)
        return notice

    def receive(self, bought: Bought, notice: str, at: float, lines: Lines | None = None) -> float:
        """The goods of a notice come, line by line; what is ``refused`` of a line goes back at
        once. Returns when the last of them did."""
        for line in lines or bought.lines:
            at += 2 * MINUTE
            ref = self.scene.numbers.next("receipt")
            self.scene.add(
                at,
                "stock_received",
                ref,
                {"wms": at, "erp": at + 5 * MINUTE},
                ref=ref,
                item=line["item"],
                location=bought.location,
                qty=line["qty"],
                purchase=bought.number,
                notice=notice,
                line=line["line"],
                **({"refused": line["refused"]} if "refused" in line else {}),
            )
        return at

    def bill(self, bought: Bought, at: float, lines: Lines | None = None) -> float:
        """The supplier sends an invoice. Returns when."""
        invoice = self.scene.numbers.next("supplier_invoice")
        heard = {"suppliers": 0.0, "erp": MINUTE}
        self._tell(bought, at, "supplier_invoiced", heard, lines=lines, invoice=invoice)
        return at

    def _tell(
        self,
        bought: Bought,
        at: float,
        kind: str,
        lags: dict[str, float],
        lines: Lines | None = None,
        promised: bool = False,
        **more: Any,
    ) -> None:
        data: dict[str, Any] = {
            "purchase": bought.number,
            "supplier": bought.supplier,
            "location": bought.location,
            "lines": lines or bought.lines,
            **more,
        }
        if promised:
            data["promised_at"] = bought.promised
        seen = {system: at + later for system, later in lags.items()}
        self.scene.add(at, kind, bought.number, seen, **data)
