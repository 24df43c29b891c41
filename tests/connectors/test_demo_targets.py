"""Every kind of correction over HTTP against the sandbox, judged by the sandbox's ledger."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import CorrectionRequest, Result, Source, Target
from connectors.factory import make_source, make_target
from registry.systems import Policy, System
from sandbox.server import SandboxHandle, running_sandbox
from sandbox.settings import Settings
from writeback.clock import SystemClock
from writeback.dispatch import deliver_due
from writeback.propose import enqueue
from writeback.store import OperationsStore

FAULT_OF_KIND = {
    "create_order": "O1",
    "cancel_order": "O2",
    "cancel_line": "O4",
    "update_price": "O5",
    "update_quantity": "O5Q",
    "create_warehouse_order": "T1",
    "create_fulfilment": "H2",
    "reverse_fulfilment": "H3",
    "adjust_fulfilment": "H5",
    "set_delivered": "H9",
    "create_invoice": "F1",
    "void_invoice": "F3",
    "post_movement": "I1",
    "adjust_stock": "I3",
    "set_pack": "M6",
}
# Undo makes these as they were; the others leave a trail of two documents that cancel out.
REVERSIBLE = {
    "create_order",
    "cancel_order",
    "cancel_line",
    "update_price",
    "update_quantity",
    "create_warehouse_order",
    "create_fulfilment",
    "adjust_fulfilment",
    "create_invoice",
    "set_delivered",
    "set_pack",
}


class Sandbox:
    """The pretend distributor with our targets and sources for it."""

    def __init__(self, handle: SandboxHandle) -> None:
        self.urls = handle.urls
        given = handle.credentials
        self.environment = {
            "OMS": given.oms_token,
            "ERP": given.erp_api_key,
            "USER": given.wms_user,
            "PASSWORD": given.wms_password,
        }
        self.systems = {
            "oms": self._system("oms", {"token": "OMS"}),
            "erp": self._system("erp", {"api_key": "ERP"}, time_zone="America/New_York"),
            "wms": self._system("wms", {"user": "USER", "password": "PASSWORD"}),
        }
        self.targets: dict[str, Target] = {
            name: target
            for name, system in self.systems.items()
            if (target := make_target(system, self.environment)) is not None
        }
        self.sources: dict[str, Source] = {
            name: make_source(system, self.environment) for name, system in self.systems.items()
        }
        self._admin = httpx.Client(base_url=handle.urls["admin"], trust_env=False, timeout=30)

    def _system(self, name: str, secrets: dict[str, str], **changes: Any) -> System:
        return System(
            name=name,
            role=name,  # type: ignore[arg-type]
            connector=f"demo_{name}",
            base_url=self.urls[name],
            write_mode="on",
            requests_per_second=1000,
            secrets=secrets,
            options={"timeout_seconds": 1.0},
            **changes,
        )

    def fault(self, kind: str) -> dict[str, Any]:
        """A fresh fault of a kind, already overdue."""
        answer = self._admin.post("/admin/inject", json={"kind": kind, "count": 1})
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()["faults"][0]
        return row

    def misbehave(self, system: str, mode: str, method: str | None = None) -> None:
        body = {"system": system, "mode": mode, "count": 1, "method": method}
        assert self._admin.post("/admin/misbehave", json=body).status_code == 200

    def effects(self, key: str) -> list[dict[str, Any]]:
        """What the ledger says was done under a key."""
        found: list[dict[str, Any]] = self._admin.get("/admin/ledger").json()["effects"]
        return [effect for effect in found if effect["idempotency_key"] == key]

    def erp(self, entity: str, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.targets["erp"].http.get_json(  # type: ignore[attr-defined]
            f"api/{entity}", filters
        )["data"]
        return found

    def correction(self, kind: str) -> tuple[Target, CorrectionRequest]:
        """A correction of a kind that a fresh fault of the sandbox calls for."""
        expected = self.fault(FAULT_OF_KIND[kind])["expected_correction"]
        assert expected["kind"] == kind
        payload = dict(expected["payload"])
        if kind == "adjust_stock":
            held = Decimal(self._stock(payload))
            payload["expected_quantity"] = str(held)
            payload["new_quantity"] = str(held + Decimal(payload["quantity_delta"]))
        return self.targets[expected["system"]], request(kind, payload)

    def _stock(self, payload: dict[str, Any]) -> str:
        (position,) = self.erp(
            "stock", item_no=payload["target_item"], whs=payload["target_location"]
        )
        return str(position["qoh"])


def request(kind: str, payload: dict[str, Any]) -> CorrectionRequest:
    return CorrectionRequest(
        kind=kind,
        object_id="object",
        payload=payload,
        expected={},
        idempotency_key=f"tly-{uuid.uuid4().hex}",
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    settings = Settings(orders=400, requests_per_second=5000, hang_seconds=3)
    with running_sandbox(home, 0, settings) as handle:
        yield Sandbox(handle)


@pytest.mark.parametrize("kind", sorted(FAULT_OF_KIND))
def test_a_kind_is_applied_exactly_once_read_back_and_undone(sandbox: Sandbox, kind: str) -> None:
    target, wanted = sandbox.correction(kind)
    assert kind in target.kinds
    before = target.read(wanted)
    assert (before.applied, before.precondition_met) == (False, True)

    outcome = target.apply(wanted)
    assert outcome.result is Result.OK, outcome
    assert outcome.target_record_id
    assert len(sandbox.effects(wanted.idempotency_key)) == 1
    after = target.read(wanted)
    assert after.applied and not after.precondition_met
    assert after.applied_by_key is not False

    # The same request again: replayed or refused, and never a second effect.
    again = target.apply(wanted)
    assert again.result in (Result.OK, Result.REFUSED), again
    assert len(sandbox.effects(wanted.idempotency_key)) == 1

    if kind not in REVERSIBLE:
        return
    undone = target.undo(wanted, outcome.target_record_id)
    assert undone.result is Result.OK, undone
    restored = target.read(wanted)
    assert (restored.applied, restored.precondition_met) == (False, True)
    assert target.undo(wanted, outcome.target_record_id).code == "already_undone"
    assert len(sandbox.effects(f"{wanted.idempotency_key}-undo")) == 1


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


@pytest.mark.parametrize(
    ("mode", "result", "code"),
    [
        ("status_429", Result.RETRY, "rate_limited"),
        ("status_503", Result.RETRY, "unavailable"),
        ("status_401", Result.REFUSED, "unauthorised"),
    ],
)
@pytest.mark.parametrize("name", ["oms", "erp", "wms"])
def test_answers_of_a_misbehaving_system(
    sandbox: Sandbox, name: str, mode: str, result: Result, code: str
) -> None:
    kind = {"oms": "set_delivered", "erp": "create_invoice", "wms": "set_pack"}[name]
    target, wanted = sandbox.correction(kind)
    method = "POST" if name == "erp" else "PATCH"
    sandbox.misbehave(name, mode, method)
    outcome = target.apply(wanted)
    assert (outcome.result, outcome.code) == (result, code)
    assert outcome.retry_after_seconds == (1.0 if mode == "status_429" else None)
    assert sandbox.effects(wanted.idempotency_key) == []
    assert target.apply(wanted).result is Result.OK


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
        store.set_gate("build", system, True)
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
            from datetime import timedelta

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
        store.set_gate("build", system, True)
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
