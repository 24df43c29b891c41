"""The one place that reads the environment: where state lives and which files configure a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from registry.errors import ConfigurationError
from registry.texts import read_text

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Third parties that would call home, or ask for a terminal. Set before any of them is imported.
QUIET_ENVIRONMENT = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


@dataclass(frozen=True)
class Settings:
    """Paths of one installation.

    ``home`` holds all state (``TALLYMAN_HOME``, default ``.tallyman`` below the working folder);
    ``systems_file`` names the configured systems (``TALLYMAN_SYSTEMS``, else ``systems.toml`` here,
    else the one in ``home``).
    """

    home: Path
    systems_file: Path
    environment: dict[str, str] = field(repr=False, default_factory=dict)

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def operations_url(self) -> str:
        """SQLAlchemy URL of the operations store (outbox, attempts, approvals)."""
        return self.environment.get(
            "TALLYMAN_OPERATIONS_URL", f"sqlite:///{self.home / 'operations.sqlite'}"
        )

    @property
    def has_operations_store(self) -> bool:
        """Whether there is one to look into: to open it would make one."""
        named = "TALLYMAN_OPERATIONS_URL" in self.environment
        return named or (self.home / "operations.sqlite").is_file()

    @property
    def secrets_file(self) -> Path:
        """Optional NAME=value lines, read below the environment (keep it readable by you only)."""
        return self.home / "secrets.env"

    @property
    def automations_on(self) -> bool:
        """Whether schedules and sensors start by themselves (``make dev``) or from the UI."""
        return self.environment.get("TALLYMAN_AUTOMATIONS", "off") == "on"

    @property
    def run_history_days(self) -> int:
        """How long Dagster's record of a run is kept. Raises ConfigurationError."""
        name = "TALLYMAN_RUN_HISTORY_DAYS"
        told = self.environment.get(name, "14")
        if not told.isdecimal() or int(told) < 1:
            raise ConfigurationError(f"{name} is '{told}': it must be a number of days from 1 on")
        return int(told)

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def published_warehouse(self) -> Path:
        """Read-only copy that everything but the pipeline reads."""
        return self.published / "current" / "tallyman.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def dlt_home(self) -> Path:
        return self.home / "dlt"

    @property
    def dbt_project(self) -> Path:
        return PROJECT_ROOT / "dbt_project"

    @property
    def dbt_target(self) -> Path:
        """dbt's artefacts; the manifest is parsed once, in set-up, and kept here."""
        return self.dbt_project / "target"


def load_settings(
    home: str | Path | None = None, systems_file: str | Path | None = None
) -> Settings:
    """Settings from the arguments, else from the environment, else the defaults."""
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    environment = dict(os.environ)
    resolved_home = Path(home or environment.get("TALLYMAN_HOME", ".tallyman")).resolve()
    named = systems_file or environment.get("TALLYMAN_SYSTEMS")
    # The demo writes its systems file beside its state, so that `tallyman sync` finds it later.
    candidates = [Path(named)] if named else [Path("systems.toml"), resolved_home / "systems.toml"]
    chosen = next((path for path in candidates if path.is_file()), candidates[0])
    settings = Settings(resolved_home, chosen.resolve(), environment)
    if settings.secrets_file.is_file():
        for line in read_text(settings.secrets_file).splitlines():
            name, separator, value = line.partition("=")
            if separator and not name.lstrip().startswith("#"):
                environment.setdefault(name.strip().removeprefix("export ").strip(), _plain(value))
    return settings


def _plain(text: str) -> str:
    """Without the blanks and the one pair of quotes around it that a shell would take off."""
    text = text.strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text
