"""How values look on a terminal: times, money, quantities, states. Nothing here reads data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich import box
from rich.table import Table

STATE_STYLES = {
    "open": "bold red",
    "pending": "yellow",
    "closed": "green",
    "verified": "green",
    "accepted": "cyan",
    "awaiting_approval": "yellow",
    "proposed": "cyan",
    "ready": "cyan",
    "sending": "cyan",
    "superseded": "dim",
    "reverted": "dim",
}
ALARM_STYLE = "bold red"  # refused, unknown, unproven, moot, dead: somebody has to look


def table(*headings: str, title: str | None = None) -> Table:
    """A table in the house style; add columns' options with ``add_column`` instead of headings."""
    made = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        pad_edge=False,
        padding=(0, 1),
    )
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def moment(value: datetime | None, seconds: bool = True) -> str:
    """UTC, such as ``2026-11-01 14:22:33``; empty for none."""
    if value is None:
        return ""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc:%Y-%m-%d %H:%M:%S}" if seconds else f"{utc:%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """In the largest unit of which there are two, or one exactly: ``90 minutes``, ``1 hour``."""
    minutes = int(length.total_seconds()) // 60
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes >= 2 * size or minutes == size:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def ago(moment_: datetime, now: datetime) -> str:
    """``4 minutes ago``; a clock that was set back tells nothing of the future."""
    passed = now - moment_
    return f"{span(passed)} ago" if passed >= timedelta(minutes=1) else "just now"


def number(value: Decimal | float | int | str | None) -> str:
    """Without the zeros that a fixed scale adds: ``5``, ``12.5``."""
    if value is None:
        return ""
    text = f"{Decimal(str(value)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: Decimal | str | None, currency: str | None) -> str:
    """``1,234.50 USD``; empty without a value."""
    if value is None:
        return ""
    return f"{Decimal(str(value)):,.2f} {currency or ''}".strip()


def amounts(by_currency: Mapping[str, Any]) -> str:
    """One amount for each currency, because they are never added up."""
    return ", ".join(amount(value, currency) for currency, value in sorted(by_currency.items()))


def state(name: str) -> str:
    """A status or state as Rich markup."""
    return f"[{STATE_STYLES.get(name, ALARM_STYLE)}]{name.replace('_', ' ')}[/]"


def shortened(text: str, width: int) -> str:
    """At most ``width`` characters on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
