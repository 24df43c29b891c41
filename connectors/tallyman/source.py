"""Our own operations store as a source: corrections (one row a version), attempts, decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.base import Page, Record, SourceError
from connectors.cursors import instant, latest
from connectors.reading import unknown_entity, unknown_key
from registry.contracts import Contract, contracts_of
from registry.systems import System

PAGE_ROWS = 1000
# The store is ours and commits at once; this covers two writers whose commits swap.
OVERLAP = timedelta(seconds=10)
# Read whatever their time says: until a pass sees that one is accepted it is never proved, and its
# object gets no other. A clock that was set back, or another host's, may have dated it too early.
UNPROVED = ("sending", "unknown", "accepted", "unproven")


class TallymanSource:
    """Reads the operations store at ``system.base_url`` (a SQLAlchemy URL).

    A store, or a table of it, that does not exist yet is a complete feed without rows. The cursor
    is the latest time of the contract's cursor column that is not in the future. A cursor in the
    future says that the clock was set back: since when nobody knows, so that all is read again.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self._contracts = contracts_of("tallyman")

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self._contracts)

    def probe(self) -> None:
        for entity in self.entities:
            next(self._rows(self._contract(entity)), None)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        contract = self._contract(entity)
        reached, now = instant(cursor), datetime.now(UTC)
        after = reached - OVERLAP if reached and reached - OVERLAP <= now else None
        yielded = False
        for rows in self._rows(contract, after=after):
            records = [_record(contract, row) for row in rows]
            dated = (instant(record.fields[str(contract.cursor_column)]) for record in records)
            reached = latest([reached, *dated], now)
            yielded = True
            yield Page(entity, records, reached.isoformat() if reached else cursor, 0.0, 0.0)
        if not yielded:
            yield Page(entity, [], cursor, 0.0, 0.0)

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Rows whose columns have the given values; any columns of the contract."""
        contract = self._contract(entity)
        if not key or not set(key) <= {column.name for column in contract.columns}:
            raise unknown_key(self, entity, key)
        return [_record(contract, row) for rows in self._rows(contract, equal=key) for row in rows]

    def _contract(self, entity: str) -> Contract:
        if entity not in self._contracts:
            raise unknown_entity(self, entity)
        return self._contracts[entity]

    def _rows(
        self,
        contract: Contract,
        after: datetime | None = None,
        equal: Mapping[str, str] | None = None,
    ) -> Iterator[list[Mapping[str, Any]]]:
        url = sa.make_url(self.system.base_url)
        # Asking SQLite for a missing file would create an empty one.
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                if not sa.inspect(connection).has_table(contract.entity):
                    return
                query = _select(contract, connection, after, equal or {})
                for part in connection.execute(query).mappings().partitions(PAGE_ROWS):
                    yield [dict(row) for row in part]
        except sa.exc.SQLAlchemyError as error:
            raise SourceError(
                "unreadable",
                f"the operations store {url.render_as_string()} can't be read ({error}): check "
                f"TALLYMAN_OPERATIONS_URL",
            ) from error
        finally:
            engine.dispose()


def _select(
    contract: Contract,
    connection: sa.Connection,
    after: datetime | None,
    equal: Mapping[str, str],
) -> sa.Select[Any]:
    table = sa.Table(contract.entity, sa.MetaData(), autoload_with=connection)
    missing = [column.name for column in contract.columns if column.name not in table.columns]
    if missing:
        raise SourceError(
            "bad_page",
            f"table {contract.entity} of the operations store lacks {', '.join(missing)}: it was "
            f"made by another version of Tallyman",
        )
    moment = table.columns[str(contract.cursor_column)]
    query = sa.select(*(table.columns[column.name] for column in contract.columns))
    if after is not None:
        aware = getattr(moment.type, "timezone", False)
        start = after if aware else after.replace(tzinfo=None)
        news = query.where(moment >= start)
        if "state" in table.columns:
            # Not as one condition: with an "or" SQLite would walk all that was ever corrected.
            unproved = query.where(moment < start, table.columns["state"].in_(UNPROVED))
            query = sa.select(sa.union_all(unproved, news).subquery())
        else:
            query = news
    for name, value in equal.items():
        query = query.where(sa.cast(table.columns[name], sa.String) == value)
    in_order = (str(contract.cursor_column), *contract.record_id_columns)
    return query.order_by(*(query.selected_columns[name] for name in in_order))


def _record(contract: Contract, row: Mapping[str, Any]) -> Record:
    fields = {name: _plain(value) for name, value in row.items()}
    reference = fields.get(str(contract.reference_column))
    return Record(
        record_id=contract.record_id(fields),
        fields=fields,
        raw=json.dumps(fields, ensure_ascii=False, separators=(",", ":")),
        reference=None if reference is None else str(reference),
    )


def _plain(value: Any) -> Any:
    """Text as other sources tell it; the store keeps UTC, some databases without saying so."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value if value is None or isinstance(value, str | int) else str(value)


def make_source(system: System, environment: Mapping[str, str]) -> TallymanSource:
    """``base_url``, else TALLYMAN_OPERATIONS_URL, says where the store is."""
    url = system.base_url or environment.get("TALLYMAN_OPERATIONS_URL", "")
    return TallymanSource(system.model_copy(update={"base_url": url}))
