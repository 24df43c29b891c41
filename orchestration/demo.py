"""`tallyman demo`: the whole loop against the pretend distributor until a pass sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from orchestration.installation import Installation
from orchestration.passes import Loop, open_instance
from orchestration.pretend import pretend_distributor
from orchestration.scoring import Score, score
from orchestration.whole_runs import RestlessError, opened, pass_rows, proof_delay, warm_up
from reporting.as_json import write_json
from reporting.publish import published_connection
from reporting.summary import build_summary

MAXIMUM_PASSES = 8


@dataclass(frozen=True)
class DemoResult:
    """``summary`` is what is written as JSON of ``tallyman demo --json``."""

    summary: dict[str, Any]
    score: Score
    changed: bool


def _fetch(url: str, key: str) -> list[dict[str, Any]]:
    response = httpx.get(url, timeout=30)
    response.raise_for_status()
    return list(response.json()[key])


def _fingerprint(installation: Installation) -> Any:
    """What a person would call the state: exceptions with their status, corrections by state."""
    if not installation.settings.published_warehouse.is_file():
        return None
    with published_connection(installation.settings) as connection:
        exceptions = connection.execute(
            "select rule_id, object_id, status, opened_at, closed_at from marts.exceptions "
            "order by all"
        ).fetchall()
    return exceptions, installation.store.counts_by_state()


def run_demo(
    home: Path, json_path: Path, base_port: int, progress: Any, **options: Any
) -> DemoResult:
    """Start the sandbox, run passes until one sends nothing, score, write the JSON.

    Raises RestlessError when the loop still sends after MAXIMUM_PASSES passes.
    """
    started = monotonic()
    progress("starting the pretend distributor")
    with pretend_distributor(home, base_port, **options) as (settings, handle):
        installation = Installation.load(settings, progress)
        before = _fingerprint(installation)
        passes = []
        with open_instance(installation) as instance:
            loop = Loop(installation, instance)
            warm_up()
            for number in range(1, MAXIMUM_PASSES + 1):
                progress(f"pass {number}")
                report = loop.run_pass()
                passes.append(report)
                progress(f"pass {number}: {report.sent} corrections sent, {report.seconds:.1f} s")
                if loop.at_rest(report):
                    break
                # A load that starts within the settle window of what was sent can't prove it yet.
                sleep(proof_delay(installation))
            else:
                raise RestlessError(
                    f"the loop still sends corrections after {MAXIMUM_PASSES} passes: "
                    "look at `tallyman corrections list`"
                )
        result = score(
            _fetch(f"{handle.urls['admin']}/admin/truth", "faults"),
            opened(settings),
            _fetch(f"{handle.urls['admin']}/admin/ledger", "effects"),
        )
        with published_connection(installation.settings) as connection:
            summary = build_summary(connection, installation.all_corrections())
    after = _fingerprint(installation)
    summary["truth"] = result.as_dict()
    summary["passes"] = pass_rows(passes)
    summary["seconds"] = round(monotonic() - started, 1)
    write_json(json_path, summary)
    return DemoResult(summary, result, changed=before != after or any(p.sent for p in passes))
