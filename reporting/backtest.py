"""Another grace period tried on the past: what it would have raised, spared and found too late.

Every duty is kept with the moment of its end, also those that were met in time. So another grace
only moves due dates, and the same comparison that judges today judges the trial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from registry.errors import ConfigurationError
from reporting import terminal
from reporting.lists import Row, records
from reporting.moments import asked_moment

SAMPLES = 10
_UNITS = {"m": 1, "h": 60, "d": 1440}

# As reconciliation.exceptions judges, with another date; "by itself" is what no correction ended.
_TRIAL = """
with duties as (
    select
        judged.object_id,
        judged.due_at,
        judged.due_at - to_minutes(rules.grace_minutes) + to_minutes($grace) as other_due_at,
        judged.end_from,
        judged.end_to,
        judged.frontier_at,
        judged.held_reason,
        judged.status,
        corrected.obligation_id is not null as is_corrected
    from reconciliation.exceptions as judged
    inner join reconciliation.rules_in_force as rules
        on judged.rule_id = rules.rule_id
    left join reconciliation.corrected_obligations as corrected
        on judged.obligation_id = corrected.obligation_id
    where
        judged.rule_id = $rule
        and ($since::timestamptz is null
            or judged.due_at - to_minutes(rules.grace_minutes) >= $since::timestamptz)
),

tried as (
    select
        *,
        case
            when end_from <= other_due_at then 'none'
            when
                held_reason is not null
                or other_due_at is null
                or frontier_at is null
                or frontier_at < other_due_at
                then 'pending'
            when end_to is null then 'open'
            else 'closed'
        end as other_status,
        case
            when end_to is null then 'open'
            when is_corrected then 'corrected'
            else 'healed'
        end as outcome
    from duties
)

select
    object_id,
    due_at,
    other_due_at,
    end_to as ended_at,
    outcome,
    status in ('open', 'closed') as is_raised,
    other_status in ('open', 'closed') as would_be_raised
from tried
order by due_at, object_id
"""

_LAGS = """
select
    rule_id,
    title,
    system,
    counterpart_system,
    met_count,
    lag_p50_minutes,
    lag_p95_minutes,
    lag_p99_minutes,
    grace_minutes,
    proposed_grace_minutes,
    alarms_now,
    alarms_proposed
from reconciliation.grace_proposals
order by rule_id, system, counterpart_system
"""


def minutes_of(setting: str) -> int:
    """Minutes of ``grace=45m``, ``grace=2h`` or ``grace=3d``. Raises ConfigurationError."""
    match = re.fullmatch(r"grace=(\d+)([mhd])", setting.strip())
    if match is None:
        raise ConfigurationError(
            f"'{setting}' can't be tried: write it like grace=45m, grace=2h or grace=3d"
        )
    return int(match[1]) * _UNITS[match[2]]


def backtest(
    connection: duckdb.DuckDBPyConnection, rule: str, grace: int, since: datetime | None = None
) -> dict[str, Any]:
    """What a grace of so many minutes would have made of a rule's duties since a moment::

        rule, title, grace_minutes, other_grace_minutes, duties
        now, then: {raised, healed, corrected, open}
        spared: [objects]   raised now, healed by themselves before the other date
        added: [objects]    healed by themselves, raised only by the other grace
        unknown: [objects]  needed somebody, and would not be known yet
        minutes_later: int  for all that needs somebody (less than 0: earlier)

    Raises ConfigurationError for a rule that does not exist or keeps no duties that were met.
    """
    known = records(
        connection,
        "select title, family, grace_minutes from reconciliation.rules_in_force "
        "where rule_id = $rule",
        {"rule": rule},
    )
    if not known:
        raise ConfigurationError(f"no rule '{rule}'; `tallyman backtest` lists those with duties")
    if known[0]["family"] == "feed":
        raise ConfigurationError(
            f"{rule} is about a feed: what was put right within its grace is not kept, so that "
            "another one can't be tried"
        )
    rows = records(connection, _TRIAL, {"rule": rule, "grace": grace, "since": since})
    return {
        "rule": rule,
        "title": known[0]["title"],
        "grace_minutes": known[0]["grace_minutes"],
        "other_grace_minutes": grace,
        "duties": len(rows),
        "now": _outcomes(rows, "is_raised"),
        "then": _outcomes(rows, "would_be_raised"),
        "spared": _objects(rows, raised=True, then=False, healed=True),
        "added": _objects(rows, raised=False, then=True, healed=True),
        "unknown": _objects(rows, raised=True, then=False, healed=False),
        "minutes_later": grace - int(known[0]["grace_minutes"]),
    }


def _outcomes(rows: Sequence[Row], flag: str) -> dict[str, int]:
    raised = [row["outcome"] for row in rows if row[flag]]
    return {
        "raised": len(raised),
        **{name: raised.count(name) for name in ("healed", "corrected", "open")},
    }


def _objects(rows: Sequence[Row], raised: bool, then: bool, healed: bool) -> list[str]:
    return [
        str(row["object_id"])
        for row in rows
        if row["is_raised"] is raised
        and row["would_be_raised"] is then
        and (row["outcome"] == "healed") is healed
    ]


def print_backtest(trial: Mapping[str, Any], console: Console) -> None:
    """Both graces side by side, then what differs, by name."""
    view = terminal.table(title=f"{trial['rule']} {escape(str(trial['title']))}")
    view.add_column("Grace", no_wrap=True)
    for heading in ("Raised", "Healed by itself", "Corrected", "Still open"):
        view.add_column(heading, justify="right")
    for name, grace in (("now", "grace_minutes"), ("then", "other_grace_minutes")):
        counts = trial[name]
        view.add_row(
            f"{_span(trial[grace])} {'(now)' if name == 'now' else '(tried)'}",
            *(f"{counts[key]:,}" for key in ("raised", "healed", "corrected", "open")),
        )
    console.print(view)
    console.print(f"Of {trial['duties']:,} duties.")
    _say(console, trial["spared"], "would not be raised: healed by themselves before it")
    _say(console, trial["added"], "would be raised although they healed by themselves")
    _say(console, trial["unknown"], "need somebody and would not be known yet")
    later = trial["minutes_later"]
    if later:
        word = "later" if later > 0 else "earlier"
        console.print(f"What needs somebody would be known {_span(abs(later))} {word}.")


def _say(console: Console, objects: Sequence[str], what: str) -> None:
    if objects:
        shown = ", ".join(objects[:SAMPLES]) + (", …" if len(objects) > SAMPLES else "")
        console.print(f"{len(objects):,} {what}: {escape(shown)}")


def grace_rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Rows of ``reconciliation.grace_proposals``, by rule and pair of systems."""
    return records(connection, _LAGS)


def print_graces(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """One line a rule and pair of systems."""
    if not rows:
        console.print("No duties were met yet: nothing to learn a grace from.")
        return
    view = terminal.table()
    view.add_column("Rule", no_wrap=True)
    view.add_column("Between", overflow="fold")
    for heading in ("Met", "p50", "p95", "p99", "Grace", "Proposed"):
        view.add_column(heading, justify="right", no_wrap=True)
    view.add_column("Alarms", justify="right", no_wrap=True)
    for row in rows:
        view.add_row(
            str(row["rule_id"]),
            " → ".join(filter(None, (row["system"], row["counterpart_system"]))),
            f"{row['met_count']:,}",
            *(_span(row[f"lag_p{share}_minutes"]) for share in (50, 95, 99)),
            _span(row["grace_minutes"]),
            _span(row["proposed_grace_minutes"]),
            f"{row['alarms_now']:,} → {row['alarms_proposed']:,}",
        )
    console.print(view)
    console.print("Try one: tallyman backtest --rule S01 --set grace=45m")


def _span(minutes: float) -> str:
    """A span of time at a glance: ``45m``, ``2.5h``, ``3d``."""
    for unit, size in (("d", 1440), ("h", 60)):
        if abs(minutes) >= 2 * size:
            return f"{minutes / size:.1f}".removesuffix(".0") + unit
    return f"{minutes:.1f}".removesuffix(".0") + "m"


def since_of(text: str | None) -> datetime | None:
    """A moment in UTC from ISO 8601. Raises ConfigurationError."""
    return None if text is None else asked_moment(text, "day", "2026-11-01")
