"""From a source to the landing views: completeness, cursors, quarantine, failures kept apart."""

from __future__ import annotations

import shutil
from datetime import timedelta

import duckdb
import pytest
from fakes import (
    START,
    FakeClock,
    FakeSource,
    give_case_packs_fractions,
    make_registry,
    wms_documents,
    wms_item,
    wms_position,
    wms_system,
)

from connectors.base import SourceError
from ingestion import spool
from ingestion.extract import StartingPoint, extract_system
from ingestion.landing import known_records, last_cursors, refresh_views
from ingestion.load import land, load_system
from ingestion.warehouse import DamagedWarehouseError, warehouse
from registry.contracts import SYSTEM_COLUMNS, load_contracts
from registry.systems import System


def landed(extracted, settings):
    with warehouse(settings) as connection:
        return land(extracted, settings, connection)


def test_everything_lands_typed_with_its_log(settings, wms, clock, query):
    report = load_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)

    assert (report.complete, report.records, report.quarantined) == (True, 8, 0)
    assert query("select sku, on_hand, typeof(on_hand) from landing.demo_wms__inventory") == [
        ("A0001", 5, "DECIMAL(18,6)"),
        ("A0002", 10, "DECIMAL(18,6)"),
        ("A0003", 15, "DECIMAL(18,6)"),
    ]
    logged = query(
        "select entity, run_id, complete, records, cursor_to, ended_at > started_at "
        "from landing.extractions order by entity"
    )
    assert logged == [
        ("inventory", "run-1", True, 3, "3", True),
        ("items", "run-1", True, 5, "5", True),
    ]


def test_raw_keeps_names_types_and_the_sources_text(settings, wms, clock, query):
    load_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)
    stored = dict(query("select column_name, column_type from (describe raw_wms.items)"))
    contract = next(c for c in load_contracts() if c.name == "demo_wms__items")
    expected = {column.name: column.duckdb_type for column in contract.columns} | SYSTEM_COLUMNS
    expected = {
        name: "TIMESTAMP WITH TIME ZONE" if kind == "TIMESTAMPTZ" else kind
        for name, kind in expected.items()
    }
    assert stored == expected
    [(raw,)] = query("select _raw from raw_wms.items where sku = 'A0001'")
    assert raw.startswith('{"Sku":"A0001","Gtin":"00000000000001"')


def test_naive_local_times_stay_naive(settings, tmp_path, clock):
    from registry.systems import System

    erp = System(name="erp", role="erp", connector="demo_erp", time_zone="America/New_York")
    stock = {"item_no": "10-0001", "whs": "E1", "qoh": "7.000", "as_of": "2026-11-01 01:30:00"}
    load_system(erp, FakeSource(erp, {"stock": [stock]}), settings, "run-1", clock)
    with warehouse(settings) as connection:
        refresh_views(connection, make_registry(tmp_path, erp))
        found = connection.execute(
            "select as_of::varchar, typeof(as_of), qoh from landing.demo_erp__stock"
        ).fetchall()
    assert [(str(a), b, str(c)) for a, b, c in found] == [
        ("2026-11-01 01:30:00", "TIMESTAMP", "7.000000")
    ]


def test_a_second_load_goes_on_at_the_cursor(settings, wms, clock, query):
    source = FakeSource(wms, wms_documents())
    load_system(wms, source, settings, "run-1", clock)
    source.documents["items"].append(wms_item(6))
    report = load_system(wms, source, settings, "run-2", clock)

    assert ("items", "5") in source.asked
    assert {entity.entity: entity.records for entity in report.entities} == {
        "items": 1,
        "inventory": 3,
    }
    assert query("select count(*) from landing.demo_wms__items") == [(6,)]


def test_a_cursor_that_stands_still_is_logged_once(settings, wms, clock, query):
    source = FakeSource(wms, wms_documents())
    for run in ("run-1", "run-2", "run-3"):
        load_system(wms, source, settings, run, clock)
    source.documents["items"].append(wms_item(6))
    load_system(wms, source, settings, "run-4", clock)
    load_system(wms, source, settings, "run-5", clock)
    logged = query(
        "select cursor_to from landing.extractions where entity = 'items' order by load_order"
    )
    assert [cursor for (cursor,) in logged] == ["5", "=", "=", "6", "="]
    with warehouse(settings) as connection:
        assert last_cursors(connection, "wms") == {"items": "6", "inventory": "3"}


def test_the_same_load_twice_adds_nothing_to_the_records(settings, wms, clock, query):
    documents = wms_documents()
    for run in ("run-1", "run-2"):
        source = FakeSource(wms, documents)
        landed(extract_system(wms, source, settings, run, clock, StartingPoint({})), settings)
    identities = "count(distinct (_record_id, _content_hash))"
    assert query(f"select count(*), {identities} from landing.demo_wms__items") == [(10, 5)]


def test_landing_the_same_extraction_twice_lands_it_once(settings, wms, clock, query):
    extracted = extract_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)
    first, second = landed(extracted, settings), landed(extracted, settings)
    assert (first.complete, second.complete) == (True, True)
    assert query("select count(*) from landing.demo_wms__items") == [(5,)]


@pytest.mark.parametrize("copy_is_there", [True, False])
def test_what_was_read_beyond_a_copy_that_took_the_warehouses_place_is_read_again(
    settings, wms, clock, query, copy_is_there
):
    """It landed: its cursor was that of a load which the copy did not hold, and what lay between
    was never read again."""
    source = FakeSource(wms, wms_documents())
    load_system(wms, source, settings, "run-1", clock)
    copy = settings.warehouse.read_bytes()
    source.documents["items"].append(wms_item(6))
    load_system(wms, source, settings, "run-2", clock)
    source.documents["items"].append(wms_item(7))
    extracted = extract_system(wms, source, settings, "run-3", clock)
    if copy_is_there:
        settings.warehouse.write_bytes(copy)
    else:
        settings.warehouse.unlink()

    report = landed(extracted, settings)

    assert not report.complete
    assert "an older copy has taken the place" in str(report.entities[0].error)
    assert list(spool.waiting(settings, "wms")) == []
    assert load_system(wms, source, settings, "run-4", clock).complete
    assert query("select count(distinct sku) from landing.demo_wms__items") == [(7,)]


def test_a_failed_entity_keeps_its_rows_and_its_old_cursor(settings, wms, clock, query):
    source = FakeSource(wms, wms_documents())
    load_system(wms, source, settings, "run-1", clock)
    source.documents["items"] += [wms_item(number) for number in range(6, 12)]
    source.failures["items"] = (9, SourceError("bad_page", "wms: the page is cut"))
    report = load_system(wms, source, settings, "run-2", clock)

    items, inventory = report.entities
    assert (items.complete, items.error_kind, items.records) == (False, "bad_page", 4)
    assert (inventory.complete, inventory.records) == (True, 3)
    assert query("select count(*) from landing.demo_wms__items") == [(9,)]
    logged = query(
        "select complete, cursor_to, error_kind, error_message "
        "from landing.extractions where entity = 'items' order by started_at"
    )
    assert logged[1] == (False, None, "bad_page", "wms: the page is cut")
    with warehouse(settings) as connection:
        assert last_cursors(connection, "wms") == {"items": "5", "inventory": "3"}

    source.failures.clear()
    assert load_system(wms, source, settings, "run-3", clock).complete
    assert query("select count(distinct sku) from landing.demo_wms__items") == [(11,)]


def test_a_clock_that_was_ahead_and_is_set_right_does_not_hold_the_cursor(settings, wms, query):
    """What was landed last says where to go on, not what claims to have begun last."""
    source = FakeSource(wms, wms_documents())
    load_system(wms, source, settings, "ahead", FakeClock(START + timedelta(days=1)))
    source.documents["items"].append(wms_item(6))
    load_system(wms, source, settings, "set right", FakeClock())
    with warehouse(settings) as connection:
        assert last_cursors(connection, "wms") == {"items": "6", "inventory": "3"}
    logged = query(
        "select run_id from landing.extractions where entity = 'items' order by load_order"
    )
    assert logged == [("ahead",), ("set right",)]


def test_a_log_without_the_order_of_landing_goes_on_after_its_last_row(settings, wms, clock, query):
    """A warehouse from before the order was noted: there the place in the log is the order."""
    source = FakeSource(wms, wms_documents())
    for run in ("run-1", "run-2"):
        load_system(wms, source, settings, run, clock)
    with warehouse(settings) as connection:
        connection.execute("update raw_wms.extractions set load_order = null")
    for run in ("run-3", "run-4"):
        load_system(wms, source, settings, run, clock)
    logged = query(
        "select run_id, load_order from landing.extractions where entity = 'items' "
        "order by load_order"
    )
    assert [run for run, _ in logged] == ["run-1", "run-2", "run-3", "run-4"]
    # Two rows an extraction had landed before; one number an extraction comes after them.
    assert [number for _, number in logged][2:] == [4, 5]


def test_an_unreachable_system_is_asked_once_and_logged_for_every_entity(
    settings, wms, clock, query
):
    down = SourceError("unreachable", "wms can't be reached")
    source = FakeSource(wms, wms_documents(), {"items": (0, down), "inventory": (0, down)})
    report = load_system(wms, source, settings, "run-1", clock)
    assert [entity.error_kind for entity in report.entities] == ["unreachable", "unreachable"]
    assert source.asked == [("items", None)]
    assert query("select complete, error_kind from landing.extractions") == [
        (False, "unreachable"),
        (False, "unreachable"),
    ]


def test_a_system_that_hangs_is_waited_for_twice(settings, wms, clock):
    silent = SourceError("timeout", "wms gave no answer in 30 s")
    documents = wms_documents() | {"order_lines": [], "shipment_lines": []}
    source = FakeSource(wms, documents, dict.fromkeys(documents, (0, silent)))
    report = load_system(wms, source, settings, "run-1", clock)
    assert [entity.error_kind for entity in report.entities] == ["timeout"] * 4
    assert source.asked == [(entity, None) for entity in list(documents)[:2]]


def test_a_fault_of_the_connector_is_kept_to_its_entity(settings, wms, clock):
    source = FakeSource(wms, wms_documents(), {"items": (2, KeyError("nextCursor"))})
    items, inventory = load_system(wms, source, settings, "run-1", clock).entities
    assert (items.complete, items.error_kind, inventory.complete) == (False, "internal", True)
    assert "nextCursor" in str(items.error)


def test_bad_rows_are_quarantined_whole_and_good_ones_land(settings, wms, clock, query):
    future = int((clock.now() + timedelta(days=1500)).timestamp() * 1000)
    documents = {
        "items": [
            wms_item(1),
            wms_item(2, CasePack="a dozen"),
            {name: value for name, value in wms_item(3).items() if name != "Gtin"},
            wms_item(4, UpdatedMs=future),
            wms_item(5, CasePack=0),
            "no document at all",
            wms_item(6),
        ]
    }
    report = load_system(wms, FakeSource(wms, documents), settings, "run-1", clock)

    assert (report.complete, report.records, report.quarantined) == (True, 2, 5)
    assert query(
        "select record_id, reference, reason_code, field from landing.quarantine order by raw"
    ) == [
        ("", None, "missing_record_id", "_record_id"),
        ("A0002", f"{2:014}", "wrong_type", "case_pack"),
        ("A0003", None, "missing_column", "gtin"),
        ("A0004", f"{4:014}", "future_time", "updated_ms"),
        ("A0005", f"{5:014}", "out_of_range", "case_pack"),
    ]
    [(reason, raw)] = query("select reason, raw from landing.quarantine where record_id = 'A0002'")
    assert reason == "case_pack: not a whole number: a dozen"
    assert '"CasePack":"a dozen"' in raw
    assert query("select quarantined from landing.extractions") == [(5,)]


def test_an_unknown_status_and_a_new_field_are_kept(settings, tmp_path, wms, clock, query):
    shipment = {
        "ShipNbr": "SHP-000001",
        "OrderNbr": "W300001",
        "HostOrder": "E500001",
        "Whse": "EAST",
        "Status": "TELEPORTED",
        "ShippedMs": int(clock.now().timestamp() * 1000),
        "TrackingNbr": None,
        "Carrier": "SWFT",
        "UpdatedMs": int(clock.now().timestamp() * 1000),
        "Version": 1,
        "Seq": 1,
        "Mood": "good",
        "Lines": [{"LineNbr": 1, "HostLine": 10, "Sku": "A0001", "Qty": 2, "Uom": "EA", "Lot": 7}],
    }
    source = FakeSource(wms, {"shipment_lines": [shipment]})
    [entity] = load_system(wms, source, settings, "run-1", clock).entities
    assert (entity.records, entity.quarantined) == (1, 0)
    assert entity.notices == ("unknown field Lines[].Lot", "unknown field Mood")
    [(status, raw)] = query("select status, _raw from landing.demo_wms__shipment_lines")
    assert status == "TELEPORTED"
    assert '"Mood":"good"' in raw and '"Lot":7' in raw
    assert query("select notices from landing.extractions") == [
        ("unknown field Lines[].Lot; unknown field Mood",)
    ]


@pytest.mark.parametrize(
    "times, told",
    [
        (["00:00"] * 3, ("time cut off in placed_at: each of 3 documents has midnight",)),
        (["00:00"] * 2, ()),
        (["00:00", "00:00", "08:15"], ("days without a time in placed_at",)),
        (["00:00", "08:15", "09:30"], ()),
    ],
    ids=["all cut off", "too few to tell", "some are days", "one may be chance"],
)
def test_days_without_a_time_are_noticed(settings, clock, times, told):
    oms = System(name="oms", role="oms", connector="demo_oms", time_zone="UTC")
    orders = [
        {
            "id": f"ord_{number}",
            "orderNumber": f"SO-{number}",
            "currency": "USD",
            "status": "PLACED",
            "placedAt": f"2026-11-1{number}T{time}:00.000Z",
            "updatedAt": "2026-11-20T08:00:01.000Z",
            "version": 1,
            "lines": [
                {"lineNo": line, "sku": "S", "qty": 1, "uom": "EA", "unitPrice": "1.00"}
                | {"status": "PLACED"}
                for line in (1, 2)
            ],
        }
        for number, time in enumerate(times)
    ]
    source = FakeSource(oms, {"order_lines": orders})
    [entity] = load_system(oms, source, settings, "run-1", clock).entities
    assert (entity.records, entity.notices) == (2 * len(orders), told)


def test_a_snapshot_may_be_taken_at_midnight(settings, clock):
    erp = System(name="erp", role="erp", connector="demo_erp", time_zone="America/New_York")
    balances = [
        {"item_no": item, "whs": "E01", "qoh": "5"} | {"as_of": "2026-11-10 00:00:00"}
        for item in ("F-1", "F-2", "F-3", "F-4")
    ]
    [entity] = load_system(
        erp, FakeSource(erp, {"stock": balances}), settings, "run-1", clock
    ).entities
    assert (entity.records, entity.notices) == (4, ())


def test_duplicates_and_out_of_order_records_are_all_kept_in_the_order_told(
    settings, wms, clock, query
):
    older = wms_item(1, Version=1, UpdatedMs=1_000_000)
    newer = wms_item(1, Version=2, UpdatedMs=2_000_000)
    load_system(wms, FakeSource(wms, {"items": [newer, older, newer]}), settings, "run-1", clock)
    found = query("select version, _sequence from landing.demo_wms__items order by _sequence")
    assert found == [(2, 0), (1, 1), (2, 2)]


def test_the_hash_tells_content_from_transport(settings, wms, clock, query):
    documents = {"items": [wms_item(1, Seq=1), wms_item(1, Seq=9), wms_item(1, CasePack=6)]}
    load_system(wms, FakeSource(wms, documents), settings, "run-1", clock)
    [(versions,)] = query("select count(distinct _content_hash) from landing.demo_wms__items")
    assert versions == 2


def test_two_instances_share_the_landing_views(settings, tmp_path, clock):
    east, west = wms_system("wms_east"), wms_system("wms_west")
    for system in (east, west):
        load_system(system, FakeSource(system, wms_documents()), settings, "run-1", clock)
    with warehouse(settings) as connection:
        refresh_views(connection, make_registry(tmp_path, east, west))
        found = connection.execute(
            "select _system, count(*) from landing.demo_wms__items group by all order by all"
        ).fetchall()
    assert found == [("wms_east", 5), ("wms_west", 5)]


def test_an_extraction_that_cannot_be_landed_is_set_aside_in_the_end(
    settings, wms, clock, query, monkeypatch
):
    def broken(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("ingestion.load._load", broken)
    extracted = extract_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)
    reports = [landed(extracted, settings) for _ in range(spool.LANDING_ATTEMPTS)]
    assert all(r.load_id is None and not r.complete for r in reports)
    assert "the next pass tries again" in str(reports[0].entities[0].error)
    assert "set aside" in str(reports[-1].entities[0].error)
    assert list(spool.waiting(settings, "wms")) == []

    monkeypatch.undo()
    assert load_system(wms, FakeSource(wms, wms_documents()), settings, "run-2", clock).complete
    assert query("select count(*) from landing.demo_wms__items") == [(5,)]


def _as_duckdb_says_it(words):
    try:
        raise duckdb.IOException(words)
    except duckdb.IOException as error:
        raise RuntimeError("the load failed") from error


def _as_a_job_of_dlt_says_it(words):
    raise RuntimeError(f"Job items.parquet failed terminally: {words}")


@pytest.mark.parametrize("said", [_as_duckdb_says_it, _as_a_job_of_dlt_says_it])
def test_a_damaged_warehouse_is_no_fault_of_the_extraction(
    settings, wms, clock, query, monkeypatch, said
):
    words = "Corrupt database file: computed checksum 1 does not match stored checksum 2 in block"
    monkeypatch.setattr("ingestion.load._load", lambda *_: said(words))
    extracted = extract_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)
    for _ in range(spool.LANDING_ATTEMPTS):
        with pytest.raises(DamagedWarehouseError):
            landed(extracted, settings)
    assert len(list(settings.home.glob("warehouse.duckdb.damaged-*"))) == spool.LANDING_ATTEMPTS
    monkeypatch.undo()
    assert landed(extracted, settings).complete
    assert query("select count(*) from landing.demo_wms__items") == [(5,)]


def test_a_contract_with_another_type_leaves_out_its_entity_alone(
    settings, wms, clock, query, tmp_path
):
    """dlt refuses the column: the whole system stood still, with a copy set aside in each pass."""

    def passed(number: int):
        source = FakeSource(wms, wms_documents(items=number, positions=number))
        return load_system(wms, source, settings, f"run-{number}", clock).entities

    assert all(entity.complete for entity in passed(3))
    give_case_packs_fractions(tmp_path)
    for number in (4, 5, 6, 7):
        inventory, items = sorted(passed(number), key=lambda entity: entity.entity)
        assert inventory.complete and inventory.records
        assert (items.complete, items.error_kind) == (False, "contract_type")
    assert "case_pack as DECIMAL(18,6), where raw_wms.items has BIGINT" in items.error
    assert not (settings.home / "spool-rejected").exists()
    assert query("select count(*), max(case_pack) from landing.demo_wms__items") == [(3, 12)]

    # As docs/operations.md has it.
    with warehouse(settings) as connection:
        connection.execute("alter table raw_wms.items alter case_pack type DECIMAL(18,6)")
    shutil.rmtree(settings.dlt_home / "tallyman_wms")
    assert all(entity.complete for entity in passed(8))
    assert query("select count(*), typeof(max(case_pack)) from landing.demo_wms__items") == [
        (8, "DECIMAL(18,6)")
    ]


def test_a_spool_in_the_making_is_left_alone(settings, wms):
    with spool.SpoolWriter(settings, "wms", "20261121T090000-aa", "run-1") as writer:
        assert list(spool.waiting(settings, "wms")) == []
        assert writer.folder.exists()
    assert not writer.folder.exists()


def test_views_are_typed_and_empty_before_anything_is_loaded(query):
    # One query of all: each makes all views anew.
    described = dict(
        query(
            "select table_name, list({'name': column_name, 'type': data_type} order by "
            "column_index) from duckdb_columns() where schema_name = 'landing' group by table_name"
        )
    )
    for contract in load_contracts():
        promised = {c.name: c.duckdb_type for c in contract.columns} | SYSTEM_COLUMNS
        assert [(column["name"], column["type"]) for column in described[contract.name]] == [
            (name, kind.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"))
            for name, kind in promised.items()
        ]
    rows = " union all ".join(
        f"from landing.{contract.name} select 1" for contract in load_contracts()
    )
    assert query(f"select count(*) from ({rows})") == [(0,)]
    assert query("select count(*) from landing.extractions") == [(0,)]
    assert query("select count(*) from landing.quarantine") == [(0,)]


def test_configuration_tables_say_what_is_configured(query):
    assert query("select system, role, connector, time_zone from config.systems") == [
        ("wms", "wms", "demo_wms", "America/New_York")
    ]
    feeds = query("select entity from config.feeds order by entity")
    assert feeds == [
        ("inventory",),
        ("items",),
        ("order_lines",),
        ("receipt_lines",),
        ("return_lines",),
        ("shipment_lines",),
        ("transactions",),
    ]
    [(kinds, digest)] = query("select approval_kinds, config_hash from config.policy")
    assert kinds == "reverse_fulfilment,void_invoice,cancel_order" and len(digest) == 16


@pytest.mark.parametrize("minutes, quarantined", [(4, 0), (6, 1)])
def test_the_future_begins_five_minutes_from_the_sources_now(
    minutes, quarantined, settings, wms, clock
):
    ahead = int((clock.now() + timedelta(minutes=minutes)).timestamp() * 1000)
    source = FakeSource(wms, {"inventory": [wms_position(1, AsOfMs=ahead)]})
    report = load_system(wms, source, settings, "run-1", clock)
    assert report.quarantined == quarantined


def test_many_loads_leave_no_growing_folders(settings, wms, clock):
    source = FakeSource(wms, wms_documents())
    counts = []
    for number in range(8):
        load_system(wms, source, settings, f"run-{number}", clock)
        counts.append(sum(1 for _ in settings.home.rglob("*")))
    assert counts[-1] == counts[-2]


def test_an_entity_may_be_called_like_something_in_our_code(settings):
    """``describe raw_wms.json`` finds the module as long as there is no table of that name."""
    with warehouse(settings) as connection:
        assert known_records(connection, "wms", "json") == set()
