"""What all partners that exchange X12 share: their interchanges, numbered, each a file to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.catalogue import erp_item, gtin14
from sandbox.numbers import Numbers
from sandbox.tables import Table
from sandbox.views.base import View
from sandbox.x12 import FUNCTIONAL_IDS, interchange

US = "DISTRIB"
"""How we are called in envelopes."""

INBOUND, OUTBOUND = "inbound", "outbound"

Segments = Sequence[Sequence[str]]


class PartnersView(View):
    """Partners of one kind. ``outbound`` holds what was sent to one, ``inbound`` what it sent."""

    def __init__(self, numbers: Numbers) -> None:
        self.interchanges = Table("interchanges", ("path",), indexes=("about",))
        super().__init__(numbers, (self.interchanges,))

    def write(
        self,
        partner: str,
        direction: str,
        code: str,
        name: str,
        when: float,
        segments: Segments,
        broken: str | None = None,
    ) -> None:
        """One set in an interchange of its own; ``name`` is the document's, to find it again.

        ``broken``: how its envelope is wrong, as ``sandbox.x12`` names it.
        """
        control = self.numbers.next_int(f"{partner} {direction}")
        sender, receiver = (US, partner) if direction == OUTBOUND else (partner, US)
        text = interchange(sender, receiver, control, when, code, segments)
        sent = interchange(sender, receiver, control, when, code, segments, broken)
        self.interchanges.put(
            {
                "path": f"{partner.lower()}/{direction}/{code}-{control:09}.edi",
                "about": f"{code} {name}",
                "control": control,
                "text": sent,
                **({"meant": text} if sent != text else {}),
            }
        )

    def on_interchange_resent(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """A document comes once more in a file of another name, as it was meant."""
        (sent,) = self.interchanges.by("about", data["about"])
        self.interchanges.put(
            {
                "path": sent["path"].replace(".edi", "-again.edi"),
                "about": f"again {data['about']}",
                "control": sent["control"],
                "text": sent.get("meant", sent["text"]),
            }
        )

    def acknowledge(self, partner: str, code: str, name: str, when: float) -> None:
        """The partner's translator answers what was sent to it with a 997."""
        (sent,) = self.interchanges.by("about", f"{code} {name}")
        segments = [
            ("AK1", FUNCTIONAL_IDS[code], str(sent["control"])),
            ("AK2", code, "0001"),
            ("AK5", "A"),
            ("AK9", "A", "1", "1", "1"),
        ]
        self.write(partner, INBOUND, "997", name, when, segments)


def item_pairs(item: int) -> tuple[str, str, str, str]:
    """Our item number (BP) and its GTIN (UK)."""
    return "BP", erp_item(item), "UK", gtin14(item)
