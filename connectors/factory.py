"""From a configured system to its connector: ``connectors/<connector>/source.py`` and target.py."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from connectors.base import Source, Target
from registry.errors import ConfigurationError
from registry.systems import System


def make_source(system: System, environment: Mapping[str, str]) -> Source:
    """What can be read from a system. Raises ConfigurationError for an unknown connector, and for
    an entity that the system has not: a typing error would leave it unread without a word."""
    module = _module(system, "source")
    if module is None:
        raise ConfigurationError(
            f"system '{system.name}' uses connector '{system.connector}', which does not exist; "
            f"there are: {', '.join(known_connectors())}"
        )
    source: Source = module.make_source(system, environment)
    unknown = [name for name in system.entities if name not in source.entities]
    if unknown:
        raise ConfigurationError(
            f"system '{system.name}' has no entity {', '.join(unknown)}; "
            f"there are: {', '.join(source.entities)}"
        )
    return source


def make_target(system: System, environment: Mapping[str, str]) -> Target | None:
    """Which corrections a system takes; None when its connector can only read."""
    module = _module(system, "target")
    if module is None:
        return None
    target: Target = module.make_target(system, environment)
    return target


def known_connectors() -> tuple[str, ...]:
    """The connectors that are installed."""
    here = Path(__file__).resolve().parent
    return tuple(sorted(path.parent.name for path in here.glob("*/source.py")))


def _module(system: System, part: str) -> ModuleType | None:
    # Looked for before it is imported, so that a fault inside the module is not taken for absence.
    if system.connector not in known_connectors():
        return None
    package = f"connectors.{system.connector}"
    if importlib.util.find_spec(f"{package}.{part}") is None:
        return None
    return importlib.import_module(f"{package}.{part}")
