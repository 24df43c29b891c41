"""What can be chosen about a pretend distributor: seed, size, faults, credentials. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SYSTEMS = ("oms", "erp", "wms", "carrier")
"""The systems in the order of their ports: admin is the base port, then these."""

PROCESSES = (
    "purchasing",
    "transfers",
    "counts",
    "returns",
    "periods",
    "channels",
    "payments",
    "credit",
    "drop_ship",
)
"""Business processes that a world may tell of beside order to cash, in this order."""

PARTNERS = ("suppliers", "threepl")
"""Trading partners with whom a world may exchange X12 files."""

REGIONS = ("north",)
"""Regions that a world may have beside the home one, each with an ERP of its own."""

CARRIERS = ("ups", "usps")
"""Carriers that a world may have beside the house carrier; they push their scans."""

SERVICES = ("admin", *SYSTEMS)

WMS_CLOCK_FAST_SECONDS = 150.0
"""The warehouse's clock runs this much ahead of the real time."""


@dataclass(frozen=True)
class Credentials:
    """Pretend credentials. They guard nothing and are printed in ``docs/sandbox.md``."""

    oms_token: str = "pretend-oms-token"
    erp_api_key: str = "pretend-erp-key"
    wms_user: str = "tallyman"
    wms_password: str = "pretend-wms-password"
    carrier_client_id: str = "tallyman"
    carrier_client_secret: str = "pretend-carrier-secret"


@dataclass(frozen=True)
class Settings:
    """The choices. Equal settings give equal worlds, but for the moment at which they end (now) and
    what the calendar says of it: where a month ends and when a wall clock shows an hour twice.

    ``days`` is the length of the history, in which ``peak_days`` days have ``peak_factor`` times
    the orders of the others; ``live`` is how many times as fast as real time the world goes on
    after it (0: it stops at its first start). ``faults_per_kind`` and ``decoys_per_kind`` say how
    many of every kind it holds, ``overlaps_per_kind`` how many of every group of faults that belong
    together; ``mix`` overrides all three by kind (0: none). The last decoys settle
    between ``live_after_seconds`` and that plus ``live_spread_seconds`` after the first start.
    ``processes``: which of PROCESSES there are; ``partners``: which of PARTNERS; ``regions``: which
    of REGIONS; ``carriers``: which of CARRIERS. ``drop_seconds``: how often the ERP of a region
    writes what has changed.
    ``hang_seconds``: how long a request that is never answered keeps its connection.
    """

    seed: int = 20260
    orders: int = 5000
    items: int = 120
    days: float = 45.0
    peak_days: int = 2
    peak_factor: float = 10.0
    live: float = 0.0
    faults_per_kind: int = 3
    decoys_per_kind: int = 4
    overlaps_per_kind: int = 0
    mix: Mapping[str, int] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    drop_seconds: float = 3600.0
    live_after_seconds: float = 15.0
    live_spread_seconds: float = 10.0
    requests_per_second: float = 200.0
    hang_seconds: float = 30.0
    credentials: Credentials = field(default_factory=Credentials)

    def world_choices(self) -> dict[str, Any]:
        """The choices that shape the world: fixed for a state folder at its first start."""
        return {name: getattr(self, name) for name in _WORLD} | {
            "mix": dict(self.mix),
            "processes": list(self.processes),
            "partners": list(self.partners),
            "regions": list(self.regions),
            "carriers": list(self.carriers),
        }

    @classmethod
    def of_world(cls, choices: Mapping[str, Any]) -> Settings:
        """Settings with the ``world_choices`` of a state folder."""
        lists = {name: tuple(choices[name]) for name in _LISTS}
        return cls(**{**choices, **lists})


_LISTS = ("processes", "partners", "regions", "carriers")
_WORLD = (
    "seed",
    "orders",
    "items",
    "days",
    "peak_days",
    "peak_factor",
    "live",
    "faults_per_kind",
    "decoys_per_kind",
    "overlaps_per_kind",
    "live_after_seconds",
    "live_spread_seconds",
    "drop_seconds",
)
