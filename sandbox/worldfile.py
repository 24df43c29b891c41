"""World files: a TOML file with the choices of a world. ``sandbox/worlds/`` has some by name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.errors import SandboxError
from sandbox.settings import CARRIERS, PARTNERS, PROCESSES, REGIONS, Settings
from sandbox.world import KINDS

_WORLDS = Path(__file__).parent / "worlds"


class _Choice(NamedTuple):
    """A field of the settings, and what it may be."""

    field: str
    whole: bool = True
    least: float = 0


# By the table in the file (None: in none) and the key in it.
_CHOICES: dict[tuple[str | None, str], _Choice] = {
    (None, "seed"): _Choice("seed"),
    (None, "orders"): _Choice("orders", least=1),
    (None, "items"): _Choice("items", least=10),
    (None, "days"): _Choice("days", whole=False, least=1),
    (None, "live"): _Choice("live", whole=False),
    (None, "drop_seconds"): _Choice("drop_seconds", whole=False, least=1),
    ("peaks", "days"): _Choice("peak_days"),
    ("peaks", "factor"): _Choice("peak_factor", whole=False, least=1),
    ("faults", "each"): _Choice("faults_per_kind"),
    ("faults", "decoys_each"): _Choice("decoys_per_kind"),
    ("faults", "overlaps"): _Choice("overlaps_per_kind"),
}

_LISTS: dict[tuple[str | None, str], tuple[str, ...]] = {
    (None, "processes"): PROCESSES,
    (None, "partners"): PARTNERS,
    (None, "regions"): REGIONS,
    (None, "carriers"): CARRIERS,
}


def read_world(name: str, **changes: Any) -> Settings:
    """The settings of a world file, with ``changes`` that are not None made to them.

    ``name``: a path, or the name of a world that comes with the sandbox. Raises SandboxError.
    """
    path = Path(name)
    if not path.suffix and (_WORLDS / f"{name}.toml").is_file():
        path = _WORLDS / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(world.stem for world in _WORLDS.glob("*.toml")))
        raise SandboxError(
            f"the world file {name} can't be read ({error.strerror}); worlds by name: {known}"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SandboxError(f"the world file {name} is not TOML: {error}") from None
    choices = _choices(name, document)
    choices |= {key: value for key, value in changes.items() if value is not None}
    if 0 < choices.get("live", 0) < 1:
        raise SandboxError("live must be 0 or at least 1: in a slower world all would be late")
    return Settings(**choices)


def _choices(name: str, document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table, key, value in _rows(document):
        if (table, key) == ("faults", "mix"):
            found["mix"] = _mix(name, value)
            continue
        if (table, key) in _LISTS:
            found[key] = _listed(name, key, value, _LISTS[table, key])
            continue
        place = f"[{table}] {key}" if table else key
        choice = _CHOICES.get((table, key))
        if choice is None:
            raise SandboxError(f"the world file {name} has an unknown setting: {place}")
        found[choice.field] = _number(name, place, value, choice.whole, choice.least)
    return found


def _rows(document: dict[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ((key, inner, found) for inner, found in value.items())
        else:
            yield None, key, value


def _mix(name: str, mix: Any) -> dict[str, int]:
    if not isinstance(mix, dict):
        raise SandboxError(f"the world file {name}: [faults] mix must be a table of numbers")
    for kind in mix:
        if kind not in KINDS:
            raise SandboxError(
                f"the world file {name}: [faults.mix] {kind} is no kind; there are"
                f" {', '.join(KINDS)}"
            )
    return {
        kind: _number(name, f"[faults.mix] {kind}", value, True, 0) for kind, value in mix.items()
    }


def _listed(name: str, key: str, value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list) or any(found not in known for found in value):
        raise SandboxError(
            f"the world file {name}: {key} must be a list of any of {', '.join(known)}"
        )
    return tuple(found for found in known if found in value)


def _number(name: str, place: str, value: Any, whole: bool, least: float) -> Any:
    allowed = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or value < least:
        what = "whole number" if whole else "number"
        raise SandboxError(f"the world file {name}: {place} must be a {what}, at least {least}")
    return value
