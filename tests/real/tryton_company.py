"""The running company with our connector beside its people, for tests."""

from __future__ import annotations

import atexit
import itertools
import os
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from connectors.base import CorrectionRequest, Source, Target
from connectors.factory import make_source, make_target
from real.tryton.company import Catalogue, Item
from real.tryton.people import Line, Office, Order, Warehouse
from real.tryton.server import Database, TrytonServer
from registry.systems import System

SETTLE_SECONDS = 1.0
ROOT = Path(__file__).resolve().parents[2]
LOCK_SECONDS = 600

CATALOGUE = Catalogue(
    items=tuple(
        Item(f"SKU-{number:03}", f"Article {number}", Decimal(5 + number), Decimal(3 + number))
        for number in range(1, 13)
    ),
    customers={f"C{number:03}": f"Customer {number}" for number in range(1, 4)},
    suppliers={"S001": "Supplier 1"},
    opening_stock={"EAST": 500, "WEST": 300},
)


class TrytonCompany:
    """``office`` works in the ERP, ``floor`` in the warehouse; orders number themselves."""

    def __init__(self, folder: Path, databases: Mapping[str, Database]) -> None:
        self.folder = folder
        self.databases = databases
        self.office = Office(databases["erp"].admin())
        self.floor = Warehouse(databases["wms"].admin())
        self._numbers = itertools.count(1)

    def system(self, role: str, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": f"{role}_tryton",
            "role": role,
            "connector": "tryton",
            "base_url": self.databases[role].url,
            "write_mode": "on",
            "settle_seconds": SETTLE_SECONDS,
            "requests_per_second": 1000,
            "secrets": {"api_key": "KEY", "user": "USER", "password": "PASSWORD"},
            "options": {"warehouse": "EAST", "customer": "C001"},
        }
        return System(**{**settings, **changes})

    def environment(self, role: str, login: str = "connector") -> dict[str, str]:
        database = self.databases[role]
        return {"KEY": database.keys[login], "USER": login, "PASSWORD": database.password}

    def source(self, role: str, **changes: Any) -> Source:
        return make_source(self.system(role, **changes), self.environment(role))

    def target(self, role: str, login: str = "connector", **changes: Any) -> Target:
        target = make_target(self.system(role, **changes), self.environment(role, login))
        assert target is not None
        return target

    def trade(self) -> None:
        """A little business, so that every entity of both databases has records."""
        order, sale, number, _ = self.fulfilled(2, 1)
        ((draft,),) = self.office.draft_invoices([sale])
        self.office.post_invoices([draft])
        shipments = self.floor.create_orders([replace(order, reference=number)])
        self.floor.assign(shipments)
        self.floor.pick(shipments)
        self.floor.pack(shipments, {shipments[0]: "1Z0001"})
        self.floor.ship(shipments)
        for people in (self.office, self.floor):
            people.count("EAST", {"SKU-009": int(people.on_hand("EAST")["SKU-009"]) - 1})
        purchase = self.office.buy("SUP-1", "S001", "EAST", order.lines)
        self.office.receive(purchase, "ASN-1")
        self.floor.receive(self.office.purchase_number(purchase), "S001", "EAST", order.lines)

    # ---- what happens in the company ---------------------------------------------------------

    def forget_sessions(self, role: str) -> None:
        """What happens to sessions that nobody used for long."""
        path = self.folder / "db" / f"{role}.sqlite"
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("delete from ir_session")
            connection.commit()

    def order(self, *quantities: int, warehouse: str = "EAST", first: int = 1) -> Order:
        """A new order of as many items as there are quantities, from the ``first`` on."""
        lines = tuple(
            Line(number, f"SKU-{first + number - 1:03}", quantity, Decimal(5 + number))
            for number, quantity in enumerate(quantities, 1)
        )
        return Order(f"WEB-{next(self._numbers):04}", "C001", warehouse, lines)

    def quoted(self, *quantities: int, first: int = 1) -> tuple[Order, int, str]:
        """An order in the ERP as a quotation: the order, the sale's id and number."""
        order = self.order(*quantities, first=first)
        (sale,) = self.office.book([order])
        return order, sale, self.office.numbers([sale])[0]

    def released(self, *quantities: int, first: int = 1) -> tuple[Order, int, str]:
        """An order in the ERP whose shipment waits."""
        order, sale, number = self.quoted(*quantities, first=first)
        self.office.confirm([sale])
        return order, sale, number

    def released_in_dozens(self, dozens: int) -> str:
        """The number of a sale of one item by the dozen, whose shipment waits."""
        session = self.office.session
        units = session.search("product.uom.category", ("uoms", "=", self.office.unit))
        known = session.search("product.uom", ("name", "=", "Dozen of the tests"))
        unit = known or session.create(
            "product.uom",
            {
                "name": "Dozen of the tests",
                "symbol": "dz",
                "category": units[0],
                "factor": 12.0,
                "rate": 0.083333333333,
                "rounding": 1.0,
                "digits": 0,
            },
        )
        values = self.office.draft(self.order(dozens))
        ((_, (line,)),) = values["lines"]
        line["unit"] = unit[0]
        sales = session.create("sale.sale", values)
        session.click("sale.sale", "quote", sales)
        self.office.confirm(sales)
        return self.office.numbers(sales)[0]

    def fulfilled(self, *quantities: int) -> tuple[Order, int, str, str]:
        """An order that the ERP fulfilled: the order, the sale's id and number, our shipment."""
        order, sale, number = self.released(*quantities)
        document = f"WD-{number}"
        ((shipment,),) = self.office.open_shipments([sale])
        self.office.post_shipments({shipment: document})
        return order, sale, number, document

    def sale(self, sale: int, *fields: str) -> dict[str, Any]:
        return self.office.session.read("sale.sale", [sale], *fields)[0]


@cache
def running_company() -> TrytonCompany:
    """The one company of this process, which ends with it.

    One folder holds one running Tryton: another process of the tests waits for the end of this.
    """
    folder = Path(os.environ.get("TALLYMAN_REAL_HOME", ROOT / ".tallyman" / "real")) / "tryton"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "tests.lock", timeout=LOCK_SECONDS)
    lock.acquire()
    server = TrytonServer(folder, CATALOGUE)
    databases = server.start()
    atexit.register(lock.release)
    atexit.register(server.stop)
    return TrytonCompany(folder, databases)


def correction(kind: str, **payload: Any) -> CorrectionRequest:
    """A correction with a key of its own."""
    return CorrectionRequest(
        kind=kind,
        object_id="object",
        payload=payload,
        expected={},
        idempotency_key=f"tly-{uuid.uuid4().hex}",
        created_at=datetime.now(UTC),
    )


def fields_of(source: Source, entity: str, **key: str) -> list[dict[str, Any]]:
    """What a point read shows."""
    return [dict(record.fields) for record in source.read_one(entity, key)]
