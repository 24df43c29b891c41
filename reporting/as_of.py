"""What was known at a past moment, for people: from whom, how much, until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from rich.console import Console

from reporting import terminal


def print_known(
    moment: datetime,
    feeds: Iterable[tuple[str, int, datetime | None]],
    file: Path,
    console: Console,
) -> None:
    """One line a system: its name, the records it had told by then, and when it had told last."""
    view = terminal.table(title=f"Known by {terminal.moment(moment)} UTC")
    view.add_column("System", no_wrap=True)
    view.add_column("Records", justify="right")
    view.add_column("Last loaded (UTC)")
    for system, records, last_loaded_at in feeds:
        view.add_row(system, f"{records:,}", terminal.moment(last_loaded_at) or "nothing yet")
    console.print(view)
    console.print(f"All layers as of then, for any query: {file}\n", soft_wrap=True, markup=False)
