"""What the demo's targets do beyond the contract (contract/), judged by the sandbox's ledger."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from demo_sandbox import FAULT_OF_KIND, Sandbox, request

from connectors.base import BatchTarget, CorrectionRequest, Result
from orchestration.cli import app
from registry.settings import load_settings
from registry.systems import Policy
from sandbox.server import running_sandbox
from sandbox.settings import Settings
from writeback.clock import SystemClock
from writeback.dispatch import deliver_due
from writeback.propose import enqueue
from writeback.store import OperationsStore


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    settings = Settings(
        orders=400, processes=("returns",), requests_per_second=5000, hang_seconds=3
    )
    with running_sandbox(home, 0, settings) as handle:
        yield Sandbox(handle)


def test_the_other_direction_works_when_authority_is_flipped(sandbox: Sandbox) -> None:
    """The ERP takes prices and the OMS quantities: which one is right is a row of data."""
    keys = sandbox.fault("O5Q")["entity_keys"]
    (order,) = sandbox.erp("sales_orders", doc_no=keys["doc_no"])
    line = order["lines"][0]
    price = request(
        "update_price",
        {
            "order_record": keys["doc_no"],
            "line_record": str(line["pos"]),
            "unit_price": "99.125",
            "old_unit_price": line["prc"],
        },
    )
    sold = sandbox.sources["oms"].read_one("order_lines", {"order_number": keys["order_number"]})
    quantity = request(
        "update_quantity",
        {
            "order_record": sold[0].fields["order_id"],
            "line_record": str(sold[0].fields["line_no"]),
            "quantity": 77,
            "old_quantity": sold[0].fields["qty"],
        },
    )
    for name, wanted in (("erp", price), ("oms", quantity)):
        target = sandbox.targets[name]
        assert target.apply(wanted).result is Result.OK
        assert target.read(wanted).applied
        assert target.undo(wanted, None).result is Result.OK
        assert target.read(wanted).precondition_met


@pytest.mark.parametrize("kind", ["post_movement", "adjust_stock"])
def test_undo_of_a_movement_restores_the_balance(sandbox: Sandbox, kind: str) -> None:
    target, wanted = sandbox.correction(kind)
    position = {
        "item_no": wanted.payload["target_item"],
        "whs": wanted.payload["target_location"],
    }
    held = sandbox.erp("stock", **position)[0]["qoh"]
    assert target.apply(wanted).result is Result.OK
    assert sandbox.erp("stock", **position)[0]["qoh"] != held
    for _ in range(2):
        assert target.undo(wanted, None).result is Result.OK
        assert sandbox.erp("stock", **position)[0]["qoh"] == held


def test_a_doubled_movement_is_taken_back_under_its_reference(sandbox: Sandbox) -> None:
    expected = sandbox.fault("I2")["expected_correction"]
    wanted = request("post_movement", expected["payload"])
    erp = sandbox.targets["erp"]
    assert not erp.read(wanted).applied
    assert erp.apply(wanted).result is Result.OK
    quantities = [
        Decimal(m["qty"])
        for m in sandbox.erp("stock_movements", ref=expected["payload"]["document"])
    ]
    assert len(quantities) == 3
    assert sum(quantities) == -Decimal(expected["payload"]["quantity"])


def test_undo_of_a_reversed_fulfilment_posts_it_again(sandbox: Sandbox) -> None:
    erp, wanted = sandbox.correction("reverse_fulfilment")
    record = wanted.payload["fulfilment_record"]
    (old,) = sandbox.erp("fulfilments", ful_no=record)
    assert erp.apply(wanted).result is Result.OK
    outcome = erp.undo(wanted, record)
    assert outcome.result is Result.OK, outcome
    (new,) = sandbox.erp("fulfilments", ful_no=outcome.target_record_id)
    assert (new["ship_ref"], new["lines"]) == (old["ship_ref"], old["lines"])
    assert erp.undo(wanted, record).code == "already_undone"


def test_undo_of_a_voided_invoice_issues_it_again(sandbox: Sandbox) -> None:
    """Of a rightful one; the ERP refuses to bill twice, so that a rightful void stays."""
    faults = sandbox.fault("F3")
    rightful = faults["entity_keys"]["invoice"]
    erp = sandbox.targets["erp"]
    for record in (faults["entity_keys"]["duplicate_invoice"], rightful):
        wanted = request("void_invoice", {"invoice_record": record})
        assert erp.apply(wanted).result is Result.OK
    outcome = erp.undo(wanted, rightful)
    assert outcome.result is Result.OK, outcome
    (new,) = sandbox.erp("invoices", inv_no=outcome.target_record_id)
    (old,) = sandbox.erp("invoices", inv_no=rightful)
    assert (new["stat"], new["ship_ref"], new["lines"]) == ("P", old["ship_ref"], old["lines"])
    duplicate = request(
        "void_invoice", {"invoice_record": faults["entity_keys"]["duplicate_invoice"]}
    )
    assert erp.undo(duplicate, None).result is Result.REFUSED


@pytest.mark.parametrize("kind", ["update_quantity", "set_pack", "adjust_fulfilment"])
def test_a_value_changed_meanwhile_is_not_overwritten(sandbox: Sandbox, kind: str) -> None:
    target, wanted = sandbox.correction(kind)
    other = _with_other_old_value(wanted)
    state = target.read(other)
    assert (state.applied, state.precondition_met) == (False, False)
    outcome = target.apply(other)
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")
    assert sandbox.effects(other.idempotency_key) == []


def _with_other_old_value(wanted: CorrectionRequest) -> CorrectionRequest:
    def shifted(values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: Decimal(str(value)) + 100 if name.startswith("old_") else value
            for name, value in values.items()
        }

    payload = shifted(dict(wanted.payload))
    if "lines" in payload:
        payload["lines"] = [shifted(line) for line in payload["lines"]]
    return request(wanted.kind, payload)


def test_a_creation_under_a_reference_that_exists_is_refused(sandbox: Sandbox) -> None:
    erp, first = sandbox.correction("create_invoice")
    assert erp.apply(first).result is Result.OK
    second = request("create_invoice", dict(first.payload))
    state = erp.read(second)
    assert (state.applied, state.applied_by_key) == (True, False)
    assert erp.apply(second).code == "version_conflict"
    assert sandbox.effects(second.idempotency_key) == []


def test_the_erp_itself_compares_the_expected_quantity(sandbox: Sandbox) -> None:
    erp, wanted = sandbox.correction("adjust_stock")
    payload = dict(wanted.payload)
    payload["expected_quantity"] = str(Decimal(payload["expected_quantity"]) + 1)
    payload["new_quantity"] = str(Decimal(payload["new_quantity"]) + 1)
    outcome = erp.apply(request("adjust_stock", payload))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "version_conflict")


def test_a_record_that_does_not_exist_is_refused(sandbox: Sandbox) -> None:
    for name, kind, payload in (
        ("erp", "void_invoice", {"invoice_record": "I999999"}),
        (
            "oms",
            "update_price",
            {
                "order_record": "ord_999999",
                "line_record": "1",
                "unit_price": "1",
                "old_unit_price": "2",
            },
        ),
        (
            "wms",
            "set_pack",
            {"target_item": "A9999", "pack_quantity": 1, "old_pack_quantity": 2},
        ),
    ):
        outcome = sandbox.targets[name].apply(request(kind, payload))
        assert (outcome.result, outcome.code) == (Result.REFUSED, "http_404"), name


@pytest.mark.parametrize("kind", ["create_fulfilment", "update_price", "create_warehouse_order"])
def test_the_engine_finds_a_lost_answer_by_reading(
    sandbox: Sandbox, kind: str, tmp_path: Path
) -> None:
    """The system applies and never answers; the engine reads and does not send again."""
    target, wanted = sandbox.correction(kind)
    name = target.system.name
    sandbox.misbehave(name, "timeout_after_effect")
    clock = SystemClock()
    store = OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}", clock)
    for system in sandbox.systems:
        store.set_gates("build", {system: (True, "")})
    proposal = {
        "rule_id": "X",
        "object_id": "object",
        "target_system": name,
        "kind": kind,
        "payload": dict(wanted.payload),
        "frontier_at": clock.now(),
    }
    assert enqueue(store, [proposal], Policy(), clock).new == 1
    rng = random.Random(1)

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=1)

    first = deliver_due(store, sandbox.targets, sandbox.sources, Policy(), clock, rng)
    assert (first.sent, first.unknown) == (1, 1)
    second = deliver_due(store, sandbox.targets, sandbox.sources, Policy(), Later(), rng)
    assert (second.sent, second.accepted) == (0, 1)
    assert len(sandbox.effects(store.list()[0].idempotency_key)) == 1
    store.close()


def test_preconditions_are_read_in_both_systems(sandbox: Sandbox, tmp_path: Path) -> None:
    """Shipped in the WMS, absent in the ERP: as the warehouse's SQL writes them."""
    fault = sandbox.fault("H2")
    payload = fault["expected_correction"]["payload"]
    document = payload["document"]
    clock = SystemClock()
    store = OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}", clock)
    for system in sandbox.systems:
        store.set_gates("build", {system: (True, "")})
    proposal = {
        "rule_id": "S01",
        "object_id": fault["expected"][0]["object"],
        "target_system": "erp",
        "kind": "create_fulfilment",
        "payload": payload,
        "preconditions": [
            {
                "system": "wms",
                "entity": "shipment_lines",
                "key": {"ship_nbr": document},
                "check": "equals",
                "field": "status",
                "value": "SHIPPED",
            },
            {
                "system": "erp",
                "entity": "fulfilment_lines",
                "key": {"ship_ref": document, "doc_no": payload["order_record"], "stat": "P"},
                "check": "absent",
            },
            {
                "system": "erp",
                "entity": "sales_order_lines",
                "key": {"doc_no": payload["order_record"], "pos": "10"},
                "check": "exists",
            },
        ],
        "frontier_at": clock.now(),
    }
    enqueue(store, [proposal], Policy(), clock)
    rng = random.Random(1)
    report = deliver_due(store, sandbox.targets, sandbox.sources, Policy(), clock, rng)
    assert (report.sent, report.accepted) == (1, 1), store.list()[0].state_reason
    (effect,) = sandbox.effects(store.list()[0].idempotency_key)
    assert effect["kind"] == "POST /api/fulfilments"
    store.close()


# ---- several in one request ----------------------------------------------------------------------


def adjustments(sandbox: Sandbox, count: int) -> list[CorrectionRequest]:
    """Adjustments of so many different balances."""
    wanted: dict[tuple[str, str], CorrectionRequest] = {}
    for _ in range(4 * count):
        _, found = sandbox.correction("adjust_stock")
        wanted[found.payload["target_item"], found.payload["target_location"]] = found
        if len(wanted) == count:
            break
    return list(wanted.values())


def test_a_batch_that_is_applied_in_part_tells_of_each_item(sandbox: Sandbox) -> None:
    erp = sandbox.targets["erp"]
    assert isinstance(erp, BatchTarget)
    first, second, third = adjustments(sandbox, 3)
    stale = {
        **second.payload,
        "expected_quantity": str(Decimal(second.payload["expected_quantity"]) + 1),
        "new_quantity": str(Decimal(second.payload["new_quantity"]) + 1),
    }
    second = request("adjust_stock", stale)
    wrong = request("adjust_stock", {**third.payload, "new_quantity": "1000000"})
    batch = [first, second, third, wrong]
    told = erp.apply_batch(batch)
    assert [told[r.idempotency_key].result for r in batch] == [
        Result.OK,
        Result.REFUSED,
        Result.OK,
        Result.REFUSED,
    ]
    assert told[second.idempotency_key].code == "version_conflict"
    assert told[wrong.idempotency_key].code == "inconsistent_payload"
    assert told[first.idempotency_key].target_record_id is not None
    # Sent once more under their keys they are answered as before.
    again = erp.apply_batch([first, third])
    assert {outcome.result for outcome in again.values()} == {Result.OK}
    assert [len(sandbox.effects(r.idempotency_key)) for r in batch] == [1, 0, 1, 0]
    assert erp.undo(first, None).result is Result.OK


def test_the_engine_sends_adjustments_together_and_reads_when_no_answer_comes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    clock = SystemClock()
    store = OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}", clock)
    for system in sandbox.systems:
        store.set_gates("build", {system: (True, "")})
    proposals = [
        {
            "rule_id": "I04",
            "object_id": f"position {number}",
            "target_system": "erp",
            "kind": "adjust_stock",
            "payload": dict(wanted.payload),
            "frontier_at": clock.now(),
        }
        for number, wanted in enumerate(adjustments(sandbox, 3))
    ]
    enqueue(store, proposals, Policy(), clock)
    sandbox.misbehave("erp", "timeout_after_effect")
    rng = random.Random(1)
    first = deliver_due(store, sandbox.targets, sandbox.sources, Policy(), clock, rng)
    assert (first.sent, first.unknown) == (3, 3)

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=1)

    second = deliver_due(store, sandbox.targets, sandbox.sources, Policy(), Later(), rng)
    assert (second.sent, second.accepted) == (0, 3)
    kinds = [sandbox.effects(c.idempotency_key)[0]["kind"] for c in store.list()]
    assert kinds == ["POST /api/stock_movements"] * 3
    store.close()


# ---- a person takes it back ----------------------------------------------------------------------

LEAVES_A_TRAIL = ("reverse_fulfilment", "void_invoice", "post_movement", "adjust_stock")
SYSTEM = """
[[systems]]
name = "{name}"
role = "{name}"
connector = "demo_{name}"
base_url = "{url}"
time_zone = "{zone}"
write_mode = "on"
requests_per_second = 1000
[systems.secrets]
{secrets}
"""


@pytest.fixture
def home(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose systems are the running ones."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "systems.toml").write_text(
        "".join(
            SYSTEM.format(
                name=name,
                url=system.base_url,
                zone=system.time_zone,
                secrets="\n".join(f'{role} = "{name}"' for role, name in system.secrets.items()),
            )
            for name, system in sandbox.systems.items()
        ),
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize("kind", sorted(FAULT_OF_KIND))
def test_the_command_takes_back_what_was_applied(sandbox: Sandbox, home: Path, kind: str) -> None:
    """``tallyman corrections revert``, for each kind, over HTTP; judged by the sandbox's ledger."""
    target, wanted = sandbox.correction(kind)
    if kind == "void_invoice":
        # Two bill the same; voided both, so that the one that was right can be issued again.
        assert target.apply(wanted).result is Result.OK
        (wrong,) = sandbox.erp("invoices", inv_no=wanted.payload["invoice_record"])
        (right,) = [
            invoice
            for invoice in sandbox.erp("invoices", ship_ref=wrong["ship_ref"])
            if invoice["stat"] == "P"
        ]
        wanted = request(kind, {"invoice_record": right["inv_no"]})
    clock, policy = SystemClock(), Policy(approval_kinds=())
    store = OperationsStore(load_settings(home).operations_url, clock)
    for system in sandbox.systems:
        store.set_gates("build", {system: (True, "")})
    proposal = {
        "rule_id": "X",
        "object_id": f"taken back: {kind}",
        "target_system": target.system.name,
        "kind": kind,
        "payload": dict(wanted.payload),
        "frontier_at": clock.now(),
    }
    enqueue(store, [proposal], policy, clock)
    rng = random.Random(1)
    report = deliver_due(store, sandbox.targets, sandbox.sources, policy, clock, rng)
    assert report.accepted == 1, store.list()[0].state_reason
    applied = store.list()[0]
    arguments = ["corrections", "revert", applied.correction_key, "--home", str(home)]
    said = CliRunner().invoke(app, [*arguments, "--as", "maria", "-m", "our mistake"])
    assert said.exit_code == 0, said.output
    assert "the target answered ok" in " ".join(said.output.split())
    detail = store.get(applied.correction_key)
    assert (detail.correction.state, detail.attempts[-1].phase) == ("reverted", "undo")
    assert detail.correction.state_reason == "undone by maria: our mistake"
    assert len(sandbox.effects(applied.idempotency_key)) == 1
    assert len(sandbox.effects(f"{applied.idempotency_key}-undo")) == 1
    # What cancels out leaves both documents: there the balance is what counts, see above.
    if kind not in LEAVES_A_TRAIL:
        assert target.read(applied.request()).precondition_met
    assert store.verify_audit().problem is None
    store.close()
