"""From the inbox to the landing: the contract types what the shapes give and refuses the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from carrier_payloads import NAMES, payload, records

from connectors.factory import make_source
from ingestion.landing import refresh_views
from ingestion.load import load_system
from ingestion.report import LoadReport
from ingestion.warehouse import warehouse
from registry.settings import Settings
from registry.systems import load_registry
from writeback.clock import SystemClock

SYSTEMS = """
[[systems]]
name = "parcels"
role = "carrier"
connector = "carrier_tracking"
base_url = "inbox"
time_zone = "America/New_York"
settle_seconds = 21600
"""


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 12, 12, 0, tzinfo=UTC)


class Installation:
    def __init__(self, path: Path) -> None:
        (path / "systems.toml").write_text(SYSTEMS)
        self.inbox = path / "inbox"
        self.inbox.mkdir()
        self.settings = Settings(path / "home", path / "systems.toml")
        self.settings.home.mkdir()

    def load(self, clock: Clock | SystemClock | None = None) -> LoadReport:
        registry = load_registry(self.settings.systems_file)
        (system,) = registry.systems
        report = load_system(
            system, make_source(system, {}), self.settings, "run", clock or Clock()
        )
        with warehouse(self.settings) as connection:
            refresh_views(connection, registry)
        return report

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with warehouse(self.settings) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_every_event_lands_typed_and_a_second_pass_lands_none(here: Installation) -> None:
    for name in NAMES:
        (here.inbox / f"{name}.json").write_text(json.dumps(payload(name)))
    report = here.load()
    assert (report.records, report.quarantined, report.complete) == (
        sum(len(records(name)) for name in NAMES),
        0,
        True,
    )
    assert here.load().records == 0
    landed = here.rows(
        "select occurred_at, occurred_from, occurred_to, local_time, time_method "
        "from landing.carrier_tracking__tracking_events where code = 'fedex/DL'"
    )
    moment = datetime(2026, 11, 10, 16, 10, tzinfo=UTC)
    assert landed == [(moment, moment, moment, "2026-11-10T11:10:00-05:00", "told")]


def test_what_breaks_the_contract_is_kept_whole_with_its_reason(here: Installation) -> None:
    future = payload("usps")
    future["trackingEvents"] = [future["trackingEvents"][0] | {"GMTTimestamp": None}]
    future["trackingEvents"][0]["eventTimestamp"] = "2031-01-01T10:00:00"
    nameless = payload("usps_local")
    nameless["trackingEvents"] = [nameless["trackingEvents"][0] | {"eventCode": ""}]
    texts = [json.dumps(future), json.dumps(nameless), '{"parcel": "4711"}', "{broken", ""]
    (here.inbox / "all.ndjson").write_text("\n".join([*texts, json.dumps(payload("usps"))]))
    report = here.load()
    assert (report.records, report.quarantined) == (4, 4)
    kept = here.rows("select reference, reason_code, field, raw from landing.quarantine")
    assert {(reference, code, field) for reference, code, field, _ in kept} == {
        ("9400100000000000000001", "future_time", "occurred_from"),
        ("9400100000000000000002", "missing_value", "code"),
        (None, "missing_column", "event_id"),
    }
    assert any("4711" in raw for *_, raw in kept) and any("{broken" in raw for *_, raw in kept)


def test_a_file_that_is_taken_away_lands_as_withdrawn(here: Installation) -> None:
    (here.inbox / "good.json").write_text(json.dumps(payload("usps")))
    file = here.inbox / "bad.json"
    file.write_text('{"parcel": "4711"}')
    assert here.load().quarantined == 1
    file.unlink()
    report = here.load(SystemClock())
    assert (report.records, report.quarantined, report.complete) == (0, 0, True)
    [(refused_in, later)] = here.rows(
        "select kept.extraction_id, withdrawn.extraction_id > kept.extraction_id "
        "from landing.quarantine as kept "
        "inner join landing.withdrawn_containers as withdrawn using (system, entity, container)"
    )
    assert refused_in != report.extraction_id and later
