"""`tallyman demo`: the whole loop against the pretend distributor until a pass sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx

from orchestration.installation import Installation
from orchestration.passes import Loop, open_instance
from orchestration.pretend import pretend_distributor
from orchestration.scoring import Score, score
from registry.errors import TallymanError
from reporting.publish import published_connection
from reporting.summary import build_summary

MAXIMUM_PASSES = 8


class DemoError(TallymanError):
    """The loop did not come to rest."""

    exit_code = 6


@dataclass(frozen=True)
class DemoResult:
    """``summary`` is what is written as JSON (see docs/demo.md for its shape)."""

    summary: dict[str, Any]
    score: Score
    changed: bool


def _fetch(url: str, key: str) -> list[dict[str, Any]]:
    response = httpx.get(url, timeout=30)
    response.raise_for_status()
    return list(response.json()[key])


def _opened(installation: Installation) -> list[tuple[str, str]]:
    with published_connection(installation.settings) as connection:
        return connection.execute(
            "select distinct rule_id, object_id from marts.exceptions "
            "where status in ('open', 'closed')"
        ).fetchall()


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


def proof_delay(installation: Installation) -> float:
    """Seconds until the watermark of a new load lies after what was just accepted, also on a clock
    that tells whole seconds only."""
    return max(system.settle_seconds for system in installation.registry.systems) + 2


def warm_up() -> Thread:
    """Import Great Expectations beside the first extraction: it costs seconds of one core."""
    from expectations import gate

    thread = Thread(target=gate.warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread


def run_demo(
    home: Path, json_path: Path, base_port: int, progress: Any, **options: Any
) -> DemoResult:
    """Start the sandbox, run passes until one sends nothing, score, write the JSON.

    Raises DemoError when the loop still sends after MAXIMUM_PASSES passes.
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
                raise DemoError(
                    f"the loop still sends corrections after {MAXIMUM_PASSES} passes: "
                    "look at `tallyman corrections list`"
                )
        result = score(
            _fetch(f"{handle.urls['admin']}/admin/truth", "faults"),
            _opened(installation),
            _fetch(f"{handle.urls['admin']}/admin/ledger", "effects"),
        )
        with published_connection(installation.settings) as connection:
            summary = build_summary(connection, installation.all_corrections())
    after = _fingerprint(installation)
    summary["truth"] = result.as_dict()
    summary["passes"] = [
        {"seconds": round(p.seconds, 2), "sent": p.sent, "accepted": p.accepted} for p in passes
    ]
    summary["seconds"] = round(monotonic() - started, 1)
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(summary, indent=2, default=str) + "\n", encoding="utf-8")
    return DemoResult(summary, result, changed=before != after or any(p.sent for p in passes))
