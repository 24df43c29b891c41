"""The configured system instances: ``systems.toml`` read, checked and typed."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT
from registry.texts import read_text

Role = Literal["erp", "oms", "wms", "carrier", "supplier", "channel", "self"]
WriteMode = Literal["off", "dry_run", "on"]
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
RULES = SEEDS / "rules.csv"
FEEDS = SEEDS / "canonical_feeds.csv"
LONGEST_DAYS = 36_500
"""A century: a longer wait is a slip of the pen, and would leave the calendar."""
LONGEST_SECONDS = LONGEST_DAYS * 86_400


@cache
def feeds_of(role: str) -> frozenset[str]:
    """The feeds of a role by ``dbt_project/seeds/canonical_feeds.csv``."""
    with FEEDS.open(encoding="utf-8", newline="") as file:
        return frozenset(row["feed"] for row in csv.DictReader(file) if row["role"] == role)


@cache
def known_rules() -> frozenset[str]:
    """The ids of ``dbt_project/seeds/rules.csv``."""
    with RULES.open(encoding="utf-8", newline="") as file:
        return frozenset(row["rule_id"] for row in csv.DictReader(file))


class System(BaseModel):
    """One instance of a connector, for example ``erp_us``.

    ``locations`` are the places that it keeps, by our codes; empty: all that its codes name.
    ``has_no`` names feeds of its role (``seeds/canonical_feeds.csv``) about which it never has
    anything to tell, because nobody does that there: no rule waits for its word on them.
    ``write_threads`` is how many corrections may be under way to it at once, in one process.
    ``settle_seconds`` is how long after a record's own time stamp the source may still show it for
    the first time; judgement waits for it. ``sweep_seconds`` is how often deleted records are
    looked for, where the source can tell (0: in every pass), and those that no reading told.
    ``vanish_limit`` is how many records of an entity may vanish between two such looks; more are
    taken for a fault (None: what ingestion/sweep.py takes for usual).
    ``secrets`` maps a secret's role to the *name* of the environment variable that holds it.
    ``options`` is passed to the connector untouched. ``folder`` is where the systems file lies: the
    connector takes relative paths from there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")
    role: Role
    connector: str
    base_url: str = ""
    region: str = "*"
    legal_entity: str = "*"
    locations: tuple[str, ...] = ()
    has_no: tuple[str, ...] = ()
    time_zone: str = "UTC"
    entities: tuple[str, ...] = ()
    cadence_seconds: int = Field(default=300, gt=0, le=LONGEST_SECONDS)
    settle_seconds: float = Field(default=60, ge=0, le=LONGEST_SECONDS)
    sweep_seconds: float = Field(default=86_400, ge=0, le=LONGEST_SECONDS)
    vanish_limit: int | None = Field(default=None, ge=0)
    write_mode: WriteMode = "dry_run"
    write_threads: int = Field(default=1, ge=1, le=32)
    requests_per_second: float = Field(default=20, gt=0)
    page_size: int = Field(default=500, gt=0)
    secrets: dict[str, str] = {}
    options: dict[str, object] = {}
    folder: Path = Path()

    @field_validator("base_url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        # Of HTTP alone: that of our own store holds what its database wants, and is never shown.
        if urlsplit(url).scheme.startswith("http") and "@" in urlsplit(url).netloc:
            raise ValueError(
                "it holds a user or a password, which would be shown with every error of the "
                "system: name the variables that hold them under secrets"
            )
        return url

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"'{zone}' is not an IANA time zone, for example 'America/New_York'")
        return zone

    @model_validator(mode="after")
    def _lacks_what_its_role_can_have(self) -> System:
        strangers = sorted(set(self.has_no) - feeds_of(self.role))
        if strangers:
            known = ", ".join(sorted(feeds_of(self.role)))
            raise ValueError(
                f"system '{self.name}': has_no names {', '.join(strangers)}, which no {self.role} "
                f"tells; it may name {known}"
            )
        return self

    def number(self, option: str, default: float) -> float:
        """An option that is a number, not below 0. Raises ConfigurationError naming it."""
        told = self.options.get(option, default)
        try:
            number = float(str(told))
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise ConfigurationError(
                f"system '{self.name}': options.{option} must be a number, not {told!r}; without "
                f"it {default:g} is taken"
            )
        return number

    def whole_number(self, option: str, default: int) -> int:
        """An option that is a whole number, not below 0. Raises ConfigurationError naming it."""
        number = self.number(option, default)
        if number != int(number):
            raise ConfigurationError(
                f"system '{self.name}': options.{option} must be a whole number, not {number:g}"
            )
        return int(number)

    def days(self, option: str, default: float) -> timedelta:
        """An option that is a number of days. Raises ConfigurationError naming it."""
        number = self.number(option, default)
        if number > LONGEST_DAYS:
            raise ConfigurationError(
                f"system '{self.name}': options.{option} must be at most {LONGEST_DAYS} days, "
                f"not {number:g}"
            )
        return timedelta(days=number)

    def secret(self, role: str, environment: Mapping[str, str]) -> str:
        """The value of a secret; raises ConfigurationError when it is not declared or not set."""
        variable = self.secrets.get(role)
        if variable is None:
            raise ConfigurationError(
                f"system '{self.name}' declares no secret '{role}': add "
                f'secrets.{role} = "NAME_OF_ENVIRONMENT_VARIABLE" to the systems file'
            )
        value = environment.get(variable)
        if not value:
            raise ConfigurationError(
                f"system '{self.name}' needs the environment variable {variable} ({role})"
            )
        return value


# What we did and what people decided is loaded back like any other system's word.
OWN_SYSTEM = System(
    name="tallyman", role="self", connector="tallyman", settle_seconds=0, write_mode="off"
)


class ClosedPeriod(BaseModel):
    """Days into which nothing may be posted without a person: books that are closed or closing.

    ``systems``: whose books (empty: all). ``time_zone``: where their days begin. ``opens_at``: when
    they are open again, as far as that is known; else the row is removed when they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    first_day: date
    last_day: date
    status: Literal["closing", "closed"] = "closed"
    systems: tuple[str, ...] = ()
    time_zone: str = "UTC"
    opens_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _days_in_order(self) -> ClosedPeriod:
        if self.last_day < self.first_day:
            raise ValueError(f"period '{self.name}' ends before it begins")
        if self.time_zone not in available_timezones():
            raise ValueError(f"'{self.time_zone}' is not an IANA time zone")
        return self


class Policy(BaseModel):
    """What holds for all corrections. Amounts are in the correction's own currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approval_above: float = Field(default=1000, ge=0)
    # Above this two different people must agree; None: one is enough for any value.
    four_eyes_above: float | None = Field(default=None, ge=0)
    approval_kinds: tuple[str, ...] = (
        "reverse_fulfilment",
        "void_invoice",
        "cancel_order",
    )
    max_corrections_per_run: int = Field(default=500, gt=0)
    # The calendar of the books, for kinds with financial effect.
    closed_periods: tuple[ClosedPeriod, ...] = ()
    # How long a dispatcher that died keeps others from its corrections; far above any request.
    lease_seconds: float = Field(default=180, ge=30)

    @model_validator(mode="after")
    def _second_person_after_the_first(self) -> Policy:
        if self.four_eyes_above is not None and self.four_eyes_above < self.approval_above:
            raise ValueError("four_eyes_above must not be below approval_above")
        return self


class RuleSettings(BaseModel):
    """What an installation wants otherwise than ``seeds/rules.csv`` has it for a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_minutes: int = Field(ge=0)


class Registry(BaseModel):
    """All systems of one installation plus the policy for corrections. ``rules`` has the
    installation's own settings of rules, by rule id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    systems: tuple[System, ...]
    policy: Policy = Policy()
    rules: dict[str, RuleSettings] = {}
    folder: Path

    @property
    def cadence_seconds(self) -> int:
        """How often a pass is wanted: as the fastest system wants it, at most once a minute."""
        return max(60, min((system.cadence_seconds for system in self.systems), default=300))

    def system(self, name: str) -> System:
        for system in self.systems:
            if system.name == name:
                return system
        known = ", ".join(s.name for s in self.systems)
        raise ConfigurationError(f"no system '{name}' in the systems file; it has: {known}")

    def missing_secrets(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Every secret that is named but not set: environment variable -> system."""
        return {
            variable: system.name
            for system in self.systems
            for variable in system.secrets.values()
            if not environment.get(variable)
        }


def load_registry(path: Path) -> Registry:
    """Read a systems file.

    The file has one ``[[systems]]`` table an instance, and optionally ``[policy]`` and a table
    ``[rules.<rule id>]`` for each rule that is to be otherwise here.
    Raises ConfigurationError naming every wrong setting at once.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"no systems file at {path}: pass --systems FILE, or set TALLYMAN_SYSTEMS"
        )
    try:
        content = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    if "folder" in content:
        raise ConfigurationError(
            f"{path} has wrong settings:\n  folder: it is where the file lies; take it out"
        )
    try:
        registry = Registry(folder=path.parent, **content)
        registry = registry.model_copy(
            update={
                "systems": tuple(
                    system.model_copy(update={"folder": path.parent.resolve()})
                    for system in registry.systems
                )
            }
        )
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ConfigurationError(f"{path} has wrong settings:\n{problems}") from error
    names = [system.name for system in registry.systems]
    periods = registry.policy.closed_periods
    strangers = sorted({name for period in periods for name in period.systems} - set(names))
    if strangers:
        raise ConfigurationError(
            f"{path} closes periods of systems that it does not have: {', '.join(strangers)}"
        )
    unknown = sorted(set(registry.rules) - known_rules()) if registry.rules else []
    if unknown:
        raise ConfigurationError(
            f"{path} sets something for rules that there are not: {', '.join(unknown)}; "
            "dbt_project/seeds/rules.csv has them all"
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigurationError(f"{path} names a system twice: {', '.join(doubled)}")
    return registry
