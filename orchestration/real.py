"""`tallyman real`: the whole loop against real systems that are broken by hand, with its score."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from orchestration.installation import Installation
from orchestration.passes import Loop, PassReport, open_instance
from orchestration.pretend import keep_to_a_store_of_its_own
from orchestration.whole_runs import RestlessError, opened, pass_rows, proof_delay, warm_up
from real.breaks import APPROVAL, BREAKS, CORRECTED, Break, Made
from real.processes import RealSystemError
from real.story import CUSTOMERS, Story, Systems, started
from real.tryton.rpc import TrytonError
from real.tryton.server import StartError
from registry.errors import TallymanError
from registry.settings import PROJECT_ROOT, Settings, load_settings
from reporting.as_json import write_json
from reporting.publish import published_connection
from reporting.summary import WAITS_FOR, build_summary

TEMPLATE = PROJECT_ROOT / "examples" / "real"
MAXIMUM_PASSES = 12
# No duty of the systems file's graces is due later than this after a break: a partner tells the
# time in whole minutes, and has another one.
PATIENCE_SECONDS = 130


class RealError(TallymanError):
    """A real system could not be installed, started or driven."""

    exit_code = 7


def _configure(systems: Systems, home: Path) -> Settings:
    """Write the systems file of the running systems and their secrets; returns the settings."""
    home.mkdir(parents=True, exist_ok=True)
    places = {
        "shop_url": systems.access.url,
        "erp_url": systems.databases["erp"].url,
        "wms_url": systems.databases["wms"].url,
        "partner_folder": str(systems.partner.folder),
        "carrier_folder": str(systems.carrier.inbox),
        "any_customer": next(iter(CUSTOMERS)),
    }
    text = (TEMPLATE / "systems.toml").read_text(encoding="utf-8")
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    (home / "systems.toml").write_text(text, encoding="utf-8")
    shutil.copyfile(TEMPLATE / "partner.yaml", home / "partner.yaml")
    connector = systems.databases["erp"]
    secrets = {
        "SHOP_KEY": systems.access.api_key,
        "ERP_KEY": systems.databases["erp"].keys["connector"],
        "WMS_KEY": systems.databases["wms"].keys["connector"],
        "TRYTON_USER": connector.user,
        "TRYTON_PASSWORD": connector.password,
    }
    path = home / "secrets.env"
    path.touch(mode=0o600)
    path.write_text(
        "# Of systems that hold nothing but a story.\n"
        + "".join(f"TALLYMAN_REAL_{name}={value}\n" for name, value in secrets.items()),
        encoding="utf-8",
    )
    return load_settings(home, home / "systems.toml")


@dataclass(frozen=True)
class RealResult:
    """``summary`` is what is written as JSON (docs/real-systems.md has its shape); ``failures``
    says in plain words what is not as it should be."""

    summary: dict[str, Any]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of one break."""

    title: str
    outcome: str
    kinds: tuple[str, ...]
    expected: tuple[str, ...]
    missing: tuple[str, ...]
    corrected: bool
    verified: bool
    waiting: bool
    seconds_to_make: float


def run_real(home: Path, json_path: Path, progress: Callable[[str], None]) -> RealResult:
    """Start the systems afresh, tell the story, break it, run passes until one sends nothing and
    leaves nothing to be sent, ask the real systems, score, write the JSON.

    Raises RestlessError when the loop still sends after MAXIMUM_PASSES passes, and RealError when a
    system can't be installed, started or driven.
    """
    keep_to_a_store_of_its_own(home)
    folder = home / "real"
    began = monotonic()
    split: dict[str, float] = {}

    def timed(name: str) -> None:
        split[name] = round(monotonic() - began - sum(split.values()), 1)

    for name in ("state", "partner/inbound", "partner/outbound", "carrier"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "partner" / "ledger.sqlite").unlink(missing_ok=True)
    try:
        with started(folder, progress) as systems:
            timed("start")
            systems.story.tell(progress)
            timed("seed")
            settings = _configure(systems, folder / "state")
            installation = Installation.load(settings, progress)
            with open_instance(installation) as instance:
                loop = Loop(installation, instance)
                warm_up()
                progress("pass 0: nothing is broken yet")
                loop.run_pass()
                alarms = sorted(opened(settings))
                timed("consistent")
                made = {}
                for way in BREAKS:
                    progress(f"breaking: {way.title}")
                    at = monotonic()
                    made[way.name] = (way.make(systems.story), monotonic() - at)
                timed("break")
                passes = _until_at_rest(installation, loop, progress)
                timed("reconcile")
            with published_connection(settings) as connection:
                summary = build_summary(connection, installation.all_corrections())
            found = opened(settings)
            verdicts = {
                way.name: _verdict(way, *made[way.name], summary, found, systems.story)
                for way in BREAKS
            }
    except (RealSystemError, StartError, TrytonError) as error:
        raise RealError(str(error)) from error
    timed("stop")
    known = set().union(*(thing.expected for thing, _ in made.values()))
    false = sorted(f"{rule} {thing}" for rule, thing in {*found, *alarms} - known)
    summary["orders"] = len(systems.story.deals)
    summary["consistent"] = {"false": [f"{rule} {thing}" for rule, thing in alarms]}
    summary["breaks"] = _counts(verdicts, false)
    summary["passes"] = pass_rows(passes)
    summary["split_seconds"] = split
    summary["seconds"] = round(monotonic() - began, 1)
    write_json(json_path, summary)
    return RealResult(summary, tuple(_failures(verdicts, false)))


def _until_at_rest(
    installation: Installation, loop: Loop, progress: Callable[[str], None]
) -> list[PassReport]:
    began = monotonic()
    passes: list[PassReport] = []
    for number in range(1, MAXIMUM_PASSES + 1):
        progress(f"pass {number}")
        report = loop.run_pass()
        passes.append(report)
        progress(f"pass {number}: {report.sent} corrections sent, {report.seconds:.1f} s")
        for feed in report.failed_feeds:
            progress(f"not read to the end: {feed}")
        is_over = loop.at_rest(report) and not _is_seen_once_only(installation)
        if is_over and monotonic() - began >= PATIENCE_SECONDS:
            return passes
        sleep(proof_delay(installation))
    raise RestlessError(
        f"the loop still sends corrections after {MAXIMUM_PASSES} passes: look at "
        f"`tallyman corrections list --home {installation.settings.home}`"
    )


def _is_seen_once_only(installation: Installation) -> bool:
    """Whether something that may be corrected waits for a second sight: the next pass sends it."""
    with published_connection(installation.settings) as connection:
        row = connection.execute(
            "select count(*) from reconciliation.correctable_exceptions "
            "where withheld_reason = 'seen once only'"
        ).fetchone()
    return bool(row and row[0])


def _verdict(
    way: Break,
    made: Made,
    seconds: float,
    summary: dict[str, Any],
    found: set[tuple[str, str]],
    story: Story,
) -> Verdict:
    still = {(row["rule"], row["object"]): row["waits_for"] for row in summary["open_exceptions"]}
    # The word of the real system itself, beside the pipeline's own proof.
    is_right = made.is_right is not None and made.is_right(story)
    return Verdict(
        title=way.title,
        outcome=way.outcome,
        kinds=way.kinds,
        expected=tuple(sorted(f"{rule} {thing}" for rule, thing in made.expected)),
        missing=tuple(sorted(f"{rule} {thing}" for rule, thing in made.expected - found)),
        corrected=is_right,
        verified=is_right and not made.expected & set(still),
        waiting=all(still.get(key) == WAITS_FOR["awaiting_approval"] for key in made.expected),
        seconds_to_make=round(seconds, 1),
    )


def _counts(verdicts: dict[str, Verdict], false: list[str]) -> dict[str, Any]:
    of = list(verdicts.values())
    return {
        "made": len(of),
        "found": sum(not one.missing for one in of),
        "missed": sum(bool(one.missing) for one in of),
        "false": len(false),
        "false_exceptions": false,
        "correctable": sum(one.outcome == CORRECTED for one in of),
        "corrected": sum(one.corrected for one in of),
        "verified": sum(one.verified for one in of),
        "waiting": sum(one.waiting for one in of),
        "by_name": {name: asdict(one) for name, one in verdicts.items()},
    }


def _failures(verdicts: dict[str, Verdict], false: list[str]) -> list[str]:
    said = [f"false alarm: {alarm}" for alarm in false]
    for name, one in verdicts.items():
        if one.missing:
            said.append(f"{name}: not found: {', '.join(one.missing)}")
        if one.outcome == CORRECTED and not one.corrected:
            said.append(f"{name}: the real system does not show the corrected state")
        elif one.outcome == CORRECTED and not one.verified:
            said.append(f"{name}: corrected, and its exceptions are still open")
        if one.outcome == APPROVAL and not one.waiting:
            said.append(f"{name}: no correction waits for a person's approval")
    return said
