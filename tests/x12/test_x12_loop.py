"""The loop over EDI: a release that the warehouse never got is sent again as a 940, and the next
reading of the folder proves it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from build import Warehouse
from edi_partner import WAREHOUSE_SETS, Partner, Reader, document
from scenario import NOW, SYSTEMS, Scenario, ago
from trade import ITEM, Order, masters

from connectors.base import CorrectionRequest, Result
from writeback.kinds import check_payload
from writeback.preconditions import first_broken

SECOND = NOW + timedelta(seconds=30)
ADVICE = f"""BIA*00*DD*ADV-1*20261109*2300
N1*WH**92*DC-East
LIN*1*VN*{ITEM}
QTY*17*92*EA
CTT*1"""


class Told:
    """What the partner's folder says, as rows of the scenario's next pass."""

    def __init__(self, scenario: Scenario, partner: Partner) -> None:
        self.scenario = scenario
        self.reader = Reader(partner)

    def hear(self) -> None:
        for entity in self.reader.partner.source().entities:
            for record in self.reader.good(entity):
                self.scenario.say(self.reader.partner.name, entity, **record.fields)


def test_a_lost_release_is_sent_as_a_940_and_proved(tmp_path: Path, artefacts: Path) -> None:
    partner = Partner(tmp_path, "threepl", "wms", WAREHOUSE_SETS)
    partner.send("inbound", "adv", document("846", ADVICE), at=datetime(2026, 11, 9, 23, 5))
    systems = {name: spec for name, spec in SYSTEMS.items() if name != "wms"}
    scenario = Scenario({**systems, "threepl": ("wms", "x12", "UTC")})
    masters(scenario)
    # The demo WMS is not there: what `masters` says of it has no listener.
    scenario._rows.pop(("wms", "items"))
    told = Told(scenario, partner)
    Order(scenario, 200006, ago(days=2)).oms().released()
    told.hear()
    scenario.read(NOW)
    before = Warehouse(tmp_path / "before", artefacts)
    scenario.write(before.path)
    before.build()
    assert before.exceptions() == {("O06", "SO-200006/1")}
    [(kind, new_value, payload, conditions)] = before.rows(
        "select kind, new_value, payload, preconditions from reconciliation.correction_proposals "
        "where target_system = 'threepl'"
    )
    document_number = "E5200006"
    assert kind == "create_warehouse_order"
    payload = json.loads(payload)
    assert (payload["host_order"], payload["location"]) == (document_number, "EAST")

    own = [c for c in json.loads(conditions) if c["system"] == "threepl"]
    assert own and first_broken(own, {"threepl": partner.source()}) is None
    check_payload(kind, payload)
    request = CorrectionRequest(kind, document_number, payload, {}, "tly-1", datetime.now(UTC))
    outcome = partner.target().apply(request)
    assert outcome.result is Result.OK
    assert first_broken(own, {"threepl": partner.source()}) is not None

    accepted = NOW + timedelta(seconds=10)
    scenario.correction(
        correction_key="c1",
        proposal_key="p1",
        rule_id="O06",
        object_id=document_number,
        target_system="threepl",
        kind=kind,
        state="accepted",
        old_value="null",
        new_value=new_value,
        payload=json.dumps(payload),
        target_record_id=outcome.target_record_id,
        created_at=accepted - timedelta(seconds=5),
        accepted_at=accepted,
        updated_at=accepted,
        attempts=1,
        idempotency_key="tly-1",
    )
    told.hear()
    scenario.read(SECOND)
    after = Warehouse(tmp_path / "after", artefacts)
    scenario.write(after.path)
    after.build()
    assert after.rows("select verdict from reconciliation.correction_proofs") == [("verified",)]
    assert after.rows(
        "select milestone, order_line_id, is_echo from core.order_events "
        "where system = 'threepl' and object_type = 'order_line'"
    ) == [("released", "SO-200006/1", True)]
    assert after.exceptions() == set()
