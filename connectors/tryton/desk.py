"""What all corrections in Tryton share: finding records by their codes, and pushing buttons."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from connectors.base import Outcome, Result
from connectors.corrections import NotDoneError, missing
from connectors.tryton.client import TrytonClient
from connectors.tryton.session import TrytonSession
from connectors.tryton.source import TrytonSource
from connectors.tryton.wire import Domain, Row
from registry.systems import System

STAMP = "_timestamp"


class Desk:
    """Reads over REST, writes over JSON-RPC, for one database."""

    def __init__(self, system: System, client: TrytonClient, session: TrytonSession) -> None:
        self.system = system
        self.client = client
        self.session = session
        self.source = TrytonSource(system, client)

    # ---- reading -----------------------------------------------------------------------------

    def find(self, model: str, domain: Domain, *fields: str) -> list[Row]:
        """Records with what a later write must find unchanged."""
        return self.client.search(model, domain, [*fields, STAMP], active_test=False)

    def one(self, model: str, domain: Domain, what: str, *fields: str) -> Row:
        """The first record; raises SourceError ``not_found`` naming what there should be."""
        rows = self.find(model, domain, *fields)
        if not rows:
            raise missing(self.system.name, what)
        return rows[0]

    def products(self, codes: Sequence[str]) -> dict[str, Row]:
        """Items with their own unit, by SKU; raises SourceError for one that is not there."""
        rows = self.client.search(
            "product.product",
            [["code", "in", sorted(set(codes))]],
            ["code", "template.default_uom.id"],
        )
        found = {row["code"]: row for row in rows}
        for code in codes:
            if code not in found:
                raise missing(self.system.name, f"item {code}")
        return found

    def warehouse(self, code: str) -> Row:
        return self.one(
            "stock.location",
            [["code", "=", code], ["type", "=", "warehouse"]],
            f"warehouse {code}",
            *("code", "input_location", "output_location"),
            *("storage_location", "lost_found_location"),
        )

    def party(self, code: str) -> Row:
        """A party with its first address."""
        party = self.one("party.party", [["code", "=", code]], f"party {code}", "code")
        addresses = self.client.search("party.address", [["party", "=", party["id"]]], [], limit=1)
        if not addresses:
            raise missing(self.system.name, f"address of party {code}")
        return {**party, "address": addresses[0]["id"]}

    def customer_location(self) -> int:
        place = self.one("stock.location", [["type", "=", "customer"]], "place for customers")
        return int(place["id"])

    # ---- writing -----------------------------------------------------------------------------

    def create(self, model: str, values: dict[str, Any]) -> int:
        return int(self.session.call(f"model.{model}.create", [values])[0])

    def write(self, model: str, row: Row, values: dict[str, Any]) -> None:
        """Change a record, if nobody did since it was read."""
        self.session.call(
            f"model.{model}.write", [row["id"]], values, stamps={f"{model},{row['id']}": row[STAMP]}
        )

    def click(self, model: str, record_id: int, button: str) -> None:
        self.session.call(f"model.{model}.{button}", [record_id])


def refuse(code: str, message: str) -> NotDoneError:
    """For what Tryton can't or must not do: a matter for a person."""
    return NotDoneError(Outcome(Result.REFUSED, code, message))


def done(code: str, record_id: str | None) -> Outcome:
    return Outcome(Result.OK, code, target_record_id=record_id)


def as_float(value: Decimal) -> float:
    """A quantity as Tryton holds it; the same text comes back, at the digits of any unit."""
    return float(value)
