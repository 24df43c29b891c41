"""Each row of rules.csv by its histories: broken, kept, late, in flight, closed again, not due."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from build import Warehouse, insert
from histories import BROKEN, CLOSED, IN_FLIGHT, KEPT, LATE_IN_TIME, NOT_DUE, Histories
from scenario import NOW, Scenario

ROLES = {
    "oms": "demo_oms",
    "erp": "demo_erp",
    "wms": "demo_wms",
    "carrier": "demo_carrier",
    "supplier": "x12",
    "channel": "x12",
}
READ_AT = [NOW - timedelta(hours=hours) for hours in (4, 3, 2, 1)]
"""When all feeds were read: what a balance showed then is judged at these moments."""

REPLACED = {
    "facts": "reconciliation.facts",
    "quarantine": "intermediate.int_open_quarantine",
}
"""Views of what is told, which the rows of the histories replace."""

FILLED = {
    "items": "core.dim_items",
    "versions": "core.attribute_versions",
    "movements": "core.inventory_movements",
    "troubles": "reconciliation.feed_troubles",
}
REBUILT = "position_balances balance_judgements obligations obligation_holds"


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, artefacts: Path
) -> tuple[Histories, dict[tuple[str, str, str | None], set[str]]]:
    """The histories, and the statuses of the exceptions by rule, object and signal."""
    scenario = Scenario({role: (role, connector, "UTC") for role, connector in ROLES.items()})
    for moment in READ_AT:
        scenario.read(moment)
    # A balance is judged at readings an hour apart, which no rule may want to wait longer for.
    scenario.graces |= {"P08": 30, "I02U": 30}
    warehouse = Warehouse(tmp_path_factory.mktemp("histories"), artefacts)
    scenario.write(warehouse.path)
    # By EDI alone a warehouse exchanges messages that are acknowledged; here it tells of them, too.
    warehouse.execute(
        "insert into seeds.canonical_feeds by name select 'demo_wms' as connector, 'wms' as role, "
        "unnest(['functional_groups', 'functional_acknowledgements']) as feed, "
        "'order_lines' as entity"
    )
    warehouse.build()
    histories = Histories.of(warehouse)
    _tell(warehouse, histories)
    warehouse.run(*REBUILT.split())
    statuses: dict[tuple[str, str, str | None], set[str]] = defaultdict(set)
    for rule, object_id, family, field, status in warehouse.rows(
        "select rule_id, object_id, family, field, status from reconciliation.exceptions "
        "where status <> 'none'"
    ):
        statuses[rule, object_id, field if family == "feed" else None].add(status)
    return histories, statuses


def test_every_rule_says_what_its_row_says(told: Any) -> None:
    histories, statuses = told
    wrong = [
        f"{case.rule['rule_id']} {case.name} {case.object_id}: "
        f"{sorted(found) or 'nothing'} and not {sorted(case.expected) or 'nothing'}"
        for case in histories.cases
        if (found := statuses[case.rule["rule_id"], case.object_id, case.signal]) != case.expected
    ]
    assert wrong == []


def test_every_rule_is_tried_in_every_case(told: Any) -> None:
    histories, _ = told
    tried = defaultdict(set)
    for case in histories.cases:
        tried[case.rule["rule_id"]].add(case.name)
    assert set(tried) == {rule["rule_id"] for rule in histories.rules}
    usual = {BROKEN, KEPT, LATE_IN_TIME, CLOSED, NOT_DUE}
    for rule in histories.rules:
        # Nothing is on its way to a rule about feeds, which is about the way, and no document
        # explains a balance that can't be.
        nothing_explains = rule["family"] == "feed" or rule["cover"] in ("at_least", "at_most")
        wanted = usual if nothing_explains else usual | {IN_FLIGHT}
        assert wanted <= tried[rule["rule_id"]], rule["rule_id"]


def _tell(warehouse: Warehouse, histories: Histories) -> None:
    """Put the rows of the histories where the models look for them."""
    rows = dict(histories.rows)
    for name, relation in REPLACED.items():
        warehouse.tell(relation, rows.pop(name))
    with warehouse.opened() as connection:
        connection.execute("create schema histories")
        snapshots = {
            (system, nth): connection.execute(
                "select extraction_id, watermark_at from staging.stg_log__extractions "
                "where system = ? and entity = (select min(entity) from "
                "staging.stg_log__extractions where system = ?) order by watermark_at "
                "limit 1 offset ?",
                (system, system, nth),
            ).fetchone()
            for system in ROLES
            for nth in range(len(READ_AT))
        }
        for row in rows["positions"]:
            extraction_id, taken = snapshots[row["system"], row.pop("snapshot")]
            row |= {"extraction_id": extraction_id}
            row |= dict.fromkeys(("as_of", "as_of_from", "as_of_to", "seen_at"), taken)
        insert(connection, "core.inventory_positions", rows.pop("positions"))
        for row in rows["links"]:
            order = row["order_line_id"].split("/")[0]
            row |= {"link_id": f"{row['object_key']} {order}", "order_id": order}
            row |= {"object_type": "package", "system": "wms", "raw_key": "raw"}
            row |= {"method": "told", "certainty": "certain"}
        insert(connection, "core.object_links", rows.pop("links"))
        for name, relation in FILLED.items():
            insert(connection, relation, rows.pop(name))
        assert not rows, f"rows that nothing reads: {sorted(rows)}"
        connection.execute(
            "create or replace table histories.entities as "
            "select distinct system, entity from reconciliation.feed_troubles"
        )
        connection.execute(
            "delete from reconciliation.frontiers; "
            "insert into reconciliation.frontiers by name "
            "select distinct rule_id, a_system, cast(null as varchar) as entity, "
            f"timestamptz '{NOW.isoformat()}' as frontier_at "
            "from reconciliation.rule_routes union all by name "
            "select rules.rule_id, troubles.system as a_system, troubles.entity, "
            f"timestamptz '{NOW.isoformat()}' as frontier_at "
            "from seeds.rules as rules cross join histories.entities as troubles "
            "where rules.family = 'feed'"
        )
