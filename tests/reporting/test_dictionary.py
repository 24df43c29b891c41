"""The data dictionary says everything, and what is committed is what would be generated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from build import project_manifest

from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT
from reporting.dictionary import Relation, relations, render, undocumented, write_dictionary

PAGE = PROJECT_ROOT / "docs" / "data-dictionary.md"


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> list[Relation]:
    """Everything in the project as it stands."""
    return relations(project_manifest(tmp_path_factory.mktemp("dictionary")))


def node(**changes: Any) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": "mart_orders",
        "alias": "orders",
        "fqn": ["tallyman", "marts", "mart_orders"],
        "description": "Orders | one row\n  each.",
        "raw_code": "",
        "config": {"meta": {"grain": "one row an order"}},
        "columns": {
            "quantity": {
                "name": "quantity",
                "data_type": "DECIMAL(18,6)",
                "description": "Ordered | in base units.",
            }
        },
        **changes,
    }


def manifest(folder: Path, *nodes: dict[str, Any]) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"nodes": {str(i): n for i, n in enumerate(nodes)}}))
    return path


def test_nothing_lacks_a_description(described) -> None:
    assert undocumented(described) == []


def test_tables_that_people_read_name_their_columns(described) -> None:
    empty = [r.name for r in described if r.layer in {"core", "marts"} and not r.columns]
    assert empty == []


def test_the_committed_page_is_a_fresh_one(described) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(described), "run `make docs`"


def test_a_model_is_shown_under_its_layer_with_grain_and_types(tmp_path) -> None:
    page = tmp_path / "docs" / "page.md"
    write_dictionary(manifest(tmp_path, node(), node(resource_type="test")), page)
    text = page.read_text()
    assert text.count("### marts.orders\n") == 1
    assert "Grain: one row an order" in text
    assert "| quantity | decimal(18,6) | Ordered \\| in base units. |" in text
    assert "### landing.demo_erp__stock" in text, "contracts are part of it"


def test_the_comment_at_the_top_of_a_model_describes_it(tmp_path) -> None:
    sql = "-- Orders, one row\n-- each.\n\n-- not this\nselect 1"
    found = relations(manifest(tmp_path, node(description="", raw_code=sql)))
    assert next(r for r in found if r.name == "orders").description == "Orders, one row each."


def test_what_lacks_a_description_is_named(tmp_path) -> None:
    columns = {"a": {"name": "a", "data_type": None, "description": ""}}
    found = relations(manifest(tmp_path, node(description="", columns=columns)))
    assert undocumented(found) == ["marts.orders", "marts.orders.a"]


def test_no_manifest_says_what_to_do(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="run `make setup`"):
        relations(tmp_path / "manifest.json")
