"""Connectors reach a world in this process as they reach one over the network."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from connectors.factory import make_source
from connectors.in_process import hosted
from orchestration.evaluation.in_process import (
    URLS,
    SenderDiedError,
    moment_of,
    world_in_process,
)
from orchestration.ingestion_assets import extract_all
from registry.systems import load_registry
from sandbox import clock
from sandbox.settings import Settings as World

SMALL = World(seed=3, orders=60, items=40, faults_per_kind=0, decoys_per_kind=0)


@pytest.fixture
def world(tmp_path):
    with world_in_process(tmp_path, SMALL) as opened:
        yield opened


def test_all_systems_are_read_and_live_in_the_worlds_time(world):
    before = world.clock.now()
    world.skip(3600)
    assert (world.clock.now() - before).total_seconds() >= 3600
    for system in load_registry(world.settings.systems_file).systems:
        source = make_source(system, world.settings.environment)
        entity = source.entities[0]
        pages = list(source.pages(entity, None))
        assert sum(len(page.records) for page in pages) > 0, system.name
        # The warehouse's clock is two and a half minutes fast; an hour apart would show.
        assert abs(pages[-1].clock_offset_seconds or 0) < 200


def test_what_a_world_skipped_is_forgotten_with_it(tmp_path):
    with world_in_process(tmp_path, SMALL) as opened:
        opened.skip(3600)
    assert abs(clock.now() - time.time()) < 60


def test_a_seed_is_the_same_world_whenever_it_is_run(tmp_path):
    choices = replace(SMALL, faults_per_kind=1)
    truths = []
    for name in ("one", "other"):
        with world_in_process(tmp_path / name, choices) as opened:
            began = opened.clock.now()
            opened.inject("H2", 2)
            truths.append(opened.truth())
        assert timedelta() < began - moment_of(choices.seed) < timedelta(minutes=1)
    assert truths[0] == truths[1] != []
    assert len({moment_of(seed) for seed in range(50)}) == 50


def test_a_seed_is_read_at_the_same_moments_each_time(tmp_path):
    told = []
    for name in ("one", "other"):
        with world_in_process(tmp_path / name, SMALL) as opened:
            installation = opened.installed()
            extractions = extract_all(installation, installation.registry.systems, "run")
            told.append(
                [
                    (one.system, report.entity, report.started_at, report.ended_at, report.records)
                    for one in extractions
                    for report in one.entities
                ]
            )
    assert told[0] == told[1] != []


def test_what_is_never_answered_times_out_at_once(world):
    order = {"system": "erp", "mode": "timeout_after_effect", "count": 1}
    world.admin.post("/admin/misbehave", json=order).raise_for_status()
    erp = hosted("erp.pretend")
    assert erp is not None
    key = {"X-Api-Key": "pretend-erp-key"}
    with httpx.Client(base_url=URLS["erp"], transport=erp.transport, headers=key) as client:
        stock = client.get("/api/stock", params={"per_page": 1}).json()["data"][0]
        movement = {
            "item_no": stock["item_no"],
            "whs": stock["whs"],
            "mv_type": "701",
            "qty": "1",
            "ref": "ADJ-999999",
        }
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/stock_movements", json=movement)
    assert [effect["object"] for effect in world.ledger()]


def test_who_sends_a_write_can_die_before_its_answer(world):
    (fault,) = world.inject("X10", 1)
    erp = hosted("erp.pretend")
    assert erp is not None
    key = {"X-Api-Key": "pretend-erp-key"}
    invoice = fault["expected_correction"]["payload"]
    with httpx.Client(base_url=URLS["erp"], transport=erp.transport, headers=key) as client:
        order = invoice["order_record"]
        lines = [{"pos": int(line["line_record"]), "qty": "1"} for line in invoice["lines"]]
        written = {"doc_no": order, "ship_ref": fault["entity_keys"]["shipment"], "lines": lines}
        with pytest.raises(SenderDiedError):
            client.post("/api/invoices", json=written)
        assert client.get("/api/invoices", params={"doc_no": order}).json()["data"]


def test_nothing_is_hosted_any_more_when_the_world_is_closed(tmp_path):
    with world_in_process(tmp_path, SMALL):
        assert hosted("erp.pretend") is not None
    assert hosted("erp.pretend") is None
