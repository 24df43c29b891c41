"""Our own operations store read back as a source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from connectors.base import Record, SourceError
from connectors.factory import make_source
from connectors.tallyman.source import TallymanSource, _select
from ingestion.typing import BatchTyper, ReceivedRecord
from registry.contracts import contract_of
from registry.systems import System
from writeback.tables import attempts, corrections, decisions, metadata

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'operations.sqlite'}"


@pytest.fixture
def source(url: str) -> Any:
    system = System(name="tallyman", role="oms", connector="tallyman")
    return make_source(system, {"TALLYMAN_OPERATIONS_URL": url})


@pytest.fixture
def store(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    return engine


def correction(number: int, updated_at: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "correction_key": f"c{number}",
        "proposal_key": f"p{number}",
        "generation": 1,
        "idempotency_key": f"k{number}",
        "rule_id": "S01",
        "obligation_ids": ["o1"],
        "object_id": f"SO-{number}/1",
        "target_system": "erp",
        "kind": "create_fulfilment",
        "old_value": None,
        "new_value": {"quantity": Decimal("2.5")},
        "payload": {"order_record": "E1", "lines": [{"quantity": 5}]},
        "preconditions": [],
        "payload_hash": "h",
        "relied_on_systems": [],
        "value_at_risk": Decimal("12.340000"),
        "currency": "USD",
        "needs_approval": False,
        "conflict": False,
        "hold_codes": [],
        "state": "ready",
        "state_reason": "",
        "attempts": 0,
        "possibly_sent": False,
        "created_at": NOW,
        "updated_at": updated_at,
        **changes,
    }


def read(
    source: TallymanSource, entity: str, cursor: str | None
) -> tuple[list[Record], str | None]:
    pages = list(source.pages(entity, cursor))
    return [record for page in pages for record in page.records], pages[-1].cursor


@pytest.mark.parametrize("entity", ["corrections", "attempts", "decisions"])
def test_a_store_that_does_not_exist_yet_is_empty_complete_and_not_created(
    source, entity, tmp_path
):
    assert read(source, entity, None) == ([], None)
    source.probe()
    assert list(tmp_path.iterdir()) == []


def test_rows_satisfy_their_contract(source, store):
    with store.begin() as connection:
        connection.execute(sa.insert(corrections), [correction(1, NOW, accepted_at=NOW)])
        connection.execute(
            sa.insert(decisions),
            [
                {
                    "decision_id": "d1",
                    "correction_key": "c1",
                    "actor": "ada",
                    "decision": "approve",
                    "comment": "fine",
                    "decided_at": NOW,
                }
            ],
        )
        connection.execute(
            sa.insert(attempts),
            [
                {
                    "correction_key": "c1",
                    "attempt": 1,
                    "phase": "send",
                    "result": "ok",
                    "code": "http_200",
                    "message": "",
                    "response": "{}",
                    "idempotency_key": "k1",
                    "payload_hash": "h",
                    "started_at": NOW - timedelta(seconds=1),
                    "ended_at": NOW,
                }
            ],
        )
    for entity in ("corrections", "attempts", "decisions"):
        records, _ = read(source, entity, None)
        received = [ReceivedRecord(record, NOW, NOW) for record in records]
        with BatchTyper("tallyman", ZoneInfo("UTC")) as typer:
            batch = typer.type(contract_of("tallyman", entity), received, "x1", 0, NOW)
        assert batch.quarantined.to_pylist() == []
        [row] = batch.accepted.to_pylist()
        assert batch.unknown_fields == frozenset()
        if entity == "corrections":
            assert row["value_at_risk"] == Decimal("12.34")
            assert row["accepted_at"] == NOW and row["verified_at"] is None
            assert row["payload"] == '{"lines":[{"quantity":5}],"order_record":"E1"}'
            assert records[0].reference == "SO-1/1"
        else:
            assert records[0].reference == "c1"


def test_each_version_is_read_once_it_changes_and_the_cursor_overlaps(source, store):
    with store.begin() as connection:
        connection.execute(
            sa.insert(corrections),
            [correction(number, NOW + timedelta(minutes=number)) for number in range(5)],
        )
    records, cursor = read(source, "corrections", None)
    assert [record.record_id for record in records] == [f"c{number}" for number in range(5)]
    assert cursor == (NOW + timedelta(minutes=4)).isoformat()
    with store.begin() as connection:
        connection.execute(
            sa.update(corrections)
            .where(corrections.c.correction_key == "c1")
            .values(state="accepted", updated_at=NOW + timedelta(minutes=9))
        )
    records, cursor = read(source, "corrections", cursor)
    assert [record.record_id for record in records] == ["c4", "c1"]
    assert read(source, "corrections", cursor)[1] == cursor


def test_what_is_not_proved_yet_is_read_whatever_its_time_says(source, store):
    """A clock was set back ten minutes: what was accepted then was never read, and its object was
    locked for ever."""
    rows = [correction(number, NOW) for number in (1, 2)]
    with store.begin() as connection:
        connection.execute(sa.insert(corrections), [*rows, correction(3, NOW + timedelta(hours=1))])
    _, cursor = read(source, "corrections", None)
    with store.begin() as connection:
        for number, state in ((1, "refused"), (2, "accepted")):
            connection.execute(
                sa.update(corrections)
                .where(corrections.c.correction_key == f"c{number}")
                .values(state=state, updated_at=NOW + timedelta(minutes=number))
            )
    for _ in range(2):
        records, cursor = read(source, "corrections", cursor)
        assert [record.record_id for record in records] == ["c2", "c3"]
        assert cursor == (NOW + timedelta(hours=1)).isoformat()


def test_after_a_clock_was_set_back_all_is_read_once_more(source, store):
    now = datetime.now(UTC)
    ahead = now + timedelta(minutes=10)
    with store.begin() as connection:
        rows = [correction(1, NOW, state="refused"), correction(2, ahead, state="refused")]
        connection.execute(sa.insert(corrections), rows)
    records, cursor = read(source, "corrections", ahead.isoformat())
    assert [record.record_id for record in records] == ["c1", "c2"]
    # What is dated in the future hides nothing that comes before it.
    assert cursor == NOW.isoformat()
    with store.begin() as connection:
        connection.execute(sa.insert(corrections), [correction(3, now, state="refused")])
    assert [one.record_id for one in read(source, "corrections", cursor)[0]] == ["c1", "c3", "c2"]


def test_a_read_of_what_is_new_does_not_walk_the_whole_outbox(store):
    with store.connect() as connection:
        query = _select(contract_of("tallyman", "corrections"), connection, NOW, {})
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"explain query plan {text}").all()
    assert not [row for row in plan if row[3].startswith("SCAN corrections")]


def test_point_reads(source, store):
    with store.begin() as connection:
        connection.execute(sa.insert(corrections), [correction(1, NOW), correction(2, NOW)])
    [found] = source.read_one("corrections", {"correction_key": "c2"})
    assert found.record_id == "c2"
    assert source.read_one("corrections", {"correction_key": "none"}) == []
    with pytest.raises(SourceError, match="can't look up"):
        source.read_one("corrections", {"colour": "red"})


def test_a_store_of_another_version_is_named(source, url):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table corrections (correction_key text)"))
    with pytest.raises(SourceError, match=r"lacks .*payload.*another version"):
        read(source, "corrections", None)
