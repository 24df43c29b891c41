"""Commands of people who decide: about corrections, and whether anything is sent."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer

from orchestration.cli.application import (
    Home,
    Systems,
    complain,
    console,
    corrections_app,
    say,
    writeback_app,
)
from registry.settings import Settings, load_settings
from writeback.audit import GENESIS

Actor = Annotated[str, typer.Option("--as", help="Who decides.", default_factory=getpass.getuser)]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TargetName = Annotated[
    str | None, typer.Option("--target", help="Only this system; else all of them.")
]


def _store(settings: Settings) -> Any:
    from writeback.store import OperationsStore

    return OperationsStore(settings.operations_url)


@corrections_app.command("list")
def corrections_list(
    home: Home = None,
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Corrections, the newest first."""
    from reporting.lists import print_corrections, print_stops

    store = _store(load_settings(home))
    print_stops(store.stops(), store.closed_gates(), console)
    print_corrections(store.list(state=state, limit=limit), store.count(state), console)


@corrections_app.command("show")
def corrections_show(key: str, home: Home = None) -> None:
    """One correction with its payload, attempts and decisions. KEY may be shortened."""
    from reporting.summary import print_correction

    print_correction(_store(load_settings(home)).get(key), console)


def _agree(question: str, yes: bool) -> None:
    """Ask a person who can answer; a script has decided already."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True)


def _show_before(store: Any, action: str, key: str, consequence: str) -> tuple[str, str]:
    """Say what is decided about, and what will happen; the whole key and the content's hash, or
    the one that ``key`` names (KEY@HASH), so that nothing else is approved."""
    key, _, seen = key.partition("@")
    correction = store.get(key).correction
    say(
        f"{correction.kind} of {correction.object_id} in {correction.target_system}, now "
        f"{correction.state}: {correction.old_value} becomes {correction.new_value}"
    )
    say(f"{action}: {consequence}")
    return correction.correction_key, seen or correction.payload_hash


def _decide_for_target(
    action: str, target: str | None, actor: str, comment: str, yes: bool, settings: Settings
) -> None:
    from orchestration.decisions import ON_TARGETS, decide_for_target
    from registry.systems import load_registry

    say(f"{action.replace('_', ' ')}, {target or 'every target'}: {ON_TARGETS[action]}")
    _agree("Go on?", yes)
    registry = load_registry(settings.systems_file)
    say(decide_for_target(_store(settings), registry, action, target, actor, comment))


def _add_decision(action: str, meaning: str) -> None:
    """A command that decides about one correction."""

    @corrections_app.command(action, help=meaning)
    def decide_about_one(
        key: str, actor: Actor, comment: Comment = "", yes: Yes = False, home: Home = None
    ) -> None:
        from orchestration.decisions import ON_ONE, decide

        store = _store(load_settings(home))
        whole_key, content = _show_before(store, action, key, ON_ONE[action])
        _agree("Go on?", yes)
        say(decide(store, action, f"{whole_key}@{content}", actor, comment))


for _action, _meaning in {
    "approve": "Let a waiting correction be sent, with the content that it has now.",
    "reject": "Never send a waiting correction.",
    "hold": "Keep an unsent correction back until somebody approves it.",
    "retry": "Try a refused, dead or unproven correction once more, as a new generation.",
}.items():
    _add_decision(_action, _meaning)


@corrections_app.command("revert")
def corrections_revert(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Take an applied correction back: send its inverse, if what it wrote is still there."""
    from orchestration.decisions import ON_ONE
    from orchestration.decisions import revert as take_back
    from orchestration.installation import Installation

    installation = Installation.load(load_settings(home, systems))
    key, _ = _show_before(installation.store, "revert", key, ON_ONE["revert"])
    _agree("Go on?", yes)
    say(take_back(installation, key, actor, comment))


def _add_decision_for_target(app: typer.Typer, action: str, meaning: str) -> None:
    """A command that decides about one target, or about all of them."""

    @app.command(action, help=meaning)
    def decide_for_one_or_all(
        actor: Actor,
        target: TargetName = None,
        comment: Comment = "",
        yes: Yes = False,
        home: Home = None,
        systems: Systems = None,
    ) -> None:
        settings = load_settings(home, systems)
        _decide_for_target(action, target, actor, comment, yes, settings)


_add_decision_for_target(
    corrections_app,
    "replay",
    "Try all dead corrections once more, after an outage; each is read before it is sent.",
)
_add_decision_for_target(
    writeback_app,
    "pause",
    "Stop all sending, or all sending to one target, in every process before its next request.",
)
_add_decision_for_target(
    writeback_app,
    "resume",
    "Go on sending. What pauses one target and what pauses all are released each by itself.",
)


@corrections_app.command("release-brake")
def corrections_release_brake(
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Send what only the blast-radius brake holds: the load was looked at, the drift is real."""
    settings = load_settings(home, systems)
    _decide_for_target("release_brake", None, actor, comment, yes, settings)


@corrections_app.command("audit")
def corrections_audit(
    home: Home = None,
    known: Annotated[
        str, typer.Option(help="The hash that an earlier check told: its entry must be there yet.")
    ] = GENESIS,
) -> None:
    """Check that no entry of the log of decisions was changed, removed or put in."""
    report = _store(load_settings(home)).verify_audit(known)
    if report.problem is not None:
        complain("the audit log is broken", f"at {report.problem}")
        raise typer.Exit(1)
    say(f"the audit log is whole: {report.entries:,} entries, the last is {report.head}")
