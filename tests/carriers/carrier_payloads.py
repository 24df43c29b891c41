"""Sample payloads in the carriers' documented shapes, and what the seeds make of their codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from connectors.base import Record
from connectors.carrier_tracking.shapes import understand
from registry.settings import PROJECT_ROOT

FOLDER = Path(__file__).parent / "payloads"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def payload(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def records(name: str, zone: str = "UTC") -> list[Record]:
    return understand(payload(name), zone).records


def events(name: str, number: str | None = None, zone: str = "UTC") -> dict[str, dict[str, Any]]:
    """Fields by code: the finest that is told."""
    return {
        (record.fields["detail"] or record.fields["code"]): dict(record.fields)
        for record in records(name, zone)
        if number in (None, record.reference)
    }


def seed(field: str) -> dict[str, str]:
    """Canonical values of the connector's codes or reasons."""
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "status_map.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {
            row["source_value"]: row["canonical_value"]
            for row in csv.DictReader(handle)
            if row["connector"] == "carrier_tracking" and row["field"] == field
        }


def milestone(fields: dict[str, Any]) -> str | None:
    """As the staging model decides: the finest known code."""
    known = seed("code")
    codes = (fields["detail"], fields["code"], fields["status"])
    return next((known[code] for code in codes if code in known), None)
