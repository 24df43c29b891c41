"""Of what lands changes only, what is held is judged, and not only what the newest reading told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from expectations.contract_suites import contract_checks, newest_extractions
from expectations.gate import GateReport, run_gate
from ingestion.landing import refresh_views
from registry.systems import Registry, System

VARIANT: dict[str, Any] = {
    "variant_id": "1",
    "sku": "A0007",
    "price": 5,
    "currency": "USD",
    "created_at": "2026-03-01 08:00:00+00",
    "updated_at": "2026-03-01 08:00:00+00",
}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    shop = System(name="shop", role="oms", connector="vendure")
    asked = System(name="ups", role="carrier", connector="carrier_tracking")
    return Registry(systems=(shop, asked), folder=tmp_path)


def judge(connection, registry) -> GateReport:
    checks = list(contract_checks(registry, newest_extractions(connection)))
    return run_gate(connection, registry, "build-1", checks)


def test_a_bad_record_that_stays_as_it_is_keeps_its_check_failing(
    connection, registry, land
) -> None:
    land("shop", "product_variants", [{**VARIANT, "sku": None}], extraction="x1")
    assert not judge(connection, registry).passed
    # Read again: nothing changed, nothing landed.
    land("shop", "product_variants", [], extraction="x2", day=2)
    (failure,) = judge(connection, registry).failures
    assert (failure.expectation, failure.sample_keys) == ("sku_not_null", ("1",))


def test_only_its_last_version_counts(connection, registry, land) -> None:
    # Our own clock was ahead then.
    land("shop", "product_variants", [{**VARIANT, "sku": None}], extraction="x1", day=2)
    land("shop", "product_variants", [VARIANT], extraction="x0", day=1)
    assert judge(connection, registry).failures == ()


def test_rows_of_the_newest_reading_that_did_not_land_are_missed(
    connection, registry, land
) -> None:
    land("shop", "product_variants", [VARIANT], extraction="x1")
    land("shop", "product_variants", [{**VARIANT, "price": 6}], extraction="x2", day=2)
    connection.execute("delete from raw_shop.product_variants where _extraction_id = 'x2'")
    (failure,) = judge(connection, registry).failures
    assert failure.expectation == "every_record_landed"


def test_what_a_reading_told_again_is_judged_whatever_its_contract_says(
    connection, registry, land
) -> None:
    """So it is with a carrier that is asked: it keeps no place, and only changes land."""
    event = {"event_id": "1", "tracking_number": None}
    land("ups", "tracking_events", [event], extraction="x1")
    land("ups", "tracking_events", [], extraction="x2", day=2)
    connection.execute("alter table raw_ups.extractions add column unchanged bigint")
    connection.execute("update raw_ups.extractions set unchanged = 1 where extraction_id = 'x2'")
    refresh_views(connection, registry)
    assert "tracking_number_not_null" in {
        f.expectation for f in judge(connection, registry).failures
    }
