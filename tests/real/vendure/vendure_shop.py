"""A real Vendure with a shop for tests: of its own, and forgotten afterwards."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real.vendure.server import Access, VendureServer
from real.vendure.shop import Item, Shop
from registry.settings import PROJECT_ROOT

ITEMS = tuple(Item(f"PART-{number}", f"Part {number}", 1000 + number) for number in range(1, 7))
STOCK = {"EAST": 1000, "WEST": 100}


@contextmanager
def running_vendure() -> Iterator[Access]:
    """An empty Vendure. The installation stays for the next time; TALLYMAN_REAL_HOME says where."""
    home = os.environ.get("TALLYMAN_REAL_HOME", str(PROJECT_ROOT / ".tallyman" / "real"))
    # Workers that test side by side have a Vendure each.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    database = f"tests_{uuid.uuid4().hex[:8]}"
    server = VendureServer(Path(home) / f"vendure-{worker}", database)
    try:
        yield server.start()
    finally:
        server.remove()


@contextmanager
def open_shop(access: Access) -> Iterator[Shop]:
    """A shop that sells, with stock, and without orders."""
    with Shop(access) as shop:
        shop.set_up(tuple(STOCK))
        shop.add_items(ITEMS, STOCK)
        yield shop
