"""Items, places and customers of the pretend distributor, and what each system calls them."""

from __future__ import annotations

import random
from dataclasses import dataclass

LOCATIONS = ("EAST", "WEST")
CHANNELS = ("web", "edi")
"""Each has a copy of the stock, by the name that orders give it; a store looks at its shelf."""
"""The distributor's own warehouses."""

THIRD_PARTY = "SOUTH"
"""The warehouse of a logistics provider, in worlds that have it."""

NORTH = "NORTH"
"""The warehouse of the region north, in worlds that have it. It has no store: its office takes the
orders, and enters them in the region's own ERP."""

ERP_WAREHOUSE = {"EAST": "E1", "WEST": "W1", "SOUTH": "S1", "NORTH": "N1"}
SUPPLIERS = ("V10", "V20", "V30", "V40")

_NOUNS = (
    "Bracket",
    "Filter",
    "Valve",
    "Cable",
    "Hinge",
    "Gasket",
    "Lamp",
    "Bearing",
    "Fuse",
    "Hose",
)
_TRAITS = ("steel", "brass", "compact", "heavy-duty", "sealed", "insulated", "slim", "coated")


@dataclass(frozen=True, slots=True)
class Item:
    """One article: ``price`` in cents, ``weight`` in grams. ``eaches_only``: never in cases."""

    number: int
    gtin: str
    title: str
    case_pack: int
    weight: int
    price: int
    eaches_only: bool


def gtin14(number: int) -> str:
    """A valid GTIN-14 (GS1 mod-10 check digit) for an item number."""
    body = f"0085001{number:06d}"
    weighted = sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(body))
    return f"{body}{-weighted % 10}"


def draw_items(seed: int, count: int) -> list[Item]:
    """The catalogue of a seed; item n is at index n - 1. Every fourth item never moves in cases."""
    rng = random.Random(f"{seed}:catalogue")
    return [
        Item(
            number=number,
            gtin=gtin14(number),
            title=f"{rng.choice(_TRAITS).capitalize()} {rng.choice(_NOUNS).lower()} {number}",
            case_pack=rng.choice((6, 8, 10, 12, 24)),
            weight=rng.randrange(40, 6000, 10),
            price=rng.randrange(250, 9000, 5),
            eaches_only=is_eaches_only(number),
        )
        for number in range(1, count + 1)
    ]


def is_eaches_only(item: int) -> bool:
    """Every fourth item never moves in cases."""
    return item % 4 == 0


def ship_to(po: str) -> int:
    """The number of the customer's address to which an order with this purchase order goes."""
    return 1 + int(po.rsplit("-", 1)[-1]) % 3


def supplier_of(item: int) -> str:
    """The supplier of an item number, as the ERP names it."""
    return SUPPLIERS[item % len(SUPPLIERS)]


def warehouse_system(location: str) -> str:
    """The system that knows what happens at a location."""
    return "threepl" if location == THIRD_PARTY else "wms"


def erp_system(location: str) -> str:
    """The ERP that keeps the orders and the stock of a location."""
    return "erp_north" if location == NORTH else "erp"


def oms_sku(item: int) -> str:
    """``SKU-0007``."""
    return f"SKU-{item:04d}"


def erp_item(item: int) -> str:
    """``10-0007``."""
    return f"10-{item:04d}"


def wms_sku(item: int) -> str:
    """``A0007``."""
    return f"A{item:04d}"
