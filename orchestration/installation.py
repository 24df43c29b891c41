"""The one resource of all assets: settings, configured systems and what is made from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from logging.handlers import RotatingFileHandler
from pathlib import Path

from connectors.allowances import Allowance, sharing
from connectors.base import Source, Target
from connectors.factory import make_source, make_target
from registry.errors import ConfigurationError
from registry.settings import Settings, load_settings
from registry.systems import Registry, System, load_registry
from writeback.clock import Clock, Rng, SystemClock, system_rng
from writeback.model import Correction
from writeback.store import OperationsStore


def _silent(_message: str) -> None:
    return None


def _keep_log(folder: Path) -> None:
    """Warnings of every part go to one rotating file; the terminal shows only what we say."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tallyman.log"
    root = logging.getLogger()
    if any(getattr(handler, "baseFilename", None) == str(path) for handler in root.handlers):
        return
    handler = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8")
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)


@dataclass
class Installation:
    """What a run works on. ``progress`` receives one short sentence a stage, for the terminal.

    ``clock`` is the machine's, but where time is pretended too. There ``rng`` and ``readers`` are
    given as well, so that the same happens each time; ``readers``: how many systems are read at
    once, None for all of them.
    """

    settings: Settings
    registry: Registry
    progress: Callable[[str], None] = field(default=_silent)
    clock: Clock = field(default_factory=SystemClock)
    rng: Rng = field(default_factory=system_rng)
    readers: int | None = None
    _allowances: dict[str, Allowance] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def load(
        cls,
        settings: Settings | None = None,
        progress: Callable[[str], None] = _silent,
        clock: Clock | None = None,
        rng: Rng | None = None,
        readers: int | None = None,
    ) -> Installation:
        """Raises ConfigurationError naming every wrong setting and every missing secret at once."""
        settings = settings or load_settings()
        registry = load_registry(settings.systems_file)
        missing = registry.missing_secrets(settings.environment)
        if missing:
            listed = "\n".join(f"  {name} (system '{system}')" for name, system in missing.items())
            raise ConfigurationError(
                f"environment variables with secrets are not set:\n{listed}\n"
                f"Set them, or list them as NAME=value in {settings.secrets_file}"
            )
        _keep_log(settings.home / "logs")
        return cls(
            settings, registry, progress, clock or SystemClock(), rng or system_rng(), readers
        )

    @cached_property
    def store(self) -> OperationsStore:
        return OperationsStore(self.settings.operations_url, self.clock)

    def source(self, system: System) -> Source:
        with sharing(self._allowances):
            return make_source(system, self.source_environment)

    def target(self, system: System) -> Target | None:
        """What takes corrections. Raises ConfigurationError; not for a system that is only read,
        which may be set up without what writing needs."""
        try:
            return self._target(system)
        except ConfigurationError:
            if system.write_mode != "off":
                raise
            return None

    def _target(self, system: System) -> Target | None:
        with sharing(self._allowances):
            return make_target(system, self.source_environment)

    def targets(self) -> tuple[dict[str, Target], dict[str, str]]:
        """What takes corrections, by system, and why a system has none that should: it is left out,
        and the others get theirs."""
        made: dict[str, Target] = {}
        left_out: dict[str, str] = {}
        for system in self.registry.systems:
            try:
                target = self.target(system)
            except ConfigurationError as error:
                left_out[system.name] = str(error)
                continue
            if target is not None:
                made[system.name] = target
        return made, left_out

    @cached_property
    def writable_systems(self) -> list[str]:
        """Systems that take corrections, or would in a rehearsal."""
        made, _ = self.targets()
        return [name for name, target in made.items() if target.system.write_mode != "off"]

    def all_corrections(self) -> Sequence[Correction]:
        """The outbox as it is now, newer than what the published build knows of it."""
        return self.store.list(limit=None)

    @property
    def source_environment(self) -> dict[str, str]:
        """What connectors may read: the environment plus where our own operations store is."""
        return {
            **self.settings.environment,
            "TALLYMAN_OPERATIONS_URL": self.settings.operations_url,
        }
