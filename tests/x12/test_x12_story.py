"""From files to exceptions: two partners trade over EDI, and what is missing is found, no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from build import Warehouse
from edi_partner import WAREHOUSE_SETS, Partner, StoppedClock, document

from ingestion.landing import refresh_views
from ingestion.load import load_system
from ingestion.warehouse import warehouse as opened
from registry.settings import Settings, load_settings
from registry.systems import load_registry

SYSTEMS = """
[[systems]]
name = "acme"
role = "supplier"
connector = "x12"
base_url = "acme"
time_zone = "America/New_York"
settle_seconds = 0
write_mode = "on"
options = {profile = "acme.yaml"}

[[systems]]
name = "threepl"
role = "wms"
connector = "x12"
base_url = "threepl"
time_zone = "America/New_York"
settle_seconds = 0
write_mode = "on"
options = {profile = "threepl.yaml"}
"""
NOW = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
EXPECTED_OPEN = {
    ("P02", "PO-1/2"),  # 30 of 50 confirmed
    ("P01", "PO-2"),  # never answered
    ("P01", "PO-3"),
    ("P07", "PO/503"),  # never acknowledged
    ("P01", "PO-4"),
    ("P07", "PO/504"),  # acknowledged with a rejection
    ("P09", "PO-5/1"),  # promised, not announced
    ("P03", "PO-6/1"),  # 100 came, 60 were announced
    ("P09", "PO-6/1"),
    ("P02", "PO-10/2"),  # refused line
    ("D03", "threepl.inventory.quantity_qualifier=ZZ"),
    ("D03", "threepl.adjustment_lines.reason_code=QQ"),
}


@dataclass
class World:
    root: Path
    settings: Settings
    acme: Partner
    threepl: Partner
    clock: StoppedClock
    models: Warehouse

    def load(self, at: datetime) -> None:
        """One pass over both partners, then all models."""
        self.clock.moment = at
        registry = load_registry(self.settings.systems_file)
        for system in registry.systems:
            partner = self.acme if system.name == "acme" else self.threepl
            load_system(system, partner.source(), self.settings, "run", self.clock)
        with opened(self.settings) as connection:
            refresh_views(connection, registry)
        self.models.build()


def order(number: int, *quantities: int) -> str:
    lines = "\n".join(
        f"PO1*{line}*{quantity}*EA*12.50**VN*SKU-{line:03}"
        for line, quantity in enumerate(quantities, start=1)
    )
    return f"BEG*00*SA*PO-{number}**20261102\nCUR*BY*USD\n{lines}\nCTT*{len(quantities)}"


def answer(number: int, *lines: str, code: str = "AC") -> str:
    told = "\n".join(
        f"PO1*{place}*1*EA*12.50**VN*SKU-{place:03}\n{line}"
        for place, line in enumerate(lines, start=1)
    )
    return f"BAK*00*{code}*PO-{number}*20261102****S{number}*20261102\n{told}\nCTT*{len(lines)}"


def notice(number: int, *quantities: int) -> str:
    items = "\n".join(
        f"HL*{place + 2}*2*I\nLIN*{place}*VN*SKU-{place:03}\nSN1*{place}*{quantity}*EA"
        for place, quantity in enumerate(quantities, start=1)
    )
    return (
        f"BSN*00*ASN-{number}*20261104*0900*0004\nHL*1**S\nREF*CN*TRK{number}\nDTM*011*20261104\n"
        f"HL*2*1*O\nPRF*PO-{number}\n{items}\nCTT*{len(quantities) + 2}"
    )


def receipt(number: int, *quantities: int) -> str:
    lines = "\n".join(
        f"W07*{quantity}*EA**VN*SKU-{place:03}\nN9*LI*{place}"
        for place, quantity in enumerate(quantities, start=1)
    )
    return (
        f"W17*F*20261105*RCV-{number}*PO-{number}*ASN-{number}\nN1*WH*DC EAST*92*DC-East\n{lines}\n"
        f"W14*{sum(quantities)}"
    )


def functional_answer(group: int, status: str = "A") -> str:
    accepted = 1 if status == "A" else 0
    return f"AK1*PO*{group}\nAK2*850*0001\nAK5*{status}\nAK9*{status}*1*1*{accepted}"


def _trade(acme: Partner, threepl: Partner) -> None:
    sent = datetime(2026, 11, 2, 9, 0)
    for number in range(1, 11):
        quantities = {1: (100, 50), 10: (10, 20)}.get(number, (100,))
        acme.send("outbound", f"po{number}", document("850", order(number, *quantities)), at=sent)
        if number != 3:
            status = "R" if number == 4 else "A"
            text = functional_answer(500 + number, status)
            acme.send("inbound", f"fa{number}", document("997", text), at=sent)
    answers = {
        1: ("ACK*IA*100*EA*067*20261106", "ACK*IQ*30*EA*067*20261106"),
        5: ("ACK*IA*100*EA*067*20261105",),
        6: ("ACK*IA*100*EA*067*20261105",),
        10: ("ACK*IA*10*EA", "ACK*IR*20*EA"),
    }
    for number, lines in answers.items():
        acme.send("inbound", f"ack{number}", document("855", answer(number, *lines)), at=sent)
    later = datetime(2026, 11, 4, 9, 0)
    acme.send("inbound", "asn1", document("856", notice(1, 100, 30)), at=later)
    acme.send("inbound", "asn6", document("856", notice(6, 60)), at=later)
    bill = "BIG*20261105*INV-1**PO-1\nIT1*1*100*EA*12.50**VN*SKU-001\nTDS*125000\nCTT*1"
    acme.send("inbound", "inv1", document("810", bill), at=later)
    # The answer to 7 comes in a broken envelope, that to 8 with a broken line.
    broken = acme.text("inbound", document("855", answer(7, "ACK*IA*100*EA")), at=sent)
    acme.put("inbound", "ack7.edi", broken.replace(b"SE*6*", b"SE*9*"))
    acme.send("inbound", "ack8", document("855", answer(8, "ACK*IA*x*EA")), at=sent)
    cancel = document("860", "BCH*01*SA*PO-9***20261102\nDTM*002*20261110")
    acme.send("outbound", "cancel9", cancel, at=sent + timedelta(hours=1))
    acme.send(
        "inbound",
        "facancel",
        document("997", functional_answer(511).replace("PO*", "PC*")),
        at=sent,
    )
    for number, quantities in {1: (100, 30), 6: (100,)}.items():
        threepl.send(
            "inbound",
            f"rcv{number}",
            document("944", receipt(number, *quantities)),
            at=datetime(2026, 11, 5, 9, 0),
        )


def _store(threepl: Partner) -> None:
    release = (
        "W05*N*SO-1*C-77\nN1*WH**92*DC-East\nLX*1\nW01*6*EA**VN*SKU-001\nN9*LI*10\n"
        "LX*2\nW01*8*EA**VN*SKU-002\nN9*LI*20\nW76*14"
    )
    threepl.send("outbound", "rel1", document("940", release))
    shipped = (
        "W06*F*SO-1*20261103*SHP-1**C-77\nN1*SF*DC EAST*92*DC-East\nN9*CN*1Z1\nLX*1\n"
        "W12*CC*6*6*0*EA**VN*SKU-001\nN9*LI*10\nLX*2\nW12*SH*8*5*3*EA**VN*SKU-002\nN9*LI*20\nW03*11"
    )
    threepl.send("inbound", "ship1", document("945", shipped), at=datetime(2026, 11, 3, 18, 0))
    adjusted = (
        "W15*20261106*ADJ-1\nN1*WH**92*DC-East\nW19*AA*-2*EA**VN*SKU-001\n"
        "W19*05*-3*EA**VN*SKU-001\nW19*QQ*1*EA**VN*SKU-002"
    )
    threepl.send("inbound", "adj1", document("947", adjusted), at=datetime(2026, 11, 6, 9, 0))
    held = (
        "BIA*00*DD*ADV-1*20261109*2300\nN1*WH**92*DC-East\nLIN*1*VN*SKU-001\nQTY*17*92*EA\n"
        "QTY*ZZ*4*EA\nCTT*1"
    )
    threepl.send("inbound", "adv1", document("846", held), at=datetime(2026, 11, 9, 23, 5))
    threepl.send("inbound", "fa501", document("997", "AK1*OW*501\nAK9*A*1*1*1"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> World:
    root = tmp_path_factory.mktemp("edi")
    (root / "systems.toml").write_text(SYSTEMS)
    acme = Partner(root, time_zone="America/New_York")
    threepl = Partner(root, "threepl", "wms", WAREHOUSE_SETS, time_zone="America/New_York")
    _trade(acme, threepl)
    _store(threepl)
    settings = load_settings(root / "home", root / "systems.toml")
    models = Warehouse(root / "home", artefacts)
    # The views of what is loaded here take the place of a scenario's tables.
    models.execute("drop schema landing cascade")
    made = World(root, settings, acme, threepl, StoppedClock(), models)
    made.load(NOW)
    return made


def test_what_is_missing_is_found_and_nothing_else(world: World) -> None:
    assert world.models.exceptions() == EXPECTED_OPEN


def test_what_is_in_quarantine_is_not_absence(world: World) -> None:
    held = world.models.rows(
        "select rule_id, object_id, held_reason from marts.exceptions "
        "where object_id in ('PO-7', 'PO-8') order by object_id"
    )
    assert held == [
        ("P01", "PO-7", "quarantined: refused_by_connector"),
        ("P01", "PO-8", "quarantined: refused_by_connector"),
    ]
    reasons = world.models.rows(
        "select entity, record_id, reference, reason, raw from landing.quarantine "
        "where system = 'acme' and entity in ('interchanges', 'acknowledgement_lines')"
        "qualify row_number() over (partition by record_id order by extraction_id) = 1 "
        "order by entity"
    )
    assert [row[:3] for row in reasons] == [
        ("acknowledgement_lines", "PO-8/1/1", "PO-8"),
        ("interchanges", "inbound/ack7.edi#1/PO-7", "PO-7"),
    ]
    assert "ACK02 is no number: x" in reasons[0][3]
    assert "(count)" in reasons[1][3] and reasons[1][4].startswith("ISA*")


def test_the_milestones_of_a_purchase_order_are_stitched_by_its_number(world: World) -> None:
    events = world.models.rows(
        "select role, milestone, cast(quantity as integer), source_status "
        "from core.order_events where order_line_id = 'PO-1/1' and object_type = 'order_line' "
        "order by recorded_to, milestone"
    )
    assert events == [
        ("supplier", "acknowledged", 100, "IA"),
        ("supplier", "ordered", 100, None),
        ("supplier", "asn_sent", 100, "00"),
        ("supplier", "supplier_invoiced", 100, "DI"),
        ("wms", "received", 100, "944"),
    ]


def test_every_line_is_followed(world: World) -> None:
    lines = world.models.rows(
        "select count(*), count(lifecycle.order_line_id) from "
        "(select distinct order_line_id from core.order_events "
        "where object_type = 'order_line' and order_line_id is not null and reversed_to is null) "
        "as told left join marts.order_lifecycle as lifecycle using (order_line_id)"
    )
    assert lines == [(11, 11)]


def test_a_cancelled_order_has_no_open_duties(world: World) -> None:
    assert world.models.rows(
        "select object_type, reversed_to is not null from core.order_events "
        "where document = 'PO-9' and milestone = 'ordered' order by 1"
    ) == [("order_line", True), ("purchase_order", True)]


def test_times_are_the_partners_local_time_in_utc(world: World) -> None:
    assert world.models.rows(
        "select timezone('UTC', recorded_from), timezone('UTC', recorded_to), "
        "timezone('UTC', promised_at) from core.order_events "
        "where document = 'PO-5' and milestone = 'acknowledged' and object_type = 'order_line'"
    ) == [
        (
            datetime(2026, 11, 2, 14, 0),
            datetime(2026, 11, 2, 14, 1),
            datetime(2026, 11, 6, 4, 59, 59, 999999),
        )
    ]


def test_a_warehouse_over_edi_releases_ships_and_keeps_stock(world: World) -> None:
    assert world.models.rows(
        "select milestone, object_type, cast(quantity as integer), line_record, location_id "
        "from core.order_events where system = 'threepl' and entity <> 'stock_transfer_lines' "
        "and object_type <> 'functional_group' order by milestone, object_type, line_record"
    ) == [
        ("released", "order_line", 6, "10", "EAST"),
        ("released", "order_line", 8, "20", "EAST"),
        ("shipped", "order_line", 6, "1", "EAST"),
        ("shipped", "order_line", 5, "2", "EAST"),
        ("shipped", "package", None, None, "EAST"),
    ]
    assert world.models.rows(
        "select source_type, movement_kind, cast(quantity as integer), "
        "cast(on_hand_change as integer), to_state "
        "from core.inventory_movements where item_id = 'SKU-001' "
        "order by recorded_to, source_type, on_hand_change"
    ) == [
        ("945", "shipment", 6, -6, "in_transit"),
        ("944", "receipt", 100, 100, "on_hand"),
        ("944", "receipt", 100, 100, "on_hand"),
        ("05", "status_change", 3, 0, "quarantined"),
        ("AA", "adjustment", 2, -2, "outside"),
    ]
    assert world.models.rows(
        "select item_id, location_id, state, cast(quantity as integer), "
        "timezone('America/New_York', as_of) from core.inventory_positions"
    ) == [("SKU-001", "EAST", "on_hand", 92, datetime(2026, 11, 9, 23, 0))]


def test_unknown_codes_are_work_and_no_loss(world: World) -> None:
    assert set(
        world.models.rows("select entity, field, source_value from marts.unmapped_codes")
    ) == {
        ("adjustment_lines", "reason_code", "QQ"),
        ("inventory", "quantity_qualifier", "ZZ"),
    }


def test_the_interchange_is_kept_whole_and_can_be_found_from_a_line(world: World) -> None:
    [(line, whole)] = world.models.rows(
        "select lines._raw, interchanges._raw from landing.x12__acknowledgement_lines as lines "
        "inner join landing.x12__interchanges as interchanges using (interchange_id) "
        "where lines.po_number = 'PO-5'"
    )
    assert whole.encode() == (world.acme.folder / "inbound" / "ack5.edi").read_bytes().rstrip()
    for segment in line.splitlines():
        assert segment in whole
    assert line.startswith("ST*855") and "ACK*IA*100" in line


def test_taking_a_broken_file_away_lets_its_order_be_judged(world: World) -> None:
    (world.acme.folder / "inbound" / "ack7.edi").unlink()
    world.load(NOW + timedelta(minutes=2))
    assert world.models.exceptions() == EXPECTED_OPEN | {("P01", "PO-7")}
