"""What stands in the warehouse is what descriptions say, also before any system has spoken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from build import Warehouse, project_manifest
from scenario import Scenario

LAYERS = ("seeds", "staging", "intermediate", "core", "reconciliation", "marts")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    silent = Scenario()
    silent.read()
    built = Warehouse(tmp_path_factory.mktemp("described"), artefacts)
    silent.write(built.path)
    return built.build()


def _in_the_warehouse(warehouse: Warehouse) -> set[tuple[str, str, str]]:
    layers = ", ".join(f"'{layer}'" for layer in LAYERS)
    return set(
        warehouse.rows(
            "select table_schema, table_name, column_name from information_schema.columns "
            f"where table_schema in ({layers})"
        )
    )


def _described(home: Path) -> set[tuple[str, str, str]]:
    manifest = json.loads(project_manifest(home).read_text(encoding="utf-8"))
    return {
        (node["schema"], node["alias"], column["name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        for column in node["columns"].values()
        if column["description"]
    }


def test_every_column_is_described_and_no_other(warehouse: Warehouse) -> None:
    existing, described = _in_the_warehouse(warehouse), _described(warehouse.home)
    missing = sorted(".".join(column) for column in existing - described)
    gone = sorted(".".join(column) for column in described - existing)
    assert (missing, gone) == ([], []), "describe them in the folder's _models.yml"


def test_silence_is_no_exception(warehouse: Warehouse) -> None:
    assert warehouse.exceptions("open", "closed", "pending") == set()
    assert warehouse.rows("select distinct status from marts.feeds") == [("ok",)]


def test_rules_apply_where_all_their_roles_have_a_system(warehouse: Warehouse) -> None:
    idle = warehouse.rows(
        "select missing_roles, list(rule_id order by rule_id) from marts.rule_catalogue "
        "where missing_roles <> '' group by missing_roles"
    )
    assert dict(idle) == {
        "channel": ["O01", "S08", "S08N"],
        "supplier": [
            "F01D",
            "F02D",
            "O08P",
            "O09",
            "O10D",
            "P01",
            "P02",
            "P02P",
            "P03",
            "P03R",
            "P04",
            "P05",
            "P05D",
            "P05P",
            "P06",
            "P07",
            "P09",
            "S01D",
            "S03D",
            "S07D",
        ],
    }


def test_views_do_not_name_the_database(warehouse: Warehouse) -> None:
    """A published copy has another name, and would find nothing under the old one."""
    views = warehouse.rows("select view_name, sql from duckdb_views() where not internal")
    assert views
    assert [name for name, sql in views if re.search(r'\bwarehouse"?\."?\w+"?\."?\w', sql)] == []
