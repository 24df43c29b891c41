"""One pass of the loop through Dagster in this process: reconcile, then deliver what is due."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster._core.instance.ref import InstanceRef

from orchestration.dead_runs import end_dead_deliveries
from orchestration.definitions import build_defs
from orchestration.event_log import KeptSqliteEventLogStorage
from orchestration.installation import Installation
from orchestration.names import DELIVERY_JOB, RECONCILE_JOB, SILENT_RUN
from orchestration.pass_lock import pass_lock
from orchestration.run_history import forget_old_runs
from registry.errors import TallymanError

GARBAGE_THRESHOLD = 50_000  # objects made before a look for garbage; Python's own is 700
ON_THEIR_WAY = ("ready", "sending", "unknown", "accepted")


class PassFailedError(TallymanError):
    """A pass ended before its end."""

    exit_code = 5


@dataclass(frozen=True)
class PassReport:
    """``sent``: requests that left this process; ``accepted``: those a target took."""

    run_id: str
    sent: int
    accepted: int
    seconds: float
    failed_feeds: tuple[str, ...]


def calm_garbage_collection() -> None:
    """The graph and the libraries stay: looking for garbage in their million objects again and
    again took a tenth of a pass."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Dagster leaves SIGTERM with what it found for SIGINT. Where that is ignored, as it is for
    what a shell starts in the background, the process could not be stopped any more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def at_rest(installation: Installation, report: PassReport) -> bool:
    """Nothing was sent, and nothing is on its way: a dispatcher that was killed leaves corrections
    leased, which the next delivery takes up once the lease has run out."""
    counts = installation.store.counts_by_state()
    return report.sent == 0 and not any(counts.get(state) for state in ON_THEIR_WAY)


def open_instance(installation: Installation) -> dg.DagsterInstance:
    """The installation's own Dagster instance, the one that `make dev` shows in the UI."""
    # 230 events that tell what a run is going to make: one write, not one each.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    home = installation.settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.is_file():
        shutil.copyfile(Path(__file__).with_name("dagster.yaml"), configuration)
    kept = {
        "module": KeptSqliteEventLogStorage.__module__,
        "class": KeptSqliteEventLogStorage.__name__,
        "config": {"base_dir": str(home / "history" / "runs")},
    }
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(home), overrides={"event_log_storage": kept})
    )


class Loop:
    """The graph of one installation, kept over passes (making it costs seconds)."""

    def __init__(self, installation: Installation, instance: dg.DagsterInstance) -> None:
        self.installation = installation
        self.instance = instance
        self.definitions = build_defs(installation)
        calm_garbage_collection()

    def _execute(self, job: str) -> dg.ExecuteInProcessResult:
        with sigterm_kept():
            return self.definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance, run_config=SILENT_RUN, raise_on_error=True
            )

    def run_pass(self) -> PassReport:
        """Raises TallymanError with one clear message when a step could not do its work."""
        started = monotonic()
        try:
            # Before Dagster takes it for the run: its own error would say less.
            with pass_lock(self.installation.settings):
                reconciled = self._execute(RECONCILE_JOB)
        except DagsterAssetCheckFailedError as error:
            raise PassFailedError(
                f"a check of our own models failed, so nothing was published or sent: {error}"
            ) from error
        before = self.installation.store.attempt_counts()
        self._deliver_what_is_due()
        after = self.installation.store.attempt_counts()
        forget_old_runs(self.instance, self.installation.settings.run_history_days)
        failed = tuple(
            f"{check.asset_key.to_user_string()}: "
            + "; ".join(f"{name}: {value.value}" for name, value in check.metadata.items())
            for check in reconciled.get_asset_check_evaluations()
            if check.check_name == "feed_is_complete" and not check.passed
        )
        return PassReport(
            run_id=reconciled.run_id,
            sent=after.sent - before.sent,
            accepted=after.accepted - before.accepted,
            seconds=monotonic() - started,
            failed_feeds=failed,
        )

    def at_rest(self, report: PassReport) -> bool:
        """As ``at_rest`` of this installation."""
        return at_rest(self.installation, report)

    def _deliver_what_is_due(self) -> None:
        """Also beside a delivery of the daemon, or one whose process just died: who makes a pass
        by hand wants to see what comes of it."""
        installation, now = self.installation, self.installation.clock.now()
        end_dead_deliveries(self.instance, installation.settings)
        if installation.store.waking_count(now, installation.writable_systems):
            self._execute(DELIVERY_JOB)
