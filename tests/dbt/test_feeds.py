"""What goes wrong with feeds: opened once, closed when over, and one voice for one cause."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest
from build import PROJECT, Warehouse
from scenario import NOW, Scenario, ago
from trade import Order, masters

from ingestion import extract, landing, typing


def _after(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def _troubled() -> Scenario:
    """Read every twenty minutes: invoices fail for an hour, scans until the end, and more."""
    scenario = Scenario()
    masters(scenario)
    Order(scenario, 500001, ago(days=1)).oms().erp().fulfilled(whs="X9")
    # Refused, and told well by the same reading; and refused for good.
    scenario.quarantine("erp", "items", "10-0001", "10-0001")
    scenario.quarantine("wms", "shipment_lines", "SHP-500002/1", "SHP-500002")
    scenario.read(NOW)
    scenario.read(NOW + _after(20), failed=[("erp", "invoice_lines")])
    late = [("erp", "invoice_lines"), ("carrier", "tracking_events")]
    scenario.read(NOW + _after(40), failed=late)
    scenario.read(NOW + _after(60), failed=late)
    scenario.read(NOW + _after(80), failed=late[1:], offsets={"oms": 100.0})
    return scenario


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    built = Warehouse(tmp_path_factory.mktemp("feeds"), artefacts)
    _troubled().write(built.path)
    return built.build()


def test_each_trouble_opens_once_and_says_since_when(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select rule_id, object_type, object_id, status, opened_at, closed_at, severity "
        "from marts.exceptions where family = 'feed' order by rule_id, object_id"
    )
    assert rows == [
        ("D01", "feed", "carrier.tracking_events", "open", NOW + _after(70), None, "S1"),
        ("D01", "feed", "erp.invoice_lines", "closed", NOW + _after(50), NOW + _after(80), "S1"),
        ("D04", "system", "oms", "open", NOW + _after(80), None, "S3"),
        ("D04F", "feed", "wms.shipment_lines", "open", NOW + _after(60), None, "S3"),
        ("M01", "code", "erp.fulfilment_lines.whs=X9", "open", NOW, None, "S1"),
    ]


def test_no_correction_is_proposed_for_a_feed(warehouse: Warehouse) -> None:
    proposed = warehouse.rows(
        "select proposals.rule_id from reconciliation.correction_proposals as proposals "
        "inner join seeds.rules as rules using (rule_id) where rules.family in ('feed', 'sequence')"
    )
    assert proposed == []


def test_the_order_of_landing_changes_nothing(
    warehouse: Warehouse, tmp_path: Path, artefacts: Path
) -> None:
    again = Warehouse(tmp_path, artefacts)
    _troubled().write(again.path)
    for table in ("extractions", "quarantine"):
        again.execute(
            f"create table turned as select * from landing.{table} order by hash(rowid * 31)",
            f"drop table landing.{table}",
            f"create table landing.{table} as select * from turned",
            "drop table turned",
        )
    judged = "select * from marts.exceptions order by exception_id"
    assert again.build().rows(judged) == warehouse.rows(judged)


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_every_reason_for_a_refusal_is_a_signal() -> None:
    """The reasons stand in ingestion/typing.py; none may go without a rule."""
    source = Path(typing.__file__).read_text(encoding="utf-8")
    reasons = set(re.findall(r"'code': '(\w+)'", source))
    reasons |= set(re.findall(r'"((?:missing|wrong|out_of|future)_\w+)"', source))
    assert {"missing_column", "wrong_type", "future_time"} <= reasons
    reasons.add(landing.REFUSED_BY_CONNECTOR)
    known = {row["signal"] for row in _seed("feed_signals")}
    assert reasons <= known
    assert known >= extract.SYSTEM_WIDE, "one exception for a system, not one for each feed"


def test_every_rule_belongs_to_the_domain_and_every_gap_has_a_reason() -> None:
    domain = _seed("domain_rules")
    assert len(domain) == 54
    named = {rule for row in domain for rule in row["rule_ids"].split("|") if rule}
    assert named == {row["rule_id"] for row in _seed("rules")}
    for row in domain:
        assert bool(row["rule_ids"]) is (row["status"] != "none"), row
        assert row["status"] == "full" or row["reason"], row
