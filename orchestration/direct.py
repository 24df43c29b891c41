"""One pass without Dagster, dbt and Great Expectations at work: the same steps, thousands of times.

Their own work costs more than what they do for us. What they do is done by the same code: dbt's
compiled statements, the checks' own queries, and the functions that the assets call.
"""

from __future__ import annotations

from time import monotonic

from ingestion.warehouse import warehouse
from orchestration.compiled import Statement, run_compiled
from orchestration.corrections import deliver, refresh_outbox
from orchestration.ingestion_assets import load_all
from orchestration.installation import Installation
from orchestration.passes import PassFailedError, PassReport
from orchestration.quality import judge
from reporting.publish import publish


def run_direct_pass(installation: Installation, run_id: str, models: list[Statement]) -> PassReport:
    """Load, build, judge, publish, propose and prove, deliver.

    ``run_id`` names the published build too; ``models`` are those of the configuration. Left out is
    what Dagster adds: its event log, the row counts of assets, and the sensor, which only asks the
    outbox what is asked here; and the lock of passes, because a world's home has no other process.
    Raises TallymanError as ``Loop.run_pass`` does.
    """
    started = monotonic()
    store = installation.store
    loaded = load_all(installation, run_id)
    # Open for both: to open the file is to read hundreds of views.
    with warehouse(installation.settings):
        broken = run_compiled(installation.settings, models)
        if broken:
            raise PassFailedError(
                "a check of our own models failed, so nothing was published or sent: "
                + ", ".join(broken)
            )
        judge(installation, run_id, plain=True)
    publish(installation.settings, run_id)
    refresh_outbox(installation, run_id)
    before = store.attempt_counts()
    if store.due_count(installation.clock.now(), installation.writable_systems):
        deliver(installation)
    after = store.attempt_counts()
    return PassReport(
        run_id=run_id,
        sent=after.sent - before.sent,
        accepted=after.accepted - before.accepted,
        seconds=monotonic() - started,
        failed_feeds=tuple(
            f"{report.system}.{feed.entity}: {feed.error or 'incomplete'}"
            for report in loaded
            for feed in report.entities
            if not feed.complete
        ),
    )
