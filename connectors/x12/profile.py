"""The profile of one trading partner, from YAML: who writes how, and what their codes mean."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from connectors.x12.interchange import FUNCTIONAL_IDS
from registry.errors import ConfigurationError
from registry.texts import read_text

EDIFACT_MESSAGES = ("CONTRL", "DESADV", "INVOIC", "INVRPT", "ORDERS", "ORDRSP")
_ENCODINGS = ("ascii", "cp1252", "iso-8859-1", "iso-8859-15", "latin-1", "utf-8")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Party(_Settings):
    """An identity in envelopes. ``group_id`` is what GS02/GS03 say, where it is another."""

    qualifier: str = Field(default="ZZ", pattern=r"^[A-Z0-9]{2}$")
    id: str = Field(min_length=1, max_length=15)
    group_id: str = Field(default="", max_length=15)

    @property
    def in_groups(self) -> str:
        return self.group_id or self.id


class Separators(_Settings):
    """How our documents are written; those that we read say it themselves."""

    element: str = Field(default="*", min_length=1, max_length=1)
    component: str = Field(default=">", min_length=1, max_length=1)
    repetition: str = Field(default="^", min_length=1, max_length=1)
    segment: str = Field(default="~", min_length=1, max_length=1)
    line_feed: bool = True

    @model_validator(mode="after")
    def _distinct(self) -> Separators:
        marks = (self.element, self.component, self.repetition, self.segment)
        if len(set(marks)) < len(marks) or any(mark.isalnum() or mark == " " for mark in marks):
            raise ValueError("separators must differ and be no letter, digit or space")
        return self


class Sets(_Settings):
    """What is expected in each folder; anything else is refused."""

    inbound: tuple[str, ...] = ()
    outbound: tuple[str, ...] = ()

    @field_validator("inbound", "outbound", mode="before")
    @classmethod
    def _known(cls, codes: object) -> object:
        known = {*FUNCTIONAL_IDS, *EDIFACT_MESSAGES}
        # YAML reads 850 as a number.
        texts = [str(code) for code in codes] if isinstance(codes, list) else codes
        if isinstance(texts, list) and (strange := sorted(set(texts) - known)):
            raise ValueError(f"{', '.join(strange)} is not one of {', '.join(sorted(known))}")
        return texts


class Unit(_Settings):
    """A partner's unit of measure: ours, and how many of ours one of theirs is (0: by item)."""

    uom: str
    factor: int = Field(default=1, ge=0)


class Acknowledgement(_Settings):
    """Whether we answer with 997, and how soon the partner must."""

    answer: bool = True
    expected_within_minutes: int = Field(default=1440, gt=0)


class PartnerProfile(_Settings):
    """One trading partner. docs/connectors/x12.md explains every setting.

    ``codes`` translates the partner's own codes to the standard's, by contract column, before
    anything else looks at them.
    """

    partner: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    role: Literal["supplier", "wms", "carrier", "channel"]
    us: Party
    them: Party
    versions: tuple[str, ...] = ("004010", "005010")
    usage: Literal["P", "T"] = "P"
    first_control_number: int = Field(default=1, gt=0, lt=1_000_000_000)
    separators: Separators = Separators()
    encoding: str = "utf-8"
    sets: Sets
    functional_acknowledgement: Acknowledgement = Acknowledgement()
    item_qualifiers: tuple[str, ...] = ("VN", "BP", "SK", "VP", "UP", "SA", "BY", "SRV", "EN")
    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    units: dict[str, Unit] = {"EA": Unit(uom="EA"), "PCE": Unit(uom="EA")}
    codes: dict[str, dict[str, str]] = {}

    @field_validator("versions", "item_qualifiers", mode="before")
    @classmethod
    def _texts(cls, values: object) -> object:
        return [str(value) for value in values] if isinstance(values, list) else values

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        if encoding.lower() not in _ENCODINGS:
            raise ValueError(f"'{encoding}' is not one of {', '.join(_ENCODINGS)}")
        return encoding.lower()

    @field_validator("codes", mode="before")
    @classmethod
    def _codes_are_texts(cls, codes: object) -> object:
        if not isinstance(codes, dict):
            return codes
        return {
            column: {str(code): str(value) for code, value in translations.items()}
            if isinstance(translations, dict)
            else translations
            for column, translations in codes.items()
        }

    def translated(self, column: str, code: str | None) -> str | None:
        """The standard's code for the partner's; the code itself where the profile says nothing."""
        if code is None:
            return None
        return self.codes.get(column, {}).get(code, code)


def load_profile(path: Path) -> PartnerProfile:
    """Read one profile. Raises ConfigurationError naming everything that is wrong with it."""
    if not path.is_file():
        raise ConfigurationError(
            f"no partner profile at {path}: name an existing file in the system's options.profile"
        )
    try:
        return PartnerProfile.model_validate(yaml.safe_load(read_text(path)))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ConfigurationError(f"{path} has wrong settings:\n{problems}") from error
