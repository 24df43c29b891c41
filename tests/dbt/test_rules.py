"""Every rule of the catalogue, broken and kept, over one warehouse; and what must not change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from build import Warehouse
from one_pass import DRIFTED_ITEM, EXPECTED_OPEN, broken_and_kept

JUDGED = """
    select rule_id, object_id, status, due_at, opened_at, closed_at, expected_value, observed_value
    from marts.exceptions
    order by all
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    built = Warehouse(tmp_path_factory.mktemp("rules"), artefacts)
    broken_and_kept().write(built.path)
    return built.build()


def test_broken_rules_open_and_nothing_else_does(warehouse: Warehouse) -> None:
    assert warehouse.exceptions("open") == EXPECTED_OPEN
    assert warehouse.exceptions("closed") == set()


def test_an_exception_opens_at_its_deadline(warehouse: Warehouse) -> None:
    rows = warehouse.rows("select due_at, opened_at from marts.exceptions where status = 'open'")
    assert rows and all(due == opened for due, opened in rows)


def test_what_is_not_known_yet_is_pending(warehouse: Warehouse) -> None:
    pending = warehouse.exceptions("pending")
    assert ("S01", "SO-300001/1") in pending, "shipped twenty minutes ago"
    assert ("O04", "SO-300008/1") in pending, "the price changed ten minutes ago"
    assert ("I11", "ADJ-000002") in pending, "adjusted twenty minutes ago"
    held = dict(
        warehouse.rows("select rule_id, held_reason from marts.exceptions where held_reason <> ''")
    )
    assert held == {
        "S03": "quarantined: future_time",
        "F02": "quarantined: future_time",
        "O09C": "unmapped code: ZZ",
    }


def test_an_installation_sets_its_own_grace(tmp_path: Path, artefacts: Path) -> None:
    built = Warehouse(tmp_path, artefacts)
    world = broken_and_kept()
    world.graces["S01"] = 10
    world.write(built.path)
    built.build()
    assert built.exceptions("open") == EXPECTED_OPEN | {("S01", "SO-300001/1")}
    graces = built.rows("select rule_id, grace_minutes from marts.rule_catalogue")
    assert dict(graces)["S01"] == 10 and dict(graces)["S03"] == 120


def test_a_rule_waits_for_every_feed_that_tells_what_ends_its_duties(warehouse: Warehouse) -> None:
    """A feed left out is a false alarm as soon as it is late."""
    ends = """
        select
            rule_id,
            string_split(evidence, '|') as feeds,
            unnest(
                list_concat(
                    list_transform(
                        string_split(b_milestone, '|'), lambda milestone: b_role || '.' || milestone
                    ),
                    string_split(discharged_by, '|')
                )
            ) as ending
        from seeds.rules
        where family = 'presence'
    """
    assert not warehouse.rows(f"""
        select distinct ends.rule_id, ends.ending, feeds.feed
        from ({ends}) as ends
        inner join core.order_events as events
            on starts_with(ends.ending || '.', events.role || '.' || events.milestone || '.')
        inner join intermediate.int_feed_entities as feeds
            on events.system = feeds.system and events.entity = feeds.entity
        where not list_contains(ends.feeds, feeds.role || '.' || feeds.feed)
    """)
    # What none of these orders has been through: at least something of whoever tells it.
    assert not warehouse.rows(f"""
        select rule_id, ending
        from ({ends}) as ends
        where not list_contains(
            list_transform(feeds, lambda feed: split_part(feed, '.', 1)), split_part(ending, '.', 1)
        )
    """)


def test_unmapped_codes_are_listed_and_their_events_kept(warehouse: Warehouse) -> None:
    assert warehouse.rows("select system, entity, source_value from marts.unmapped_codes") == [
        ("carrier", "tracking_events", "ZZ")
    ]
    assert warehouse.rows(
        "select count(*) from core.order_events "
        "where milestone = 'unmapped' and source_status = 'ZZ'"
    ) == [(1,)]


def test_the_order_of_arrival_changes_nothing(
    warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, artefacts: Path
) -> None:
    """The same observations, their rows landed in any order, a part of them twice."""
    again = Warehouse(tmp_path_factory.mktemp("shuffled"), artefacts)
    broken_and_kept().write(again.path)
    tables = again.rows(
        "select table_name from duckdb_tables() "
        "where schema_name = 'landing' and estimated_size > 0"
    )
    for (table,) in tables:
        again.execute(
            f"create table shuffled as select * from landing.{table} order by hash(rowid * 7919)",
            "insert into shuffled select * from shuffled using sample 30 percent (bernoulli, 7)",
            f"drop table landing.{table}",
            f"create table landing.{table} as select * from shuffled",
            "drop table shuffled",
        )
    assert again.build().rows(JUDGED) == warehouse.rows(JUDGED)


def test_a_proposal_for_every_exception_that_has_a_correction(warehouse: Warehouse) -> None:
    proposed = warehouse.rows(
        "select rule_id, kind, target_system from reconciliation.correction_proposals order by all"
    )
    assert proposed == [
        ("F01", "create_invoice", "erp"),
        ("F02", "void_invoice", "erp"),
        ("F03", "void_invoice", "erp"),
        ("I11", "post_movement", "erp"),
        ("I12", "post_movement", "erp"),
        ("M02", "set_pack", "wms"),
        ("O02", "create_order", "erp"),
        ("O03", "cancel_order", "erp"),
        ("O04", "update_price", "oms"),
        ("O04", "update_quantity", "erp"),
        ("O05", "cancel_line", "erp"),
        ("O06", "create_warehouse_order", "wms"),
        ("S01", "create_fulfilment", "erp"),
        ("S02", "adjust_fulfilment", "erp"),
        ("S03", "reverse_fulfilment", "erp"),
        ("S05", "set_delivered", "oms"),
    ], "I01 waits: movements of its position are open. F01 of the unfulfilled shipment waits too."


def test_payloads_name_the_targets_own_records(warehouse: Warehouse) -> None:
    payloads = {
        (rule, kind): json.loads(payload)
        for rule, kind, payload in warehouse.rows(
            "select rule_id, kind, payload from reconciliation.correction_proposals"
        )
    }
    fulfilment = payloads["S01", "create_fulfilment"]
    assert fulfilment["order_record"] == "E5200007"
    assert fulfilment["document"] == "SHP-200007"
    assert fulfilment["target_location"] == "E1"
    assert [(line["line_record"], str(line["quantity"])) for line in fulfilment["lines"]] == [
        ("10", "5")
    ]
    order = payloads["O02", "create_order"]
    assert [str(line["line_no"]) for line in order["lines"]] == ["1", "2"]
    assert {line["target_item"] for line in order["lines"]} == {"10-0001"}
    reversal = payloads["I12", "post_movement"]
    assert (reversal["document"], float(reversal["quantity"])) == ("RC-000002", -10)
    pack = payloads["M02", "set_pack"]
    assert (pack["target_item"], str(pack["pack_quantity"])) == ("A0002", "24")


def test_turning_the_authority_turns_winner_and_direction(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    turned = warehouse.changed(
        tmp_path,
        "update seeds.authority set authoritative_role = 'oms' "
        "where object_type = 'order_line' and field = 'unit_price'",
        "update seeds.authority set authoritative_role = 'erp' "
        "where object_type = 'order_line' and field = 'shipped'",
        "update seeds.authority set authoritative_role = 'wms' "
        "where object_type = 'item' and field = 'pack_quantity'",
    )
    price = turned.rows(
        "select expected_value, observed_value from marts.exceptions "
        "where rule_id = 'O04' and object_id = 'SO-200004/1'"
    )
    assert price == [("11.000000", "12.500000")], "the OMS's price is the right one now"
    targets = dict(
        turned.rows("select kind, target_system from reconciliation.correction_proposals")
    )
    assert targets["update_price"] == "erp"
    assert "create_fulfilment" not in targets, "nothing is sent towards the authority"
    assert ("S01", "SO-200007/1") in turned.exceptions("open"), "the disagreement is still there"
    assert "set_pack" not in targets, "the ERP takes no pack sizes: the steward sees the exception"
    assert ("M02", DRIFTED_ITEM) in turned.exceptions("open")


def test_what_is_at_risk_is_valued_by_what_is_wrong(warehouse: Warehouse) -> None:
    at_risk = {
        (rule, object_id): str(value)
        for rule, object_id, value in warehouse.rows(
            "select rule_id, object_id, value_at_risk from marts.exceptions "
            "where status = 'open' and family <> 'feed'"
        )
    }
    assert at_risk["S01", "SO-200007/1"] == "62.500000", "five at 12.50"
    assert at_risk["O04", "SO-200004/1"] == "7.500000", "1.50 too little, five times"
    assert at_risk["O04", "SO-200005/1"] == "25.000000", "two too many at 12.50"
    assert at_risk["F03", "I9900014"] == "62.500000", "the whole document"
    assert at_risk["S04", "TRK0200010"] == "62.500000", "what is in the package"
    assert at_risk.pop(("S04L", "TRK0200034")) == "None", "what is in it nobody knows"
    assert None not in at_risk.values() and "None" not in at_risk.values()
