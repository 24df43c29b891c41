"""One real Vendure for all tests of this folder: a shop of its own, forgotten afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from vendure_shop import open_shop, running_vendure

from connectors.vendure.source import VendureSource
from connectors.vendure.source import make_source as make_vendure_source
from connectors.vendure.target import VendureTarget
from connectors.vendure.target import make_target as make_vendure_target
from real.vendure.server import Access
from real.vendure.shop import Shop
from registry.systems import System

MakeSource = Callable[..., VendureSource]
MakeTarget = Callable[..., VendureTarget]


@pytest.fixture(scope="session")
def access() -> Iterator[Access]:
    with running_vendure() as running:
        yield running


@pytest.fixture(scope="session")
def shop(access: Access) -> Iterator[Shop]:
    with open_shop(access) as opened:
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
