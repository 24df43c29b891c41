"""Corrections that Tryton takes, by its role: apply, read back, undo."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.corrections import HttpTarget
from connectors.http import HttpClient
from connectors.tryton.adjusting import Adjustments
from connectors.tryton.client import TrytonClient
from connectors.tryton.desk import Desk
from connectors.tryton.invoicing import Invoices
from connectors.tryton.referencing import References
from connectors.tryton.sales import Sales
from connectors.tryton.session import TrytonSession
from connectors.tryton.shipping import Fulfilments, WarehouseOrders
from registry.systems import System


class TrytonTarget(HttpTarget):
    """One database as a target. Most corrections take several calls, each a transaction of its
    own; every one of them can be cut off and begun again without doing anything twice."""

    def __init__(self, system: System, client: TrytonClient, session: TrytonSession) -> None:
        super().__init__(system, client.http)
        desk = Desk(system, client, session)
        self.actions = {**Adjustments(desk).actions()}
        if system.role == "wms":
            self.actions |= WarehouseOrders(desk).actions()
        else:
            self.actions |= Sales(desk).actions()
            self.actions |= Fulfilments(desk).actions()
            self.actions |= Invoices(desk).actions()
            self.actions |= References(desk).actions()


def make_target(system: System, environment: Mapping[str, str]) -> TrytonTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    client = TrytonClient(system, environment)
    user, password = (system.secret(role, environment) for role in ("user", "password"))
    session = TrytonSession(HttpClient(system), user, password, client.company)
    return TrytonTarget(system, client, session)
