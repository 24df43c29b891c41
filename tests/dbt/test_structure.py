"""Layers, names and grain of the models, as the manifest tells them: a reader can rely on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from build import project_manifest

# What a layer may read. Staging reads another model only for the clock of an extraction; adapters
# may look up what the master data says of a system, an item or a party.
READS = {
    "staging": {"staging"},
    "intermediate": {"staging", "intermediate", "core"},
    "core": {"staging", "intermediate", "core"},
    "reconciliation": {"staging", "intermediate", "core", "reconciliation"},
    "marts": {"staging", "intermediate", "core", "reconciliation", "marts"},
}
ALONE = {"staging": r"stg_log__\w+", "intermediate": r"int_\w+|stg_\w+|dim_\w+|object_\w+"}
# What takes stock of the landing itself: of every record, and of codes that no mapping knows.
INVENTORIES = r"int_doubted_sightings|int_unmapped_codes__\w+"
NAMES = {
    "staging": r"stg_[a-z0-9]+(_[a-z0-9]+)*__[a-z0-9_]+",
    "intermediate": r"int_[a-z0-9_]+",
    "core": r"(?!stg_|int_|fix_)[a-z][a-z_]+",
    "reconciliation": r"(?!stg_|int_|dim_)[a-z][a-z_]+",
    "marts": r"(?!stg_|int_|dim_|fix_)[a-z][a-z_]+",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = project_manifest(tmp_path_factory.mktemp("structure"))
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"
    }


def layer(node: dict[str, Any]) -> str:
    return node["fqn"][1]


def test_every_model_is_in_a_layer_and_named_after_it(models: dict[str, Any]) -> None:
    assert {layer(node) for node in models.values()} == set(NAMES)
    wrong = [
        node["name"]
        for node in models.values()
        if not re.fullmatch(NAMES[layer(node)], node["name"])
    ]
    assert wrong == []


def test_layers_read_only_what_lies_below_them(models: dict[str, Any]) -> None:
    wrong = [
        f"{node['name']} reads {models[read]['name']}"
        for node in models.values()
        for read in node["depends_on"]["nodes"]
        if read in models
        and (
            layer(models[read]) not in READS[layer(node)]
            or not re.fullmatch(ALONE.get(layer(node), ".*"), models[read]["name"])
        )
    ]
    assert wrong == []


def test_only_staging_and_the_inventories_of_records_read_the_landing(
    models: dict[str, Any],
) -> None:
    wrong = {
        node["name"]
        for node in models.values()
        for read in node["depends_on"]["nodes"]
        if read.startswith("source.")
        and ".landing." in read
        and layer(node) != "staging"
        and not re.fullmatch(INVENTORIES, node["name"])
    }
    assert wrong == set()


def test_core_and_marts_keep_a_contract_and_say_what_a_row_is(models: dict[str, Any]) -> None:
    wrong = [
        node["name"]
        for node in models.values()
        if layer(node) in ("core", "marts")
        and not (
            node["config"]["contract"]["enforced"] and node["config"].get("meta", {}).get("grain")
        )
    ]
    assert wrong == []


def test_shipped_not_invoiced_is_one_row(models: dict[str, Any]) -> None:
    """A rule is found by its title, in one file, and no model names it."""
    rules = Path(__file__).parents[2] / "dbt_project" / "seeds" / "rules.csv"
    (row,) = [
        line
        for line in rules.read_text(encoding="utf-8").splitlines()
        if "Shipped but not invoiced" in line
    ]
    rule = row.split(",", 1)[0]
    naming = [node["name"] for node in models.values() if re.search(rf"'{rule}'", node["raw_code"])]
    assert naming == []
