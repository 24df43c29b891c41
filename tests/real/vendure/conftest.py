"""One real Vendure for all tests of this folder: a shop of its own, forgotten afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.vendure.source import VendureSource
from connectors.vendure.source import make_source as make_vendure_source
from connectors.vendure.target import VendureTarget
from connectors.vendure.target import make_target as make_vendure_target
from real.vendure.server import Access, VendureServer
from real.vendure.shop import Item, Shop
from registry.settings import PROJECT_ROOT
from registry.systems import System

ITEMS = tuple(Item(f"PART-{number}", f"Part {number}", 1000 + number) for number in range(1, 7))
STOCK = {"EAST": 1000, "WEST": 100}

MakeSource = Callable[..., VendureSource]
MakeTarget = Callable[..., VendureTarget]


@pytest.fixture(scope="session")
def access() -> Iterator[Access]:
    home = os.environ.get("TALLYMAN_REAL_HOME", str(PROJECT_ROOT / ".tallyman" / "real"))
    # Workers that test side by side have a Vendure each.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    server = VendureServer(Path(home) / f"vendure-{worker}", database=f"tests_{os.getpid()}")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="session")
def shop(access: Access) -> Iterator[Shop]:
    """A shop that sells, with stock, and without orders."""
    with Shop(access) as opened:
        opened.set_up(tuple(STOCK))
        opened.add_items(ITEMS, STOCK)
        yield opened


@pytest.fixture(scope="session")
def system(access: Access) -> Callable[..., System]:
    """The shop as a configured system; ``options`` are the connector's."""

    def configured(settings: dict[str, Any] | None = None, **options: Any) -> System:
        return System(
            **{
                "name": "oms",
                "role": "oms",
                "connector": "vendure",
                "base_url": access.url,
                "settle_seconds": 0,
                "requests_per_second": 1000,
                "secrets": {"api_key": "VENDURE_API_KEY"},
                "options": {"order_reference_field": "externalReference", **options},
                **(settings or {}),
            }
        )

    return configured


@pytest.fixture(scope="session")
def source(shop: Shop, access: Access, system: Callable[..., System]) -> MakeSource:
    """A fresh source of the shop."""

    def made(settings: dict[str, Any] | None = None, **options: Any) -> VendureSource:
        environment = {"VENDURE_API_KEY": access.api_key}
        return make_vendure_source(system(settings, **options), environment)

    return made


@pytest.fixture(scope="session")
def target(shop: Shop, access: Access, system: Callable[..., System]) -> MakeTarget:
    """A fresh target of the shop."""

    def made(settings: dict[str, Any] | None = None, **options: Any) -> VendureTarget:
        environment = {"VENDURE_API_KEY": access.api_key}
        return make_vendure_target(system(settings, **options), environment)

    return made
