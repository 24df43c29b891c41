"""`tallyman sync`: one pass of the main job against a systems file, with its summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from orchestration.installation import Installation
from orchestration.pass_lock import pass_lock
from orchestration.passes import Loop, open_instance
from registry.settings import Settings
from reporting.delivery import has_deliveries, print_delivery, summarise_delivery
from reporting.publish import published_connection
from reporting.summary import build_summary, print_summary


@dataclass(frozen=True)
class SyncReport:
    """``failed_feeds``: one line each, empty when every feed was read to its end."""

    summary: dict[str, Any]
    failed_feeds: tuple[str, ...]


def run_sync(settings: Settings, console: Console, progress: Callable[[str], None]) -> SyncReport:
    """Raises TallymanError when the pass could not be made, PassAtWorkError when another is."""
    installation = Installation.load(settings, progress)
    # From the start: who finds a pass at work need not wait for the graph to be made.
    with pass_lock(settings), open_instance(installation) as instance:
        report = Loop(installation, instance).run_pass()
    with published_connection(settings) as connection:
        summary = build_summary(connection, installation.all_corrections())
        summary["seconds"] = round(report.seconds, 1)
        print_summary(summary, console)
        if has_deliveries(connection):
            delivery = summarise_delivery(connection)
            summary.update(delivery)
            print_delivery(delivery, console)
    return SyncReport(summary, report.failed_feeds)
