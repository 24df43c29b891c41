"""Closed books: what would post into them waits until they open, or until a person decides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from engine_under_test import Engine
from rich.console import Console
from samples import invoice, quantity_change

from registry.errors import ConfigurationError
from registry.systems import ClosedPeriod, Policy, load_registry
from reporting.lists import print_correction
from writeback.approval import approve, retry
from writeback.kinds import KINDS
from writeback.periods import period_reason

# The engine of these tests lives on 2026-11-21, 09:00 UTC.
NOVEMBER = {"name": "2026-11", "first_day": date(2026, 11, 1), "last_day": date(2026, 11, 30)}
OCTOBER = {"name": "2026-10", "first_day": date(2026, 10, 1), "last_day": date(2026, 10, 31)}


def closed(**changes: Any) -> Policy:
    return Policy(closed_periods=(ClosedPeriod(**{**NOVEMBER, **changes}),))


def posted_on(day: str, number: int = 1) -> dict[str, Any]:
    row = invoice(number)
    return {**row, "payload": {**row["payload"], "posting_date": day}}


def test_it_waits_with_the_reason_and_goes_when_the_period_opens(engine: Engine) -> None:
    engine.policy = closed(status="closing")
    engine.propose(invoice())
    waiting = engine.only()
    assert (waiting.state, waiting.hold_codes) == ("awaiting_approval", ["period"])
    assert waiting.state_reason == (
        "it would be posted on 2026-11-21, in period 2026-11 of 'erp', which is closing: it waits "
        "until then, or for a person"
    )
    assert engine.deliver().sent == 0
    console = Console(record=True, width=200)
    print_correction(engine.store.get(waiting.correction_key), console)
    shown = console.export_text()
    assert "in period 2026-11 of 'erp'" in shown and "Waits for" in shown and "period" in shown
    # The row is taken out of the calendar: the next build releases it.
    engine.policy = Policy()
    engine.propose(invoice())
    assert (engine.only().state, engine.only().hold_codes) == ("ready", [])
    assert engine.deliver().accepted == 1


def test_a_known_opening_needs_no_change_of_the_calendar(engine: Engine) -> None:
    engine.policy = closed(opens_at=datetime(2026, 11, 21, 12, tzinfo=UTC))
    engine.propose(invoice())
    assert "(until 2026-11-21 12:00 UTC)" in engine.only().state_reason
    engine.clock.advance(3 * 3600)
    engine.propose(invoice())
    assert engine.deliver().accepted == 1


def test_a_person_may_post_into_a_closed_period(engine: Engine) -> None:
    engine.policy = closed()
    engine.propose(invoice())
    approve(engine.store, engine.only().correction_key, "maria", "the auditors know")
    engine.propose(invoice())
    assert engine.deliver().accepted == 1


def test_books_that_close_after_the_proposal_stop_it_before_it_is_sent(engine: Engine) -> None:
    engine.propose(invoice())
    engine.policy = closed()
    assert engine.deliver().held == 1
    assert engine.only().hold_codes == ["period"]
    assert engine.world.requests() == []
    engine.policy = Policy()
    engine.propose(invoice())
    assert engine.deliver().accepted == 1


@pytest.mark.parametrize("proposed_again", [True, False])
def test_who_approved_before_the_books_closed_did_not_agree_to_that(
    engine: Engine, proposed_again: bool
) -> None:
    engine.propose(invoice(needs_approval=True))
    approve(engine.store, engine.only().correction_key, "maria", "value is right")
    engine.policy = closed()
    if proposed_again:
        engine.propose(invoice(needs_approval=True))
    engine.deliver()
    assert engine.world.requests() == []
    assert engine.only().state == "awaiting_approval"
    assert "in period 2026-11" in engine.only().state_reason
    approve(engine.store, engine.only().correction_key, "maria", "into the closed one, yes")
    assert engine.deliver().accepted == 1


def test_what_is_tried_again_meets_the_calendar_too(engine: Engine) -> None:
    engine.world.inject("status_422")
    engine.propose(invoice())
    engine.deliver()
    engine.policy = closed()
    retry(engine.store, engine.only().correction_key, "maria", "")
    assert engine.deliver().held == 1


def test_only_what_posts_to_the_books_and_only_into_those_days_and_systems(engine: Engine) -> None:
    now = engine.clock.now()
    policy = Policy(closed_periods=(ClosedPeriod(**OCTOBER, systems=("erp",)),))

    def asked(kind: str, system: str = "erp", **payload: Any) -> str | None:
        return period_reason(policy, system, kind, payload, now)

    assert asked("create_invoice") is None
    assert asked("create_invoice", posting_date="2026-10-31") is not None
    assert asked("create_invoice", posting_date="2026-11-01") is None
    assert asked("create_invoice", "erp_eu", posting_date="2026-10-31") is None
    assert asked("update_quantity", posting_date="2026-10-31") is None
    assert sorted(name for name, kind in KINDS.items() if kind.is_financial) == [
        "adjust_fulfilment",
        "adjust_stock",
        "create_credit",
        "create_fulfilment",
        "create_invoice",
        "post_movement",
        "reverse_fulfilment",
        "void_invoice",
    ]


def test_the_day_begins_where_the_books_are(engine: Engine) -> None:
    """02:00 UTC on the first of November is still October in New York."""
    moment = datetime(2026, 11, 1, 2, tzinfo=UTC)
    for zone, stopped in (("America/New_York", True), ("UTC", False)):
        policy = Policy(closed_periods=(ClosedPeriod(**OCTOBER, time_zone=zone),))
        assert (period_reason(policy, "erp", "create_invoice", {}, moment) is not None) is stopped


def test_a_quantity_goes_on_while_the_books_are_closed(engine: Engine) -> None:
    engine.policy = closed()
    engine.propose(quantity_change(1), posted_on("2026-12-01", 2))
    assert engine.deliver().accepted == 2


def test_a_posting_date_that_is_none_is_an_error_of_the_models(engine: Engine) -> None:
    ((_, problem),) = engine.propose(posted_on("month end")).invalid
    assert problem == "the posting_date of create_invoice is not a date: 'month end'"


CALENDAR = """
[[policy.closed_periods]]
name = "2026-10"
first_day = 2026-10-01
last_day = 2026-10-31
systems = ["{system}"]
time_zone = "America/New_York"
opens_at = 2026-11-05T06:00:00Z

[[systems]]
name = "erp"
role = "erp"
connector = "demo_erp"
"""


def test_the_calendar_is_part_of_the_systems_file(tmp_path: Path) -> None:
    file = tmp_path / "systems.toml"
    file.write_text(CALENDAR.format(system="erp"), encoding="utf-8")
    (period,) = load_registry(file).policy.closed_periods
    assert (period.status, period.last_day) == ("closed", date(2026, 10, 31))
    file.write_text(CALENDAR.format(system="erpp"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="systems that it does not have: erpp"):
        load_registry(file)
    with pytest.raises(ValueError, match="ends before it begins"):
        ClosedPeriod(**{**NOVEMBER, "last_day": date(2026, 10, 1)})
    with pytest.raises(ValueError, match="not an IANA time zone"):
        ClosedPeriod(**NOVEMBER, time_zone="New York")
