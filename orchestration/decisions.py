"""What people decide about corrections, in one place for the command line and the Dagster UI."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from orchestration.installation import Installation
from registry.errors import ConfigurationError
from registry.systems import Registry
from reporting.lists import print_correction, print_corrections, print_stops
from writeback import approval
from writeback.store import OperationsStore
from writeback.undo import undo

# Decisions about one correction; the text says what happens then.
ON_ONE = {
    "approve": "the next delivery reads both systems and sends it",
    "reject": "it is never sent; the same drift is not proposed again while it lasts",
    "hold": "it is not sent until somebody approves it",
    "retry": "its next generation is read and sent with a key of its own by the next delivery",
    "revert": "its inverse is sent now, if what it wrote is still there",
}
# Decisions about a target, or about everything when none is named.
ON_TARGETS = {
    "pause": "nothing more is sent there, in any process, until it is resumed",
    "resume": "what is due is sent by the next delivery",
    "replay": "every dead correction is tried once more, and read before it is sent",
    "release_brake": "what only the blast-radius brake holds is sent by the next delivery",
}


# What is only looked at.
LOOKS = ("list", "show")
MOST_LISTED = 200


def look(store: OperationsStore, keys: list[str], state: str) -> str:
    """What the commands list and show tell: the corrections of a state (empty: all), or everything
    about those with these keys, each with its key and the hash of its content as ``decide`` takes
    them."""
    console = Console(file=io.StringIO(), record=True, width=140, color_system=None)
    if not keys:
        print_stops(store.stops(), store.closed_gates(), console)
        listed = store.list(state=state or None, limit=MOST_LISTED)
        print_corrections(listed, store.count(state or None), console)
    for key in keys:
        detail = store.get(key.partition("@")[0])
        correction = detail.correction
        console.print(f"{correction.correction_key}@{correction.payload_hash[:12]}", soft_wrap=True)
        print_correction(detail, console)
    return console.export_text()


def decide(store: OperationsStore, action: str, key: str, actor: str, comment: str) -> str:
    """Take a decision about one correction and say what came of it; ``revert`` has its own.

    ``key`` may be followed by ``@`` and the hash, or its beginning, of the content that the person
    saw: then nothing else is approved. Raises ConfigurationError for an action that there is not,
    and what the action itself raises.
    """
    key, _, seen = key.partition("@")
    key = store.resolve_key(key)
    if action == "retry":
        return f"{key}: tried again as {approval.retry(store, key, actor, comment)}"
    deeds: dict[str, Callable[..., None]] = {
        "approve": approval.approve,
        "reject": approval.reject,
        "hold": approval.hold,
    }
    if action not in deeds:
        raise ConfigurationError(f"no decision '{action}'; there are: {', '.join(ON_ONE)}")
    if action == "approve" and seen:
        content = store.get(key).correction.payload_hash
        seen = content if content.startswith(seen) else seen
        approval.approve(store, key, actor, comment, payload_hash=seen)
    else:
        deeds[action](store, key, actor, comment)
    return f"{key}: {action} by {actor}; {ON_ONE[action]}"


def revert(installation: Installation, key: str, actor: str, comment: str) -> str:
    """Take an applied correction back and say what the target answered. Raises UndoError."""
    store = installation.store
    key = store.resolve_key(key.partition("@")[0])
    target_system = store.get(key).correction.target_system
    target = installation.target(installation.registry.system(target_system))
    targets = {} if target is None else {target_system: target}
    outcome = undo(store, targets, key, actor, comment, installation.clock, installation.rng)
    told = f": {outcome.message}" if outcome.message else ""
    return f"{key}: the target answered {outcome.result} ({outcome.code}{told})"


def decide_for_target(
    store: OperationsStore,
    registry: Registry,
    action: str,
    target: str | None,
    actor: str,
    comment: str,
) -> str:
    """Take a decision about a target, or about all of them. Raises ConfigurationError, also for a
    target that is not in the systems file: a name with a typing error would stop nothing."""
    if not actor.strip():
        raise ConfigurationError(f"'{action}' needs the name of the person who wants it")
    if target is not None:
        registry.system(target)
    where = target or "every target"
    match action, target:
        case "pause", None:
            store.engage_kill_switch(actor, comment)
        case "pause", str():
            store.pause(target, actor, comment)
        case "resume", None:
            store.release_kill_switch(actor, comment)
        case "resume", str():
            store.resume(target, actor, comment)
        case "replay", _:
            keys = approval.replay(store, actor, comment, target)
            return f"{len(keys)} dead corrections of {where} are tried again"
        case "release_brake", None:
            return f"{approval.release_brake(store, actor, comment)} corrections are released"
        case _:
            known = ", ".join([*ON_ONE, *ON_TARGETS])
            raise ConfigurationError(f"no decision '{action}' for {where}; there are: {known}")
    return f"{where}: {action} by {actor}; {ON_TARGETS[action]}"
