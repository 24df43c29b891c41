"""Orders that customers send by EDI must be in the OMS (O01): of each customer his own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from build import Warehouse
from scenario import NOW, SYSTEMS, Scenario, ago
from trade import Order, masters

PARTNERS = ("bigbox", "corner", "stranger")


def test_two_customers_may_have_one_number_for_their_orders(
    tmp_path: Path, artefacts: Path
) -> None:
    channels = dict.fromkeys(PARTNERS, ("channel", "x12", "UTC"))
    scenario = Scenario(SYSTEMS | channels)
    masters(scenario)
    for number, partner in enumerate(PARTNERS, start=1):
        for po_number in ("PO-300001", "PO-300002"):
            scenario.say(
                partner,
                "purchase_orders",
                po_number=po_number,
                purpose_code="00",
                currency="USD",
                partner=partner,
                direction="inbound",
                set_code="850",
                interchange_id=f"{partner}-{po_number}",
                written_at=ago(hours=2).replace(tzinfo=None),
                position=float(number),
            )
    # Both have an order of that number; the second one's is lost. The other number is the second's.
    Order(scenario, 300001, ago(hours=2)).oms(channel="edi", customer_ref="C0001")
    Order(scenario, 300002, ago(hours=2)).oms(channel="edi", customer_ref="C0002")
    scenario.read(NOW)
    scenario.read(NOW + timedelta(minutes=1))
    warehouse = Warehouse(tmp_path, artefacts)
    scenario.write(warehouse.path)
    warehouse.execute(
        "insert into seeds.party_map values ('bigbox', 'bigbox', 'C0001')",
        "insert into seeds.party_map values ('corner', 'corner', 'C0002')",
    )
    warehouse.build()
    found = warehouse.exceptions()
    assert {row for row in found if row[0] in ("O01", "M01")} == {
        ("O01", "C0002|PO-300001"),
        ("O01", "C0001|PO-300002"),
        ("M01", "stranger.purchase_orders.partner=stranger"),
    }
    # Whoever that is may be one of them.
    held = warehouse.rows(
        "select object_id, held_reason from reconciliation.exceptions "
        "where rule_id = 'O01' and status = 'pending' order by object_id"
    )
    assert held == [
        ("?|PO-300001", "nobody knows which customer it is of"),
        ("?|PO-300002", "nobody knows which customer it is of"),
    ]
