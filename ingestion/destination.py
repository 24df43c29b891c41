"""dlt's DuckDB destination on our own connection, with a crash point where it matters most."""

from __future__ import annotations

from typing import Any

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.duck import DuckDbClient

from registry.crash_points import crash_point


class _Client(DuckDbClient):
    def complete_load(self, load_id: str) -> None:
        # All rows are in their tables; that the load is finished is not written yet.
        crash_point("ingestion.after_load_before_commit")
        super().complete_load(load_id)


class warehouse_destination(duckdb_destination):
    """Used as a destination: ``warehouse_destination(connection)``.

    dlt works on duplicates of the connection that it is given and leaves it open, so that the live
    file is opened once and with one configuration.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(credentials=connection, destination_name="warehouse")

    def capabilities(
        self, config: Any = None, naming: Any = None
    ) -> DestinationCapabilitiesContext:
        """Asked 24 times a load. Without a configuration dlt resolves one first, from every source
        there is, though none changes what DuckDB can do."""
        return super().capabilities(config or self.spec(), naming)

    @property
    def client_class(self) -> type[DuckDbClient]:
        return _Client
