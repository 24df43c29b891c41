"""The landing step of the graph, over systems that do not tell all that their connector can."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from expectations import gate
from orchestration import corrections, direct, ingestion_assets
from orchestration.direct import run_direct_pass
from orchestration.ingestion_assets import build_landing_assets, landing_key, load_all
from orchestration.installation import Installation
from orchestration.quality import judge
from registry.settings import load_settings

SYSTEMS = """
[[systems]]
name = "acme"
role = "supplier"
connector = "x12"
base_url = "acme"
write_mode = "off"
options.profile = "acme.yaml"
"""
PROFILE = """
partner: acme
role: supplier
us: {id: DISTRIB}
them: {id: ACME}
sets: {inbound: [855, 997], outbound: [850]}
"""


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    for folder in ("acme/inbound", "acme/outbound"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "systems.toml").write_text(SYSTEMS)
    (tmp_path / "acme.yaml").write_text(PROFILE)
    found = Installation.load(load_settings(tmp_path / "home", tmp_path / "systems.toml"))
    yield found
    found.store.close()


def test_what_no_system_tells_is_nothing_incomplete(installation: Installation) -> None:
    assets = build_landing_assets(installation.registry)
    result = dg.materialize([assets], resources={"installation": installation})
    landed = {
        event.asset_key: event.metadata
        for event in result.asset_materializations_for_node("load_systems")
    }
    checks = {check.asset_key: check.passed for check in result.get_asset_check_evaluations()}
    assert set(landed) == set(checks) == set(assets.keys)
    assert all(checks.values())
    assert landed[landing_key("x12", "acknowledgements")]["systems"].value == "acme"
    assert landed[landing_key("x12", "inventory")]["systems"].value == ""


@pytest.mark.parametrize("dies_in", ["extract_all", "refresh_views"])
def test_a_pass_that_dies_in_its_load_leaves_no_gate_open(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Else the verdict on the last build stays in force, in whichever pass after it dies so."""
    installation.store.set_gates("the pass before", {"acme": (True, "")})

    def dies(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ingestion_assets, dies_in, dies)
    with pytest.raises(MemoryError):
        load_all(installation, "this pass")
    found = installation.store.gate("acme")
    assert (found.outcome, found.build) == ("crashed", "this pass")


def test_a_pass_with_a_system_that_cannot_be_read_opens_the_gates_by_its_own_judgement(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "acme")
    # Nothing is built here, so there are contracts to judge and no invariants.
    monkeypatch.setattr(gate, "invariant_checks", lambda *_: iter(()))
    (report,) = [r for r in load_all(installation, "this pass") if r.system == "acme"]
    assert not report.complete
    assert installation.store.gate("acme").outcome == "crashed"
    judge(installation, "this pass", plain=True)
    assert installation.store.gate("acme").outcome == "pending"


def test_a_good_verdict_opens_no_gate_before_its_build_is_taken_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox still holds what the build before proposed, and that may have been refused."""
    monkeypatch.setattr(gate, "invariant_checks", lambda *_: iter(()))

    def disk_is_full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(direct, "publish", disk_is_full)
    with pytest.raises(OSError, match="no space"):
        run_direct_pass(installation, "this pass", [])
    assert not installation.store.gate("acme").is_open

    monkeypatch.setattr(direct, "publish", lambda *_: None)
    nothing = duckdb.connect()
    nothing.execute("create schema reconciliation")
    for table in ("correction_proofs", "correction_proposals"):
        nothing.execute(f"create table reconciliation.{table} (proposal_key varchar)")
    monkeypatch.setattr(corrections, "published_connection", lambda _: nullcontext(nothing))
    run_direct_pass(installation, "the next pass", [])
    found = installation.store.gate("acme")
    assert (found.is_open, found.build) == (True, "the next pass")
