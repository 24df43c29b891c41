"""Another grace tried on duties whose end is known."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest
from rich.console import Console

from registry.errors import ConfigurationError
from reporting.backtest import backtest, minutes_of, print_backtest, print_graces, since_of

# A duty is due 30 minutes after midnight UTC of its day; ``met`` counts minutes after midnight.
TABLES = """
create schema reconciliation;
create table reconciliation.rules_in_force as
select * from (values
    ('S01', 'Shipped but not fulfilled', 'presence', 30),
    ('D01', 'Feed is silent', 'feed', 30)
) as rules (rule_id, title, family, grace_minutes);
create table reconciliation.corrected_obligations as select 'corrected' as obligation_id;
create table reconciliation.exceptions as
with told as (
    select * from (values
        ('quick', 1, 10, null),
        ('slow', 1, 40, null),
        ('slower', 2, 90, null),
        ('corrected', 2, 500, null),
        ('open', 3, null, null),
        ('held', 3, null, 'quarantined')
    ) as duties (object_id, day, met, held_reason)
),
dated as (
    select
        *,
        timestamptz '2026-01-01 00:00:00+00' + to_days(day - 1) as begun_at
    from told
)
select
    object_id as obligation_id,
    'S01' as rule_id,
    object_id,
    held_reason,
    begun_at + to_minutes(30) as due_at,
    begun_at + to_minutes(met) as end_from,
    begun_at + to_minutes(met) as end_to,
    timestamptz '2026-01-03 01:00:00+00' as frontier_at,
    case
        when met <= 30 then 'none'
        when held_reason is not null then 'pending'
        when met is null then 'open'
        else 'closed'
    end as status
from dated;
"""


@pytest.fixture
def told():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(TABLES)
        yield connection


def test_a_longer_grace_spares_what_heals_and_delays_what_does_not(told) -> None:
    trial = backtest(told, "S01", 60)
    assert trial["duties"] == 6
    assert trial["now"] == {"raised": 4, "healed": 2, "corrected": 1, "open": 1}
    assert trial["then"] == {"raised": 3, "healed": 1, "corrected": 1, "open": 1}
    assert (trial["spared"], trial["added"], trial["unknown"]) == (["slow"], [], [])
    assert trial["minutes_later"] == 30


def test_what_needs_somebody_and_is_not_due_yet_is_named(told) -> None:
    trial = backtest(told, "S01", 120)
    assert trial["spared"] == ["slow", "slower"]
    assert trial["unknown"] == ["open"]


def test_a_shorter_grace_adds_alarms(told) -> None:
    trial = backtest(told, "S01", 5)
    assert trial["added"] == ["quick"]
    assert trial["minutes_later"] == -25


def test_only_duties_since_a_day_count(told) -> None:
    trial = backtest(told, "S01", 60, since_of("2026-01-02"))
    assert trial["duties"] == 4


def test_the_screen_names_what_differs(told) -> None:
    console = Console(width=80)
    with console.capture() as captured:
        print_backtest(backtest(told, "S01", 120), console)
    text = " ".join(captured.get().split())
    assert "2 would not be raised: healed by themselves before it: slow, slower" in text
    assert "1 need somebody and would not be known yet: open" in text
    assert "would be known 90m later" in text
    with console.capture() as captured:
        print_graces([], console)
    assert "nothing to learn" in captured.get()


def test_what_can_not_be_tried_is_told(told) -> None:
    with pytest.raises(ConfigurationError, match="no rule 'X'"):
        backtest(told, "X", 60)
    with pytest.raises(ConfigurationError, match="about a feed"):
        backtest(told, "D01", 60)
    with pytest.raises(ConfigurationError, match="grace=45m"):
        minutes_of("45")
    with pytest.raises(ConfigurationError, match="'soon' is no day"):
        since_of("soon")
    assert (minutes_of("grace=2h"), minutes_of("grace=3d")) == (120, 4320)
    assert since_of("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC)
