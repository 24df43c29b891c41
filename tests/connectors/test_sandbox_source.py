"""The four connectors and ingestion against the pretend distributor, over real HTTP.

What every connector keeps is in contract/.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import Record
from connectors.factory import known_connectors, make_source, make_target
from ingestion.landing import refresh_views
from ingestion.load import LoadReport, extract_system, land
from ingestion.warehouse import warehouse
from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT, Settings
from registry.systems import Registry, System, load_registry
from sandbox.server import running_sandbox
from sandbox.settings import Settings as World

ENVIRONMENT = {
    "TALLYMAN_DEMO_OMS_TOKEN": "pretend-oms-token",
    "TALLYMAN_DEMO_ERP_API_KEY": "pretend-erp-key",
    "TALLYMAN_DEMO_WMS_USER": "tallyman",
    "TALLYMAN_DEMO_WMS_PASSWORD": "pretend-wms-password",
    "TALLYMAN_DEMO_CARRIER_CLIENT_ID": "tallyman",
    "TALLYMAN_DEMO_CARRIER_CLIENT_SECRET": "pretend-carrier-secret",
}


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    world = World(orders=150, items=40, faults_per_kind=1, decoys_per_kind=1)
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), settings=world) as handle:
        yield handle.urls


@pytest.fixture
def registry(tmp_path: Path, urls: dict[str, str]) -> Registry:
    text = (PROJECT_ROOT / "examples" / "demo" / "systems.toml").read_text(encoding="utf-8")
    for name, url in urls.items():
        text = text.replace(f"{{{name}_url}}", url)
    path = tmp_path / "systems.toml"
    path.write_text(text, encoding="utf-8")
    return load_registry(path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home", tmp_path / "systems.toml", ENVIRONMENT)


@pytest.fixture
def misbehave(urls: dict[str, str]) -> Iterator[Any]:
    def order(system: str, mode: str, count: int = 1, **narrow: str) -> None:
        content = {"system": system, "mode": mode, "count": count, **narrow}
        answer = httpx.post(f"{urls['admin']}/admin/misbehave", json=content)
        assert answer.is_success, answer.text

    yield order
    for system in ("oms", "erp", "wms", "carrier"):
        order(system, "off")


def changed(registry: Registry, name: str, **changes: Any) -> Registry:
    systems = tuple(
        system.model_copy(update=changes) if system.name == name else system
        for system in registry.systems
    )
    return registry.model_copy(update={"systems": systems})


def load_all(
    registry: Registry, settings: Settings, environment: dict[str, str] = ENVIRONMENT
) -> dict[str, LoadReport]:
    """All systems, read side by side and landed one after another, as a pass does."""

    def read(system: System) -> Any:
        source = make_source(system, environment)
        return extract_system(system, source, settings, "run", SystemClock())

    with ThreadPoolExecutor(4) as pool:
        extracted = list(pool.map(read, registry.systems))
    with warehouse(settings) as connection:
        reports = {one.system: land(one, settings, connection) for one in extracted}
        refresh_views(connection, registry)
    return reports


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse(settings) as connection:
        return connection.execute(sql).fetchall()


def test_everything_that_the_systems_hold_lands(registry, settings, urls):
    reports = load_all(registry, settings)
    assert {name: report.complete for name, report in reports.items()} == dict.fromkeys(
        ("oms", "erp", "wms", "carrier"), True
    )
    counts = httpx.get(f"{urls['admin']}/admin/counts").json()
    held = {
        "demo_oms__order_lines": ("order_id", counts["oms"]["orders"]["records"]),
        "demo_oms__products": ("sku", counts["oms"]["products"]["records"]),
        "demo_erp__sales_order_lines": ("doc_no", counts["erp"]["sales_orders"]["records"]),
        "demo_erp__fulfilment_lines": ("ful_no", counts["erp"]["fulfilments"]["records"]),
        "demo_erp__invoice_lines": ("inv_no", counts["erp"]["invoices"]["records"]),
        "demo_erp__stock_movements": ("mv_no", counts["erp"]["stock_movements"]["records"]),
        "demo_erp__stock": ("_record_id", counts["erp"]["stock"]["records"]),
        "demo_wms__order_lines": ("order_nbr", counts["wms"]["orders"]["records"]),
        "demo_wms__transactions": ("tran_id", counts["wms"]["transactions"]["records"]),
        "demo_wms__inventory": ("_record_id", counts["wms"]["inventory"]["records"]),
        "demo_carrier__tracking_events": ("event_id", counts["carrier"]["events"]["records"]),
    }
    for view, (key, number) in held.items():
        [(found,)] = rows(settings, f"select count(distinct {key}) from landing.{view}")
        assert (view, found) == (view, number)
    # The one kind of bad record that the history holds: a shipment dated 2031.
    assert {code for (code,) in rows(settings, "select reason_code from landing.quarantine")} <= {
        "future_time"
    }


def test_the_wrong_clock_is_measured(registry, settings):
    load_all(registry, settings)
    offsets = dict(
        rows(
            settings,
            "select system, arg_max(clock_offset_seconds, started_at) from landing.extractions "
            "group by system",
        )
    )
    assert offsets["wms"] == pytest.approx(150, abs=1)
    assert offsets["oms"] == offsets["erp"] == offsets["carrier"] == 0


def test_an_unreachable_system_and_wrong_credentials_stop_nobody_else(registry, settings):
    broken = changed(registry, "wms", base_url="http://127.0.0.1:9")
    environment = {**ENVIRONMENT, "TALLYMAN_DEMO_ERP_API_KEY": "wrong"}
    reports = load_all(broken, settings, environment)
    assert reports["oms"].complete and reports["carrier"].complete
    assert {e.error_kind for e in reports["wms"].entities} == {"unreachable"}
    assert {e.error_kind for e in reports["erp"].entities} == {"unauthorised"}
    assert "check that it runs and that base_url 'http://127.0.0.1:9'" in str(
        reports["wms"].entities[0].error
    )
    assert "TALLYMAN_DEMO_ERP_API_KEY" in str(reports["erp"].entities[0].error)
    logged = rows(
        settings, "select count(*) from landing.extractions where not complete group by system"
    )
    assert logged == [(6,), (5,)] or logged == [(5,), (6,)]


def test_a_cut_page_is_told_and_the_next_pass_heals(registry, settings, misbehave):
    misbehave("erp", "cut_page", entity="fulfilments")
    reports = load_all(registry, settings)
    failed = [e for e in reports["erp"].entities if not e.complete]
    assert [(e.entity, e.error_kind) for e in failed] == [("fulfilment_lines", "bad_page")]
    assert "cut" in str(failed[0].error) or "broke off" in str(failed[0].error)
    assert all(reports[name].complete for name in ("oms", "wms", "carrier"))
    assert load_all(registry, settings)["erp"].complete


@pytest.mark.parametrize(
    "mode, code", [("wrong_type", "wrong_type"), ("missing_column", "missing_column")]
)
def test_one_bad_record_is_quarantined_and_the_rest_lands(
    registry, settings, misbehave, mode, code
):
    misbehave("erp", mode, entity="stock_movements")
    erp = load_all(registry, settings)["erp"]
    assert erp.complete and erp.quarantined == 1
    assert rows(settings, "select reason_code from landing.quarantine where system = 'erp'") == [
        (code,)
    ]


def test_an_unknown_status_lands(registry, settings, misbehave):
    misbehave("wms", "unknown_status", entity="orders")
    load_all(registry, settings)
    assert rows(
        settings, "select count(*) > 0 from landing.demo_wms__order_lines where status = 'MYSTERY'"
    ) == [(True,)]
    assert rows(settings, "select * from landing.quarantine where entity = 'order_lines'") == []


def test_point_reads_answer_every_key_that_corrections_need(registry, settings):
    load_all(registry, settings)
    sources = {system.name: make_source(system, ENVIRONMENT) for system in registry.systems}
    keys = {
        ("oms", "order_lines"): [("order_number",), ("order_id",)],
        ("oms", "products"): [("sku",)],
        ("erp", "sales_order_lines"): [("doc_no",), ("ext_ref",)],
        ("erp", "fulfilment_lines"): [("ship_ref",), ("ful_no",)],
        ("erp", "invoice_lines"): [("ship_ref",), ("inv_no",)],
        ("erp", "stock_movements"): [("ref",)],
        ("erp", "stock"): [("item_no", "whs")],
        ("erp", "items"): [("item_no",)],
        ("wms", "order_lines"): [("host_order",), ("order_nbr",)],
        ("wms", "shipment_lines"): [("ship_nbr",)],
        ("wms", "transactions"): [("ref",)],
        ("wms", "items"): [("sku",)],
        ("wms", "inventory"): [("sku", "whse")],
        ("carrier", "tracking_events"): [("tracking_number",)],
    }
    for (name, entity), columns in keys.items():
        connector = registry.system(name).connector
        for combination in columns:
            selected = ", ".join(combination)
            present = " and ".join(f"{column} is not null" for column in combination)
            found = rows(
                settings,
                f"select {selected}, _record_id from landing.{connector}__{entity} "
                f"where {present} limit 1",
            )
            *values, record_id = found[0]
            key = dict(zip(combination, map(str, values), strict=True))
            answered = sources[name].read_one(entity, key)
            assert record_id in {record.record_id for record in answered}, (name, entity, key)
            assert matching(answered, key) == answered
            absent = dict.fromkeys(key, "NOTHING-000000")
            assert sources[name].read_one(entity, absent) == [], (name, entity, absent)


def matching(records: list[Record], key: dict[str, str]) -> list[Record]:
    return [r for r in records if all(str(r.fields[name]) == v for name, v in key.items())]


def test_the_factory_names_what_there_is(registry):
    assert {"demo_oms", "demo_erp", "demo_wms", "demo_carrier", "tallyman"} <= set(
        known_connectors()
    )
    wrong = registry.systems[0].model_copy(update={"connector": "no_such"})
    with pytest.raises(ConfigurationError, match=r"there are: .*demo_oms"):
        make_source(wrong, ENVIRONMENT)
    carrier = registry.system("carrier")
    assert make_target(carrier, ENVIRONMENT) is None
