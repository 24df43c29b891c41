"""Writes over HTTP: each takes effect exactly once, is in the ledger once, and survives a kill."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_checker import Violations, local, read_books, violations
from sandbox_reader import Reader, Row

from sandbox.errors import SandboxError
from sandbox.server import SandboxHandle, running_sandbox
from sandbox.settings import Credentials, Settings


def fault(reader: Reader, kind: str) -> Row:
    return next(row for row in reader.truth() if row["fault_type"] == kind)


def expected(rows: Iterable[Row]) -> Violations:
    """The rules that must open because of some faults, each with its object."""
    return {(item["rule"], item["object"]) for row in rows for item in row["expected"]}


def payload(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = row["expected_correction"]["payload"]
    return found


def send(client: httpx.Client, method: str, path: str, body: Any, key: str) -> httpx.Response:
    """Send twice under one key: the second answer must be the first one, replayed."""
    first = client.request(method, path, json=body, headers={"Idempotency-Key": key})
    again = client.request(method, path, json=body, headers={"Idempotency-Key": key})
    assert first.status_code in (200, 201), first.text
    assert again.status_code == first.status_code
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = client.request(method, path, json=[body], headers={"Idempotency-Key": key})
    assert other.status_code == 422
    return first


def posted_lines(lines: list[Row]) -> list[Row]:
    return [{"pos": int(line["line_record"]), "qty": line["quantity"]} for line in lines]


def correct_everything(reader: Reader) -> int:
    """Send the expected correction of every fault; returns how many writes that took."""
    writes = 0
    for row in reader.truth():
        steps = []
        correction = row["expected_correction"]
        while correction is not None:
            steps.append(correction)
            correction = correction.get("followed_by")
        for number, step in enumerate(steps, start=1):
            writes += correct(reader, step, f"{row['fault_id']}-{number}-{step['kind']}")
    return writes


def correct(reader: Reader, step: Row, key: str) -> int:
    body = step["payload"]
    erp, oms, wms = reader.erp, reader.oms, reader.wms
    kind = step["kind"]
    if kind == "create_order":
        lines = [
            {
                "ext_line": line["line_no"],
                "item_no": line["target_item"],
                "ord_qty": line["quantity"],
                "um": "EA",
                "prc": line["unit_price"],
            }
            for line in body["lines"]
        ]
        new = {
            "ext_ref": body["order_number"],
            "cust_no": body["customer_ref"][1:],
            "cust_po": body["customer_po"],
            "curr": body["currency"],
            "lines": lines,
        }
        made = send(erp, "POST", "/api/sales_orders", new, key).json()
        assert (made["stat"], made["origin"], made["released"]) == (20, key, None)
    elif kind in ("cancel_order", "cancel_line", "update_quantity"):
        path = f"/api/sales_orders/{body['order_record']}"
        (order,) = reader.erp_all("sales_orders", doc_no=body["order_record"])
        change: Row = {"row_version": order["row_version"]}
        if kind == "update_quantity":
            change["ord_qty"] = body["quantity"]
            send(erp, "PATCH", f"{path}/lines/{body['line_record']}", change, key)
        else:
            if kind == "cancel_line":
                change["lines"] = [int(body["line_record"])]
            made = send(erp, "POST", f"{path}/cancel", change, key).json()
            assert made["row_version"] == order["row_version"] + 1
            assert local(made["modified"])[1] >= time.time() - 3
    elif kind in ("update_price", "set_delivered"):
        record = oms.get(f"/v1/orders/{body['order_record']}")
        lines = step.get("each_of_lines") or [body["line_record"]]
        for line in lines:
            etag = oms.get(f"/v1/orders/{body['order_record']}").headers["etag"]
            change = (
                {"unitPrice": body["unit_price"]}
                if kind == "update_price"
                else {"deliveredAt": body["delivered_at"]}
            )
            oms.headers["If-Match"] = etag
            path = f"/v1/orders/{body['order_record']}/lines/{line}"
            answer = send(oms, "PATCH", path, change, f"{key}-{line}")
            del oms.headers["If-Match"]
            assert answer.json()["updatedAt"] > record.json()["updatedAt"]
            assert answer.headers["etag"] != etag
        return len(lines)
    elif kind == "create_warehouse_order":
        lines = [
            {
                "HostLine": int(line["host_line"]),
                "Sku": line["target_item"],
                "OrdQty": int(line["quantity"]),
                "Uom": "EA",
            }
            for line in body["lines"]
        ]
        new = {"HostOrder": body["host_order"], "Whse": body["location"], "Lines": lines}
        made = send(wms, "POST", "/orders", new, key).json()
        assert (made["Status"], made["Origin"]) == ("NEW", key)
        refused = wms.post("/orders", json=new)
        assert refused.status_code == 409
        assert reader.wms_feed("orders")[-1] == made
    elif kind in ("create_fulfilment", "create_invoice"):
        new = {
            "doc_no": body["order_record"],
            "ship_ref": body["document"],
            "lines": posted_lines(body["lines"]),
        }
        if kind == "create_fulfilment":
            new["whs"] = body["target_location"]
            made = send(erp, "POST", "/api/fulfilments", new, key).json()
            moved = reader.erp_all("stock_movements", ref=body["document"])
            assert {row["mv_type"] for row in moved} == {"601"}
            assert len(moved) == len(body["lines"])
            assert erp.post("/api/fulfilments", json=new).status_code == 422
        else:
            made = send(erp, "POST", "/api/invoices", new, key).json()
            assert erp.post("/api/invoices", json=new).status_code == 422
        assert made["origin"] == key
    elif kind in ("reverse_fulfilment", "adjust_fulfilment"):
        number = body["fulfilment_record"]
        (document,) = reader.erp_all("fulfilments", ful_no=number)
        change = {"row_version": document["row_version"]}
        if kind == "reverse_fulfilment":
            send(erp, "POST", f"/api/fulfilments/{number}/reverse", change, key)
        else:
            change["lines"] = posted_lines(body["lines"])
            send(erp, "PATCH", f"/api/fulfilments/{number}", change, key)
        moved = reader.erp_all("stock_movements", ref=document["ship_ref"])
        assert [row["mv_type"] for row in moved].count("602") >= 1
    elif kind == "void_invoice":
        number = body["invoice_record"]
        (document,) = reader.erp_all("invoices", inv_no=number)
        change = {"row_version": document["row_version"], "reason": "a test"}
        made = send(erp, "POST", f"/api/invoices/{number}/void", change, key).json()
        assert made["stat"] == "V" and made["voided"] is not None
    elif kind == "post_movement":
        new = {
            "item_no": body["target_item"],
            "whs": body["target_location"],
            "mv_type": body["movement_type"],
            "qty": body["quantity"],
            "ref": body["document"],
            "reason": body.get("reason"),
        }
        assert send(erp, "POST", "/api/stock_movements", new, key).json()["origin"] == key
    elif kind == "adjust_stock":
        where = {"item_no": body["target_item"], "whs": body["target_location"]}
        (balance,) = reader.erp_all("stock", **where)
        new = {**where, "mv_type": "701", "ref": key, "qty": body["quantity_delta"]}
        new["expected_qoh"] = "1000000"
        assert erp.post("/api/stock_movements", json=new).status_code == 412
        new["expected_qoh"] = balance["qoh"]
        send(erp, "POST", "/api/stock_movements", new, key)
        (after,) = reader.erp_all("stock", **where)
        delta = Decimal(after["qoh"]) - Decimal(balance["qoh"])
        assert delta == Decimal(body["quantity_delta"])
    elif kind == "set_pack":
        sku = body["target_item"]
        version = wms.get(f"/items/{sku}").json()["Version"]
        change = {"Version": version, "CasePack": int(body["pack_quantity"])}
        send(wms, "PATCH", f"/items/{sku}", change, key)
        assert wms.patch(f"/items/{sku}", json=change).status_code == 409
        assert reader.wms_feed("items")[-1]["Sku"] == sku
    else:
        raise AssertionError(kind)
    return 1


def test_every_expected_correction_takes_effect_exactly_once(small: Reader) -> None:
    small.settle()
    truth = small.truth()
    writes = correct_everything(small)
    effects = small.effects()
    assert len(effects) == writes
    assert [row["seq"] for row in effects] == list(range(1, writes + 1))
    assert len({row["idempotency_key"] for row in effects}) == writes
    for row in effects:
        assert row["system"] in ("oms", "erp", "wms") and row["object"] and row["after"]
        assert row["kind"].split()[0] in ("POST", "PATCH")
    # What is corrected now is late, so those rules still speak of it; state-only rules do not. Nor
    # is a double movement undone by a third one, nor a drift without a movement by a movement.
    late = {"O02", "O05", "O06", "S01", "F01", "S05", "I11", "I11R"}
    never_undone = {"I12", "I01"}
    left = violations(read_books(small))
    corrected = expected(row for row in truth if row["expected_correction"])
    # What nothing corrects is as it was.
    assert left >= expected(truth) - corrected
    assert {rule for rule, _ in left & corrected} <= late | never_undone
    assert left <= expected(truth)


def test_a_cancelled_order_can_be_reopened_and_a_warehouse_order_cancelled(small: Reader) -> None:
    twin = payload(fault(small, "O2"))["order_record"]
    path = f"/api/sales_orders/{twin}"
    assert small.erp.post(f"{path}/cancel", json={"row_version": 1}).json()["stat"] == 90
    again = small.erp.post(f"{path}/cancel", json={"row_version": 2})
    assert again.status_code == 422
    new = {"doc_no": twin, "ship_ref": "SHP-1", "whs": "E1", "lines": [{"pos": 10, "qty": "1"}]}
    assert small.erp.post("/api/fulfilments", json=new).status_code == 422
    opened = small.erp.post(f"{path}/reopen", json={"row_version": 2}).json()
    assert (opened["stat"], opened["cancelled"]) == (20, None)
    order = next(row for row in small.wms_feed("orders") if row["Status"] == "NEW")
    latest = small.wms.get(f"/orders/{order['OrderNbr']}").json()
    if latest["Status"] == "NEW":
        cancel = f"/orders/{order['OrderNbr']}/cancel"
        assert small.wms.post(cancel, json={"Version": 99}).status_code == 409
        done = small.wms.post(cancel, json={"Version": latest["Version"]}).json()
        assert done["Status"] == "CANCELED"
        stale = small.wms.post(cancel, json={"Version": done["Version"]})
        assert stale.status_code == 422


def test_versions_guard_every_change(small: Reader) -> None:
    price = payload(fault(small, "O5"))
    path = f"/v1/orders/{price['order_record']}/lines/{price['line_record']}"
    change = {"unitPrice": "1.00"}
    assert small.oms.patch(path, json=change).status_code == 428
    stale = small.oms.patch(path, json=change, headers={"If-Match": '"v99"'})
    assert stale.status_code == 412
    assert stale.headers["content-type"] == "application/problem+json"
    invoice = payload(fault(small, "F2"))["invoice_record"]
    void = f"/api/invoices/{invoice}/void"
    assert small.erp.post(void, json={}).status_code == 428
    assert small.erp.post(void, json={"row_version": 9}).status_code == 412
    assert small.effects() == []


def test_a_stale_version_is_not_remembered_under_the_key(small: Reader) -> None:
    invoice = payload(fault(small, "F2"))["invoice_record"]
    headers = {"Idempotency-Key": "k1"}
    path = f"/api/invoices/{invoice}/void"
    assert small.erp.post(path, json={"row_version": 9}, headers=headers).status_code == 412
    assert small.erp.post(path, json={"row_version": 1}, headers=headers).status_code == 200
    assert len(small.effects()) == 1


def test_what_is_below_zero_takes_receipts_and_no_issue(small: Reader) -> None:
    below = next(row for row in small.erp_all("stock") if Decimal(row["qoh"]) < 0)
    movement = {"item_no": below["item_no"], "whs": below["whs"], "ref": "RMA-9"}
    headers = {"Idempotency-Key": "back"}
    back = movement | {"mv_type": "653", "qty": "1"}
    assert small.erp.post("/api/stock_movements", json=back, headers=headers).status_code == 201
    gone = movement | {"mv_type": "701", "qty": "-1"}
    assert small.erp.post("/api/stock_movements", json=gone).status_code == 422


def test_refusals(small: Reader) -> None:
    shipped = payload(fault(small, "H2"))
    new = {"ship_ref": shipped["document"], "lines": posted_lines(shipped["lines"]), "whs": "E1"}
    post = small.erp.post
    order = {"doc_no": shipped["order_record"]}
    assert post("/api/fulfilments", json=new | {"doc_no": "E1"}).status_code == 404
    assert post("/api/fulfilments", json=new | order | {"whs": "X9"}).status_code == 422
    much = [{"pos": 10, "qty": "9999"}]
    assert post("/api/fulfilments", json=new | order | {"lines": much}).status_code == 422
    unknown = [{"pos": 990, "qty": "1"}]
    assert post("/api/fulfilments", json=new | order | {"lines": unknown}).status_code == 422
    unbilled = {key: new[key] for key in ("ship_ref", "lines")}
    assert post("/api/invoices", json=unbilled | order).status_code == 422
    assert post("/api/invoices", json=unbilled | {"doc_no": "E1"}).status_code == 404
    movement = {"item_no": "10-0001", "whs": "E1", "mv_type": "701", "qty": "0", "ref": "ADJ-9"}
    assert post("/api/stock_movements", json=movement).status_code == 422
    assert post("/api/stock_movements", json=movement | {"mv_type": "999"}).status_code == 422
    assert post("/api/stock_movements", json=movement | {"colour": "red"}).status_code == 422
    wms_order = {"HostOrder": "E1", "Whse": "MOON", "Lines": []}
    assert small.wms.post("/orders", json=wms_order).status_code == 422
    delivered = next(row for row in small.oms_all("orders") if row["status"] == "DELIVERED")
    answer = small.oms.patch(
        f"/v1/orders/{delivered['id']}/lines/1",
        json={"qty": 3},
        headers={"If-Match": f'"v{delivered["version"]}"'},
    )
    assert answer.status_code == 422
    assert small.effects() == []


def test_a_write_that_is_never_answered_was_applied(small: Reader) -> None:
    invoice = payload(fault(small, "F2"))["invoice_record"]
    small.misbehave("erp", "timeout_after_effect")
    request = {
        "url": f"/api/invoices/{invoice}/void",
        "json": {"row_version": 1},
        "headers": {"Idempotency-Key": "k1"},
    }
    with pytest.raises(httpx.ReadTimeout):
        small.erp.post(**request, timeout=0.2)
    assert len(small.effects()) == 1
    again = small.erp.post(**request)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["stat"] == "V"
    small.misbehave("erp", "timeout_after_effect")
    new = {"item_no": "10-0001", "whs": "E1", "mv_type": "701", "qty": "1", "ref": "ADJ-9"}
    with pytest.raises(httpx.RemoteProtocolError):
        small.erp.post("/api/stock_movements", json=new, timeout=5)
    assert len(small.effects()) == 2


def start(home: Path) -> tuple[subprocess.Popen[bytes], Reader]:
    (home / "endpoints.json").unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox", "--home", str(home), "--base-port", "0"),
            *("--orders", "150", "--faults-per-kind", "1", "--decoys-per-kind", "1"),
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (home / "endpoints.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    urls = json.loads((home / "endpoints.json").read_text())
    handle = SandboxHandle(home, urls, Credentials())
    handle.wait_ready()
    return process, Reader(handle)


def test_a_killed_sandbox_comes_back_with_the_same_state(tmp_path: Path) -> None:
    process, reader = start(tmp_path)
    try:
        shipped = payload(fault(reader, "H2"))
        new = {
            "doc_no": shipped["order_record"],
            "ship_ref": shipped["document"],
            "whs": shipped["target_location"],
            "lines": posted_lines(shipped["lines"]),
        }
        headers = {"Idempotency-Key": "before-the-kill"}
        first = reader.erp.post("/api/fulfilments", json=new, headers=headers)
        reader.inject("H9")
        # The scheduled events are still to come, before the kill and after it.
        assert reader.admin.get("/admin/counts").json()["scheduled"] > 0
        before = read_books(reader)
        truth, effects = reader.truth(), reader.effects()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        reader.close()
    process, reader = start(tmp_path)
    try:
        after = read_books(reader)
        for books in (before, after):
            for row in books.stock:
                del row["as_of"]
            for row in books.inventory:
                del row["AsOfMs"]
        assert after == before
        assert (reader.truth(), reader.effects()) == (truth, effects)
        again = reader.erp.post("/api/fulfilments", json=new, headers=headers)
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        reader.inject("H9")
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0
        reader.close()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    settings = Settings(orders=10, faults_per_kind=0, decoys_per_kind=0)
    with running_sandbox(tmp_path / "one", settings=settings) as handle:
        port = int(handle.urls["admin"].rsplit(":", 1)[1])
        with (
            pytest.raises(SandboxError, match=f"port {port} for admin is taken"),
            running_sandbox(tmp_path / "two", base_port=port, settings=settings),
        ):
            pass


def test_a_state_folder_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    settings = Settings(orders=10, faults_per_kind=0, decoys_per_kind=0)
    with (
        running_sandbox(tmp_path, settings=settings),
        pytest.raises(SandboxError, match="is in use"),
        running_sandbox(tmp_path, settings=settings),
    ):
        pass


def test_clearing_what_was_never_set_changes_no_state(small: Reader) -> None:
    price = payload(fault(small, "O5"))
    path = f"/v1/orders/{price['order_record']}"
    before = small.oms.get(path)
    answer = small.oms.patch(
        f"{path}/lines/1", json={"deliveredAt": None}, headers={"If-Match": before.headers["etag"]}
    )
    assert answer.json()["lines"] == before.json()["lines"]
    assert answer.json()["version"] == before.json()["version"] + 1


def test_a_request_whose_sender_hangs_up_in_the_middle_was_none(small: Reader) -> None:
    """Found with a proxy that cuts requests: half of one took the key, and the whole one, sent
    again, was another request under it."""
    wanted = payload(fault(small, "M6"))
    path = f"/items/{wanted['target_item']}"
    version = small.wms.get(path).json()["Version"]
    change = {"Version": version, "CasePack": int(wanted["pack_quantity"])}
    sent = small.wms.build_request("PATCH", path, json=change, headers={"Idempotency-Key": "k"})
    sent = next(small.wms.auth.auth_flow(sent))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
    with socket.create_connection((sent.url.host, sent.url.port)) as half:
        half.sendall(f"PATCH {path} HTTP/1.1\r\n{head}\r\n".encode() + sent.content[:9])
    time.sleep(0.1)
    assert small.wms.send(sent).status_code == 200
    assert small.wms.get(path).json()["CasePack"] == change["CasePack"]
