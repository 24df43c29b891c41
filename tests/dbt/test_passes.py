"""What further passes change: corrections come back as echoes, exceptions close, feeds fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from build import Warehouse
from scenario import NOW, Scenario, ago
from trade import Order, balances, erp_movement, masters, say_erp_item, say_wms_item, wms_movement

BUSY_ITEM = "00012345600036"
SECOND, THIRD = NOW + timedelta(seconds=30), NOW + timedelta(seconds=60)


def _correction(
    scenario: Scenario, number: int, kind: str, accepted: datetime, **fields: str
) -> None:
    scenario.correction(
        correction_key=f"c{number}",
        proposal_key=f"p{number}",
        target_system="erp",
        kind=kind,
        state="accepted",
        old_value="null",
        value_at_risk=None,
        created_at=accepted - timedelta(seconds=5),
        accepted_at=accepted,
        updated_at=accepted,
        attempts=1,
        idempotency_key=f"tly-{number}",
        **fields,
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    """Three passes. Invoices can't be read in any of them; the OMS's clock jumps in the last."""
    scenario = Scenario()
    masters(scenario)
    say_erp_item(scenario, "10-0003", BUSY_ITEM, pack=12)
    for seq, (pack, days) in enumerate([(12, 30), (10, 5), (12, 3)], start=2):
        say_wms_item(scenario, "A0003", BUSY_ITEM, pack, modified=ago(days=days), seq=seq)
    shipped = Order(scenario, 400001, ago(days=3)).oms().released().warehouse().shipped()
    shipped.scanned("PU")
    wms_movement(scenario, 1, "RCPT", 100, "RC-1", ago(days=20))
    erp_movement(scenario, 1, "101", 100, "RC-1", ago(days=20))
    wms_movement(scenario, 2, "SHIP", -5, "SHP-400001", shipped.at(60))
    balances(scenario, erp=97, wms=95, at=NOW)
    unread = [("erp", "invoice_lines")]
    scenario.read(NOW, failed=unread)

    # The fulfilment is sent, accepted, and read back; the balance still lacks three.
    _correction(
        scenario,
        1,
        "create_fulfilment",
        NOW + timedelta(seconds=10),
        rule_id="S01",
        object_id="SHP-400001",
        new_value='{"document": "SHP-400001"}',
        payload='{"order_record": "E5400001", "document": "SHP-400001", "location": "EAST", '
        '"target_location": "E1", "lines": [{"line_record": "10", "quantity": "5"}]}',
        target_record_id="F7999999",
    )
    posted = NOW + timedelta(seconds=9)
    minutes = (posted - shipped.start).total_seconds() / 60
    shipped.fulfilled(after=minutes, number="F7999999", origin="tly-1")
    erp_movement(scenario, 2, "601", -5, "SHP-400001", posted, origin="tly-1")
    balances(scenario, erp=92, wms=95, at=SECOND)
    scenario.read(SECOND, failed=unread)

    # The residual is set; the next snapshot agrees.
    _correction(
        scenario,
        2,
        "adjust_stock",
        SECOND + timedelta(seconds=10),
        rule_id="I01",
        object_id="00012345600012@EAST",
        new_value='{"quantity": "95"}',
        payload='{"target_item": "10-0001", "target_location": "E1", "quantity_delta": "3", '
        '"expected_quantity": "92", "new_quantity": "95", "reason": "RESIDUAL"}',
        target_record_id="3",
    )
    erp_movement(scenario, 3, "701", 3, "TLY-2", SECOND + timedelta(seconds=9), origin="tly-2")
    balances(scenario, erp=95, wms=95, at=THIRD)
    scenario.read(THIRD, failed=unread, offsets={"oms": 100.0})

    built = Warehouse(tmp_path_factory.mktemp("passes"), artefacts)
    scenario.write(built.path)
    return built.build()


def _judged(
    warehouse: Warehouse, rule: str, object_id: str
) -> list[tuple[str, datetime, datetime]]:
    return warehouse.rows(
        "select status, opened_at, closed_at from marts.exceptions "
        f"where rule_id = '{rule}' and object_id = '{object_id}' order by opened_at"
    )


def test_a_correction_closes_what_it_resolves(warehouse: Warehouse) -> None:
    ((status, opened, closed),) = _judged(warehouse, "S01", "SO-400001/1")
    assert status == "closed"
    assert opened < NOW < closed < SECOND, "it was open until the target wrote it down"


def test_an_echo_creates_no_duty(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select is_echo from core.order_events where own_document = 'F7999999'"
    ) == [(True,)]
    assert warehouse.rows(
        "select count(*) from reconciliation.obligations where own_document = 'F7999999'"
    ) == [(0,)]


def test_a_residual_opens_on_its_second_snapshot_and_heals(warehouse: Warehouse) -> None:
    ((status, opened, closed),) = _judged(warehouse, "I01", "00012345600012@EAST")
    assert status == "closed"
    assert NOW < opened < SECOND < closed <= THIRD


def test_corrections_are_proved_by_later_readings(warehouse: Warehouse) -> None:
    proofs = warehouse.rows(
        "select correction_key, extractions_since, effect_observed, exceptions_open, verdict "
        "from reconciliation.correction_proofs order by all"
    )
    assert proofs == [("c1", 2, True, 0, "verified"), ("c2", 1, True, 0, "verified")]


def test_a_restored_value_ends_the_disagreement(warehouse: Warehouse) -> None:
    ((status, opened, closed),) = _judged(warehouse, "M02", BUSY_ITEM)
    assert (status, opened.day, closed.day) == ("closed", ago(days=5).day, ago(days=3).day)


def test_a_feed_that_cannot_be_read_holds_its_rules(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select distinct frontier_at from reconciliation.frontiers where rule_id in ('F01', 'F03')"
    ) == [(None,)]
    assert warehouse.exceptions("pending") >= {("F01", "SO-400001/1")}
    assert not any(rule == "F01" for rule, _ in warehouse.exceptions("open", "closed"))


def test_a_clock_that_jumps_holds_judgement(warehouse: Warehouse) -> None:
    frontiers = dict(warehouse.rows("select rule_id, frontier_at from reconciliation.frontiers"))
    assert frontiers["O02"] < SECOND <= frontiers["O06"], "the OMS stays where its clock was sound"
