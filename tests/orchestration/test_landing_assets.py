"""The landing step of the graph, over systems that do not tell all that their connector can."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from orchestration.ingestion_assets import build_landing_assets, landing_key
from orchestration.installation import Installation
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


def test_what_no_system_tells_is_nothing_incomplete(tmp_path: Path) -> None:
    for folder in ("acme/inbound", "acme/outbound"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "systems.toml").write_text(SYSTEMS)
    (tmp_path / "acme.yaml").write_text(PROFILE)
    installation = Installation.load(load_settings(tmp_path / "home", tmp_path / "systems.toml"))
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
