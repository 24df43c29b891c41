"""Closed books: whether a correction would post into a period that is closed or closing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from registry.systems import Policy
from writeback.kinds import KINDS


def period_reason(
    policy: Policy, target_system: str, kind: str, payload: Mapping[str, Any], now: datetime
) -> str | None:
    """Why a person must decide on posting this now, or None.

    Only kinds with financial effect are asked about. The posting date is ``posting_date`` of the
    payload; without one the target posts on the day of sending, in the zone of the books.
    """
    if not policy.closed_periods or not KINDS[kind].is_financial:
        return None
    told = payload.get("posting_date")
    for period in policy.closed_periods:
        if period.systems and target_system not in period.systems:
            continue
        if period.opens_at is not None and now >= period.opens_at:
            continue
        posted = date.fromisoformat(str(told)) if told else _today(now, period.time_zone)
        if period.first_day <= posted <= period.last_day:
            opens = f" (until {period.opens_at:%Y-%m-%d %H:%M %Z})" if period.opens_at else ""
            return (
                f"it would be posted on {posted}, in period {period.name} of '{target_system}', "
                f"which is {period.status}{opens}: it waits until then, or for a person"
            )
    return None


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
