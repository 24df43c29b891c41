"""An old and a new ERP side by side: what the parity report says of them, and whose word counts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from build import Warehouse
from rich.console import Console
from scenario import NOW, SYSTEMS, Scenario, ago, erp_local
from trade import Line, Order, balances, erp_movement, masters

from registry.errors import ConfigurationError
from reporting.parity import parity, print_parity

BOTH = ("erp_old", "erp_new")
NUMBERS = ("doc_no", "ful_no", "inv_no")
SINCE = ago(days=10)
FLIP = NOW + timedelta(days=1)


class SideBySide(Scenario):
    """Says what the ERP is told to both, or to those named in ``erps``; the new one has numbers of
    its own."""

    def __init__(self) -> None:
        erp = SYSTEMS["erp"]
        others = {name: system for name, system in SYSTEMS.items() if name != "erp"}
        super().__init__({**others, **dict.fromkeys(BOTH, erp)})
        self.erps: tuple[str, ...] = BOTH

    def say(self, system: str, entity: str, **fields: Any) -> None:
        for name in self.erps if system == "erp" else (system,):
            own = {
                field: f"N{fields[field]}"
                for field in NUMBERS
                if name == "erp_new" and fields.get(field)
            }
            super().say(name, entity, **{**fields, **own})

    def only(self, *erps: str) -> SideBySide:
        self.erps = erps
        return self


def stock_in_the_west(world: Scenario, pieces: int, at: datetime) -> None:
    """Of another page than that of the east, and so of a later moment."""
    world.say("erp", "stock", item_no="10-0001", whs="W1", qoh=pieces, as_of=erp_local(at))


def told() -> SideBySide:
    world = SideBySide()
    masters(world)
    Order(world, 1, ago(days=5), [Line(1), Line(2)]).healthy()
    unbilled = Order(world, 2, ago(days=4)).oms().released().warehouse().shipped().fulfilled()
    world.only("erp_old")
    unbilled.invoiced()
    # Another price, another quantity, another day.
    world.only(*BOTH)
    Order(world, 3, ago(days=4)).oms()
    world.only("erp_old")
    Order(world, 3, ago(days=4)).released()
    Order(world, 4, ago(days=4)).oms().released()
    Order(world, 5, ago(days=4)).erp()
    world.only("erp_new")
    Order(world, 3, ago(days=4), [Line(1, price="12.000000")]).released()
    Order(world, 4, ago(days=4), [Line(1, 3)]).released()
    Order(world, 5, ago(days=2)).erp()
    Order(world, 6, ago(days=3)).erp()
    # About the first moment of the period, and too young for the other one to have followed.
    world.only("erp_old")
    Order(world, 7, SINCE - timedelta(minutes=25)).erp(after=0)
    Order(world, 8, ago(minutes=20)).erp()
    world.only("erp_new")
    Order(world, 7, SINCE).erp(after=5)
    # What lies before the period is none of its business.
    Order(world, 9, ago(days=20)).erp()
    world.only(*BOTH)
    erp_movement(world, 1, "101", 10, "RC-1", ago(days=3))
    world.only("erp_new")
    erp_movement(world, 2, "701", -2, "ADJ-2", ago(days=3))
    world.only(*BOTH)
    world.quarantine("erp_new", "sales_order_lines", "N5|10", "SO-55")
    world.read(NOW)
    world.only("erp_old")
    balances(world, erp=100, wms=100, at=NOW + timedelta(seconds=30))
    stock_in_the_west(world, 40, NOW + timedelta(seconds=33))
    world.only("erp_new")
    balances(world, erp=98, wms=100, at=NOW + timedelta(seconds=30))
    stock_in_the_west(world, 41, NOW + timedelta(seconds=34))
    world.read(NOW + timedelta(seconds=60))
    return world


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    built = Warehouse(tmp_path_factory.mktemp("cutover"), artefacts)
    told().write(built.path)
    # The whole cutover, as rows: until then the old one plays the ERP, from then on the new one.
    for system, begins, ends in (
        ("erp_old", "null", f"'{FLIP}'"),
        ("erp_new", f"'{FLIP}'", "null"),
    ):
        built.execute(
            f"insert into seeds.routing values (null, '*', 'erp', '{system}', {begins}, {ends})"
        )
    return built.build()


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """What a test changes is taken back."""
    with duckdb.connect(str(warehouse.path)) as opened:
        opened.execute("set TimeZone = 'UTC'")
        opened.begin()
        yield opened
        opened.rollback()


def found(report: dict[str, Any]) -> dict[tuple[str, str, str], tuple[str, tuple[str, ...]]]:
    return {
        (row["kind"], row["milestone"], row["object_id"]): (row["verdict"], tuple(row["fields"]))
        for row in report["differences"]
    }


EXPECTED = {
    ("order_line", "invoiced", "SO-2/1"): ("only_old", ()),
    **{
        ("order_line", milestone, f"SO-{order}/1"): ("different", (field,))
        for order, field in ((3, "unit_price"), (4, "quantity"))
        for milestone in ("captured", "accepted", "released")
    },
    ("order_line", "captured", "SO-5/1"): ("different", ("occurred",)),
    ("order_line", "accepted", "SO-5/1"): ("different", ("occurred",)),
    ("order_line", "captured", "SO-6/1"): ("only_new", ()),
    ("order_line", "accepted", "SO-6/1"): ("only_new", ()),
    ("movement", "adjustment", "ADJ-2"): ("only_new", ()),
    **{
        ("position", "on_hand", f"00012345600012@{place}"): ("different", ("quantity",))
        for place in ("EAST", "WEST")
    },
}


def test_each_difference_is_found_with_its_fields_and_nothing_else(connection) -> None:
    report = parity(connection, *BOTH, SINCE)
    assert found(report) == EXPECTED
    # The two lines of the first order, and what the others tell alike.
    assert report["totals"]["equal"] > 10
    assert report["totals"]["pending"] == 2, "captured and accepted a quarter of an hour ago"
    assert report["refused"] == {"erp_new": 1}
    assert not report["has_parity"]
    assert report["verdict"].startswith("No parity: of ")
    assert "7 differ" not in report["verdict"] and "10 differ" in report["verdict"]
    assert "1 only in erp_old, 3 only in erp_new, 1 refused of erp_new" in report["verdict"]


def test_every_difference_leads_to_the_records_behind_it(connection) -> None:
    report = parity(connection, *BOTH, SINCE)
    raw = {key for (key,) in connection.execute("select raw_key from core.order_events").fetchall()}
    by_object = {(row["milestone"], row["object_id"]): row for row in report["differences"]}
    price = by_object["released", "SO-3/1"]
    assert (price["old"], price["new"]) == ({"unit_price": "12.5"}, {"unit_price": "12"})
    for side in ("old", "new"):
        (record,) = price[f"{side}_records"]
        assert record in raw and record.startswith(f"erp_{side}|")
    missing = by_object["invoiced", "SO-2/1"]
    assert missing["new"] is None and missing["new_records"] == []
    assert missing["old"]["quantity"] == "5"


def test_counts_by_milestone_and_month_add_up(connection) -> None:
    days, months = (parity(connection, *BOTH, SINCE, grain=grain) for grain in ("day", "month"))
    assert days["totals"] == months["totals"]
    invoiced = [row for row in months["summary"] if row["milestone"] == "invoiced"]
    assert [(row["period"], row["equal"], row["only_old"]) for row in invoiced] == [
        ("2026-11", 2, 1)
    ]


def test_the_other_way_round_is_the_mirror_of_it(connection) -> None:
    mirrored = {"only_old": "only_new", "only_new": "only_old"}
    there, back = (found(parity(connection, *pair, SINCE)) for pair in (BOTH, BOTH[::-1]))
    assert back == {
        key: (mirrored.get(verdict, verdict), fields) for key, (verdict, fields) in there.items()
    }


def test_parity_is_what_is_equal_in_full_and_known_in_full(connection) -> None:
    alike = ago(days=5) - timedelta(minutes=1), ago(days=4) - timedelta(minutes=1)
    refused = parity(connection, *BOTH, *alike)
    assert not refused["has_parity"] and not refused["differences"]
    connection.execute("delete from landing.quarantine")
    clean = parity(connection, *BOTH, *alike)
    assert clean["has_parity"] and clean["verdict"].startswith("Parity: "), clean["verdict"]
    assert clean["totals"]["equal"] >= 10
    connection.execute("update core.dim_items set pack_numerator = 24 where system = 'erp_new'")
    packs = parity(connection, *BOTH, *alike)
    assert found(packs) == {("item", "in_master", "00012345600012"): ("different", ("quantity",))}


def test_the_period_goes_no_further_than_both_have_told(connection) -> None:
    report = parity(connection, *BOTH, SINCE, NOW + timedelta(days=30))
    assert report["until"] == report["known_until"] < NOW + timedelta(minutes=2)


def test_a_moment_is_equal_within_the_tolerance_only(connection) -> None:
    strict = parity(connection, *BOTH, SINCE, tolerance=10)
    late = {
        ("order_line", name, "SO-7/1"): ("different", ("occurred",))
        for name in ("captured", "accepted")
    }
    # Ten minutes were enough for the other one to follow, too.
    young = {("order_line", name, "SO-8/1"): ("only_old", ()) for name in ("captured", "accepted")}
    assert found(strict) == EXPECTED | late | young


@pytest.mark.parametrize(
    ("systems", "since", "until", "message"),
    [
        (("erp_old", "erp_newest"), SINCE, None, "no system 'erp_newest'"),
        (("erp_old", "erp_old"), SINCE, None, "itself"),
        (("erp_old", "wms"), SINCE, None, "of the role erp and wms of wms"),
        (BOTH, NOW + timedelta(days=1), None, "told everything only until"),
        (BOTH, SINCE, SINCE, "before it begins"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(
    connection, systems: tuple[str, str], since: datetime, until: datetime | None, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parity(connection, *systems, since, until)


def test_the_report_reads_as_a_table_and_ends_with_the_verdict(connection) -> None:
    report = parity(connection, *BOTH, SINCE)
    console = Console(width=200, file=io.StringIO())
    print_parity(report, console, limit=3)
    text = console.file.getvalue()
    assert "only in erp_new" in text and "3 of 14 shown" in text
    assert text.strip().splitlines()[-1].startswith("No parity")


def test_until_the_flip_only_the_old_one_plays_the_erp(warehouse: Warehouse) -> None:
    def playing() -> list[tuple[str, list[str]]]:
        return warehouse.rows(
            "select a_system, list(distinct system order by system) "
            "from reconciliation.rule_routes where role = 'erp' "
            "and rule_id in ('O02', 'S01', 'S03') group by a_system order by a_system"
        )

    assert playing() == [("erp_old", ["erp_old"]), ("oms", ["erp_old"]), ("wms", ["erp_old"])]
    raised = warehouse.exceptions("open")
    assert not {"O02", "S01", "O03"} & {rule for rule, _ in raised}
    assert ("F01", "SO-2/1") not in raised, "the new one's missing invoice is for the parity report"
    warehouse.execute(
        f"update seeds.routing set valid_to = '{NOW}' where system = 'erp_old'",
        f"update seeds.routing set valid_from = '{NOW}' where system = 'erp_new'",
    )
    warehouse.run("rule_routes")
    assert playing() == [("erp_new", ["erp_new"]), ("oms", ["erp_new"]), ("wms", ["erp_new"])]
    feeds = warehouse.rows(
        "select distinct a_system from reconciliation.rule_routes where rule_id = 'D01' "
        "and a_system like 'erp%' order by all"
    )
    assert feeds == [("erp_new",), ("erp_old",)], "both go on being watched"
