"""What the contracts promise, held against the newest extraction of each feed."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from expectations.contract_suites import contract_checks, feeds, newest_extractions
from expectations.gate import GateReport, run_gate
from registry.contracts import contract_of
from registry.systems import Registry, System

ITEM: dict[str, Any] = {
    "sku": "A0007",
    "gtin": "00012345678905",
    "description": "Bolt",
    "case_pack": 12,
    "weight_grams": 40,
    "version": 1,
    "updated_ms": 1772000000000,
    "seq": 1,
}
BALANCE: dict[str, Any] = {
    "sku": "A0007",
    "whse": "EAST",
    "on_hand": 5,
    "allocated": 0,
    "damaged": 0,
    "as_of_ms": 1772000000000,
}


def judge(connection: duckdb.DuckDBPyConnection, registry: Registry) -> GateReport:
    checks = list(contract_checks(registry, newest_extractions(connection)))
    return run_gate(connection, registry, "build-1", checks)


def test_empty_feeds_pass(connection, registry) -> None:
    report = judge(connection, registry)
    assert report.passed
    assert {suite.outcome for suite in report.suites} == {"passed"}
    assert "contract__wms__shipment_lines" in {suite.check_name for suite in report.suites}


def test_good_rows_pass(connection, registry, land) -> None:
    land("wms", "items", [ITEM, {**ITEM, "sku": "A0008", "gtin": "00012345678912"}])
    land("wms", "inventory", [BALANCE])
    report = judge(connection, registry)
    assert report.failures == ()
    assert report.passed


def test_a_missing_value_stops_its_system_only(connection, registry, land) -> None:
    land("wms", "items", [ITEM, {**ITEM, "sku": "A0008", "gtin": None}])
    report = judge(connection, registry)

    (failure,) = report.failures
    assert (failure.suite, failure.expectation) == ("contract__wms__items", "gtin_not_null")
    assert (failure.table, failure.column) == ("landing.demo_wms__items", "gtin")
    assert (failure.outcome, failure.severity) == ("failed", "blocking")
    assert (failure.observed_count, failure.sample_keys) == (1, ("A0008",))
    assert "quarantine" in failure.remedy
    assert report.systems["wms"].outcome == "failed"
    assert "A0008" in report.systems["wms"].reason
    assert report.systems["erp"].passed


def test_a_value_out_of_range_fails(connection, registry, land) -> None:
    land("wms", "items", [{**ITEM, "version": -1}])
    (failure,) = judge(connection, registry).failures
    assert failure.expectation == "version_in_range"
    assert failure.stops


def test_an_unknown_code_is_a_warning(connection, registry, land) -> None:
    moved = {
        "tran_id": 1,
        "sku": "A0007",
        "whse": "EAST",
        "tran_type": "ZZ",
        "qty": 1,
        "ref": "RC-000001",
        "tran_ms": 1772000000000,
        "seq": 1,
    }
    land("wms", "transactions", [moved])
    report = judge(connection, registry)
    (failure,) = report.failures
    assert (failure.expectation, failure.severity) == ("tran_type_known_code", "warning")
    assert report.passed, "a warning stops nothing"
    (suite,) = [suite for suite in report.suites if not suite.passed]
    assert not suite.blocking


def test_a_pattern_with_braces_is_a_warning(connection, registry, land) -> None:
    land("wms", "items", [{**ITEM, "gtin": "123"}])
    report = judge(connection, registry)
    assert [(f.expectation, f.sample_keys) for f in report.failures] == [
        ("gtin_matches", ("A0007",))
    ]
    assert report.passed


def test_a_value_shared_by_two_records_fails_but_a_new_version_does_not(
    connection, registry, land
) -> None:
    contract = contract_of("demo_wms", "items")
    unique = [column.name for column in contract.columns if column.unique]
    assert unique == ["sku"], "the record's own identity: nothing else to compare it with"

    land("wms", "items", [ITEM, {**ITEM, "version": 2}])
    assert judge(connection, registry).passed


def test_a_snapshot_that_tells_two_balances_fails(connection, registry, land) -> None:
    land("wms", "inventory", [BALANCE, {**BALANCE, "on_hand": 6}])
    (failure,) = judge(connection, registry).failures
    assert failure.expectation == "record_told_once"
    assert failure.sample_keys == ("A0007@EAST",)


def test_a_row_landed_twice_by_a_crash_is_harmless(connection, registry, land) -> None:
    land("wms", "inventory", [BALANCE])
    connection.execute("insert into raw_wms.inventory select * from raw_wms.inventory")
    assert judge(connection, registry).passed


def test_only_the_newest_extraction_is_judged(connection, registry, land) -> None:
    land("wms", "items", [{**ITEM, "gtin": None}], extraction="x1", day=1)
    assert not judge(connection, registry).passed
    land("wms", "items", [ITEM], extraction="x2", day=2)
    assert judge(connection, registry).passed


def test_the_newest_extraction_is_the_one_that_landed_last(connection, registry, land) -> None:
    """Our own clock may have been ahead for the one before it."""
    land("wms", "items", [ITEM], extraction="x1", day=20)
    land("wms", "items", [{**ITEM, "gtin": None}], extraction="x2", day=2)
    assert not judge(connection, registry).passed


def test_a_column_of_another_type_fails(connection, registry, land) -> None:
    land("wms", "items", [ITEM])
    connection.execute(
        "create or replace view landing.demo_wms__items as "
        "select * exclude (seq) replace (case_pack::varchar as case_pack) from raw_wms.items"
    )
    report = judge(connection, registry)
    (failure,) = [f for f in report.failures if f.expectation == "shape"]
    assert failure.sample_keys == ("case_pack", "seq")
    assert not report.systems["wms"].passed
    assert report.systems["erp"].passed


def test_a_missing_view_fails_closed(connection, registry) -> None:
    connection.execute("drop view landing.demo_wms__items")
    report = judge(connection, registry)
    assert report.systems["wms"].outcome == "crashed"
    assert report.systems["erp"].passed
    own = [f for f in report.failures if f.suite == "contract__wms__items"]
    assert {f.outcome for f in own} == {"crashed", "failed"}
    assert all(f.stops for f in own)
    assert "could not be checked" in report.systems["wms"].reason


def test_our_own_records_concern_every_system(connection, registry) -> None:
    connection.execute("drop view landing.tallyman__corrections")
    report = judge(connection, registry)
    assert not report.systems["wms"].passed
    assert not report.systems["erp"].passed


@pytest.mark.parametrize("entities", [("items",), ("items", "inventory")])
def test_only_the_entities_that_a_system_reads_are_judged(tmp_path, entities) -> None:
    registry = Registry(
        systems=(System(name="w2", role="wms", connector="demo_wms", entities=entities),),
        folder=tmp_path,
    )
    read = {contract.entity for system, contract in feeds(registry) if system == "w2"}
    assert read == set(entities)


def test_a_row_that_was_read_but_did_not_land_is_missed(connection, registry, land) -> None:
    land("wms", "items", [ITEM, {**ITEM, "sku": "A0008"}])
    connection.execute("delete from raw_wms.items where sku = 'A0008'")
    report = judge(connection, registry)
    (failure,) = report.failures
    assert (failure.expectation, failure.severity) == ("every_record_landed", "blocking")
    assert not report.systems["wms"].passed
