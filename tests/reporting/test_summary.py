"""The end of a run: counts that mean what they say, and a screen that fits."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console

from registry.errors import ConfigurationError
from reporting.summary import build_summary, exception_rows, print_exceptions, print_summary
from writeback.model import Correction

TRUTH = {
    "injected": 40,
    "detectable": 39,
    "found": 39,
    "missed": 0,
    "false": 0,
    "decoys": 44,
    "doubled": 0,
    "wrong": 0,
}


def correction(
    key: str, rule: str, object_id: str, state: str, accepted: bool, resolves: tuple[str, ...] = ()
) -> Correction:
    now = datetime(2026, 11, 2, 9, tzinfo=UTC)
    return SimpleNamespace(  # type: ignore[return-value]
        correction_key=key,
        rule_id=rule,
        object_id=object_id,
        obligation_ids=list(resolves),
        state=state,
        accepted_at=now if accepted else None,
        created_at=now,
    )


def screen(show, *arguments) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        show(*arguments, console)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 100
    return text


def test_systems_count_records_and_not_readings(told) -> None:
    systems = build_summary(told)["systems"]
    assert {name: system["records"] for name, system in systems.items()} == {
        "carrier": 1,
        "erp": 2,
        "oms": 0,
        "wms": 2,
    }
    assert systems["wms"]["quarantined"] == 1


def test_a_feed_is_incomplete_when_what_landed_last_is(told) -> None:
    """Our own clock was ahead when the first one was read."""
    told.execute(
        "create or replace view landing.extractions as "
        "select 'wms' as system, 'items' as entity, * from (values "
        "(1, timestamptz '2026-11-03 08:00:00Z', false), "
        "(2, timestamptz '2026-11-02 08:10:00Z', true)) as log (load_order, started_at, complete)"
    )
    assert build_summary(told)["systems"]["wms"]["incomplete_feeds"] == 0


def test_exceptions_are_counted_as_people_see_them(told) -> None:
    # A second episode of the same disagreement is no second exception.
    told.execute("insert into marts.exceptions select * from marts.exceptions where rule_id='S01'")
    exceptions = build_summary(told)["exceptions"]
    assert (exceptions["opened"], exceptions["open"], exceptions["pending"]) == (4, 2, 1)
    assert exceptions["by_rule"]["S01"] == {
        "title": "Shipped, not posted in the ERP",
        "opened": 2,
        "open": 0,
        "value_at_risk": {"USD": "125.00"},
    }
    assert "S05" not in exceptions["by_rule"], "pending is no alarm"


def test_currencies_are_never_added(told) -> None:
    told.execute(
        "update marts.exceptions set currency = 'EUR' "
        "where rule_id = 'S01' and object_id = 'SO-100123/2'"
    )
    assert build_summary(told)["exceptions"]["by_rule"]["S01"]["value_at_risk"] == {
        "EUR": "62.50",
        "USD": "62.50",
    }


def test_corrections_as_the_build_knows_them_with_its_own_proofs(told) -> None:
    assert build_summary(told)["corrections"] == {
        "proposed": 2,
        "accepted": 1,
        "verified": 1,
        "awaiting_approval": 1,
        "refused": 0,
        "dead": 0,
        "by_state": {"awaiting_approval": 1, "verified": 1},
    }


def test_the_outbox_itself_is_newer_than_the_build(told) -> None:
    outbox = [
        correction("a", "S01", "SO-100123/1", "verified", True),
        correction("b", "F01", "SO-100123/1", "accepted", True),
        correction("c", "O03", "E500200", "refused", False),
    ]
    summary = build_summary(told, outbox)
    assert summary["corrections"]["proposed"] == 3
    assert summary["corrections"]["accepted"] == 2
    assert summary["corrections"]["verified"] == 1
    assert summary["corrections"]["refused"] == 1
    assert [row["waits_for"] for row in summary["open_exceptions"]] == ["proof", "no correction"]


@pytest.mark.parametrize(
    ("state", "waits_for"),
    [
        ("awaiting_approval", "approval"),
        ("ready", "delivery"),
        ("accepted", "proof"),
        ("refused", "a decision"),
        ("dead", "a decision"),
    ],
)
def test_what_is_open_says_what_it_waits_for(told, state, waits_for) -> None:
    rows = build_summary(told, [correction("k", "F01", "SO-100123", state, False)])
    assert rows["open_exceptions"][0]["waits_for"] == waits_for
    assert rows["open_exceptions"][0]["correction"] == "k", "a whole order's correction counts"


def test_what_a_correction_resolves_it_says_itself(told) -> None:
    [(exception_id,)] = told.execute(
        "select exception_id from marts.exceptions where rule_id = 'F01' and status = 'open'"
    ).fetchall()
    invoice = correction("k", "F02", "IV16", "awaiting_approval", False, (exception_id,))
    rows = build_summary(told, [invoice])["open_exceptions"]
    assert [row["waits_for"] for row in rows if row["rule"] == "F01"] == ["approval"]


def test_a_symptom_waits_for_the_correction_of_its_cause(told) -> None:
    told.execute("update marts.exceptions set status = 'open' where rule_id = 'S01'")
    outbox = [correction("k", "S01", "SO-100123/1", "awaiting_approval", False)]
    rows = {
        (row["rule"], row["object"]): row["waits_for"]
        for row in build_summary(told, outbox)["open_exceptions"]
    }
    assert rows["F01", "SO-100123/1"] == "approval"
    assert rows["S01", "SO-100123/2"] == "a proposal"
    assert rows["S04", "SO-100923/1"] == "no correction"


def test_a_stock_that_differs_waits_for_what_moved_the_item(told) -> None:
    """Seen in a demo: a line that was shipped over and a count that was off, of one item."""
    told.execute(
        "insert into seeds.rules values ('I01', 'adjust_stock', 'S02');"
        "insert into marts.exceptions by name"
        " select 'stock' as exception_id, 'I01' as rule_id, 'A1@EAST' as object_id,"
        "     'position' as object_type, 'A1' as item_id, 'EAST' as location_id,"
        "     null as order_line_id, 'open' as status"
        " union all by name"
        " select 'line' as exception_id, 'S02' as rule_id, 'SO-7/1' as object_id,"
        "     'order_line' as object_type, 'A1' as item_id, null as location_id,"
        "     'SO-7/1' as order_line_id, 'open' as status"
    )
    outbox = [correction("k", "S02", "SO-7/1", "awaiting_approval", False)]
    rows = build_summary(told, outbox)["open_exceptions"]
    assert [row["waits_for"] for row in rows if row["rule"] == "I01"] == ["approval"]


def test_the_summary_fits_and_says_what_remains(told) -> None:
    summary = {**build_summary(told), "truth": TRUTH, "seconds": 51.2, "passes": [{}, {}, {}]}
    text = screen(print_summary, summary)
    for part in (
        "Order lines followed: 1,234",
        "125.00 USD",
        "no correction",
        "All found, nothing invented, nothing applied twice.",
        "51 s in 3 passes",
    ):
        assert part in text


def test_a_bad_score_does_not_look_good(told) -> None:
    text = screen(print_summary, {**build_summary(told), "truth": {**TRUTH, "missed": 1}})
    assert "Not as it should be." in text


def test_an_empty_build_is_a_summary_too(told) -> None:
    for table in ("marts.exceptions", "marts.order_lifecycle", "raw_tallyman.corrections"):
        told.execute(f"delete from {table}")
    summary = build_summary(told)
    assert summary["exceptions"] == {"opened": 0, "open": 0, "pending": 0, "by_rule": {}}
    assert "No system contradicts another." in screen(print_summary, summary)


def test_exceptions_are_listed_by_status_and_rule(told) -> None:
    rows, total = exception_rows(told)
    assert ([row["rule_id"] for row in rows], total) == (["F01", "S04"], 2)
    rows, total = exception_rows(told, status="all", rule="S01", limit=1)
    assert (len(rows), total) == (1, 2)
    assert "1 of 2 shown" in screen(print_exceptions, rows, total)
    with pytest.raises(ConfigurationError, match="there are: open, pending, closed, all"):
        exception_rows(told, status="opened")


def test_no_exceptions_is_good_news(told) -> None:
    assert "nothing disagrees" in screen(print_exceptions, [], 0)
