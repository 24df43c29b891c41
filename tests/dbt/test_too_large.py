"""A bar code that was scanned as a quantity is too much to be true, and stops nothing."""

from __future__ import annotations

from pathlib import Path

from build import Warehouse
from scenario import NOW, Scenario, ago
from trade import Line, Order, balances, erp_movement, masters, wms_movement

SCANNED, WELL, UNPOSTED = 300001, 300002, 300003
BAR_CODE = 850010090115
TOO_MUCH = 999_999_999_999


def test_a_bar_code_as_a_quantity_stops_nothing(tmp_path: Path, artefacts: Path) -> None:
    scenario = Scenario()
    masters(scenario)
    order = Order(scenario, SCANNED, ago(days=10), [Line(1, BAR_CODE)])
    order.oms().released().warehouse().shipped().invoiced()
    order.shipped(after=70, shipment="SHP-AGAIN").invoiced(after=90, number="I9-AGAIN")
    Order(scenario, WELL, ago(days=10)).healthy()
    Order(scenario, UNPOSTED, ago(days=10)).oms().released().warehouse().shipped()
    for number in (1, 2):
        wms_movement(scenario, number, "ADJ", BAR_CODE, f"CNT-{number}", ago(days=9))
        erp_movement(scenario, number, "ADJ", -BAR_CODE, f"CNT-{number}", ago(days=9))
    for hours in (48, 24, 0):
        balances(scenario, BAR_CODE, -BAR_CODE, ago(hours=hours))
    scenario.read(NOW)
    warehouse = Warehouse(tmp_path, artefacts)
    scenario.write(warehouse.path)
    exceptions = warehouse.build().exceptions("open")
    assert ("S01", f"SO-{UNPOSTED}/1") in exceptions
    assert ("S01", f"SO-{SCANNED}/1") in exceptions
    assert warehouse.rows(
        "select value_at_risk from marts.exceptions where rule_id = 'S01' order by object_id"
    ) == [(TOO_MUCH,), (TOO_MUCH,), (62.5,)]
    # Nothing of it goes without a person.
    assert warehouse.rows(
        "select count(*) from reconciliation.correction_proposals "
        f"where value_at_risk = {TOO_MUCH} and not needs_approval"
    ) == [(0,)]
