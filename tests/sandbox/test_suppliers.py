"""Suppliers that exchange X12 files: every purchase is told whole, and the product reads it."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from connectors.base import Record
from connectors.x12.source import X12Source
from registry.systems import System
from sandbox import clock
from sandbox.catalogue import draw_items
from sandbox.distributor import Distributor
from sandbox.faults.supplier import AGAIN, ordered_twice
from sandbox.numbers import Numbers
from sandbox.scene import Scene
from sandbox.settings import Settings

WORLD = Settings(
    orders=400,
    faults_per_kind=0,
    decoys_per_kind=0,
    processes=("purchasing",),
    partners=("suppliers",),
)
TEMPLATE = Path(__file__).parents[2] / "examples" / "full" / "suppliers.yaml"


def source(folder: Path, name: str, root: Path) -> X12Source:
    text = TEMPLATE.read_text().replace("{name}", f"suppliers_{name.lower()}").replace("{id}", name)
    (root / f"{name}.yaml").write_text(text)
    assert yaml.safe_load(text)["them"] == {"id": name}
    return X12Source(
        System(
            name=f"suppliers_{name.lower()}",
            role="supplier",
            connector="x12",
            base_url=str(folder),
            time_zone="UTC",
            options={"profile": f"{name}.yaml"},
            folder=root,
        )
    )


def good(found: X12Source, entity: str) -> list[Record]:
    records = [record for page in found.pages(entity, None) for record in page.records]
    assert [record.problem for record in records if record.problem] == []
    return records


def test_every_purchase_is_read_whole_by_the_product(tmp_path: Path) -> None:
    home = tmp_path / "home"
    distributor = Distributor(home, replace(WORLD, orders=1500))
    table = distributor.erp.tables["purchase_orders"]
    orders = [json.loads(table.text(number)) for number in table.ids()]
    expected: Counter[str] = Counter()
    for order in orders:
        for line in order["lines"]:
            expected[f"{order['po_no']}/{line['pos'] // 10}"] += int(float(line["ord_qty"]))
    told: dict[str, Counter[str]] = {}
    for name, folder in distributor.partner_folders["suppliers"].items():
        opened = source(folder, name, tmp_path)
        for entity in (
            "purchase_order_lines",
            "acknowledgement_lines",
            "shipment_notice_lines",
            "invoice_lines",
        ):
            lines = told.setdefault(entity, Counter())
            for record in good(opened, entity):
                fields = record.fields
                place = f"{fields['po_number']}/{fields['line_number']}"
                lines[place] += int(float(fields["quantity"]))
        answers = good(opened, "functional_acknowledgements")
        sent = good(opened, "functional_groups")
        assert {row.fields["group_number"] for row in answers} == {
            row.fields["group_number"] for row in sent if row.fields["functional_id"] == "PO"
        }
    distributor.close()
    assert len(expected) > 20
    assert told == dict.fromkeys(told, expected)


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_survive_a_crash_and_are_never_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "partners"
    Distributor(tmp_path, WORLD).close()
    before = files(folder)
    assert before
    # What a transport has taken away does not come back.
    taken = next(iter(before))
    (folder / taken).unlink()
    Distributor(tmp_path, WORLD).close()
    assert files(folder) == {name: text for name, text in before.items() if name != taken}
    # Killed after the commit, before a file: the next start makes it.
    half = tmp_path / "half"
    with monkeypatch.context() as patched:
        patched.setattr("sandbox.mailbox.Mailbox.deliver", lambda self: None)
        Distributor(half, WORLD).close()
    assert files(half / "partners") == {}
    Distributor(half, WORLD).close()
    assert files(half / "partners").keys() == before.keys()


def test_a_live_world_goes_on_writing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Settings.of_world(WORLD.world_choices() | {"live": 3600.0})
    distributor = Distributor(tmp_path, world)
    before = files(tmp_path / "partners")
    anchor = distributor.store.get("anchor")
    monkeypatch.setattr(clock, "now", lambda: anchor + 240.0)
    distributor.advance()
    after = files(tmp_path / "partners")
    distributor.close()
    assert before.items() < after.items()
    assert {name.rsplit("/", 1)[1][:3] for name in after.keys() - before.keys()} == {
        "850",
        "997",
        "855",
        "856",
        "810",
    }


@pytest.mark.parametrize("minutes", range(0, 1440, 7))
def test_an_order_sent_twice_is_sent_on_one_day(minutes: int) -> None:
    """World 203 of 2026-11-26 16:52 had one at 23:58:49 and 00:00:19: the rule asks for one day."""
    midnight = 1_795_651_200.0
    now = midnight + 60.0 * minutes + 7.0
    scene = Scene(random.Random(203), Numbers(0), draw_items(203, 200), now, lambda: now, set())
    for _ in range(20):
        ordered_twice(scene)
    ordered = [event.at for event in scene.events if event.kind == "purchase_ordered"]
    pairs = list(zip(ordered[::2], ordered[1::2], strict=True))
    assert all(second - first == pytest.approx(AGAIN) for first, second in pairs)
    assert all(first // clock.HOUR == second // clock.HOUR for first, second in pairs)
