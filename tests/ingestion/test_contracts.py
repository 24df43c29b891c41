"""The contracts are valid ODCS, and say what ingestion needs; a wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from ingestion import load
from ingestion.landing import MISSING, UNREAD, WITHDRAWN
from registry.contracts import (
    CONTRACTS_FOLDER,
    OWN_TABLES,
    contract_of,
    load_contracts,
    read_contract,
)
from registry.errors import ConfigurationError

FILES = sorted(CONTRACTS_FOLDER.glob("*/*.yaml"))
SCHEMA = json.loads(OpenDataContractStandard.json_schema())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_file_is_valid_odcs_and_complete(path: Path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(content)] == []
    contract = read_contract(path)
    assert contract.description and contract.grain and contract.version
    assert all(column.description for column in contract.columns)
    assert all(contract.column(name).required for name in contract.record_id_columns)


def test_quantities_and_money_are_exact_and_times_say_their_zone():
    for contract in load_contracts():
        for column in contract.columns:
            if column.logical_type == "number":
                assert column.duckdb_type == "DECIMAL(18,6)"
            if column.logical_type == "timestamp":
                expected = {"offset": "TIMESTAMPTZ", "system": "TIMESTAMP"}
                assert expected[str(column.time_zone)] == column.duckdb_type


def test_record_ids_are_what_the_other_rooms_expect():
    fields = {"order_id": "ord_100123", "line_no": 2, "item_no": "10-0007", "whs": "E1"}
    assert contract_of("demo_oms", "order_lines").record_id(fields) == "ord_100123/2"
    assert contract_of("demo_erp", "stock").record_id(fields) == "10-0007@E1"


def test_an_installation_may_bring_and_replace_contracts(tmp_path):
    path = tmp_path / "demo_wms" / "items.yaml"
    path.parent.mkdir()
    text = (CONTRACTS_FOLDER / "demo_wms" / "items.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("version: 1.0.0", "version: 2.0.0"), encoding="utf-8")
    assert contract_of("demo_wms", "items", tmp_path).version == "2.0.0"
    assert contract_of("demo_wms", "items").version == "1.0.0"


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("physicalType: BIGINT", "physicalType: INT8", "use one of"),
        ("value: [sku]", "value: [shoe]", "does not have: shoe"),
        ("id: demo_wms.items", "id: demo_wms.shoes", "its place says"),
        ("name: gtin", "name: sku", "twice: sku"),
        ("name: gtin", "name: Item-No", "column 'Item-No' can't be called so"),
        ("name: gtin", "name: _sequence", "column '_sequence' can't be called so"),
        ("kind: DataContract", "sort: DataContract", "Open Data Contract Standard"),
        # The standard's model drops what it does not know: it would be read as if unsaid.
        (
            "    properties:",
            "    changesOnly: true\n    properties:",
            "has changesOnly as a key of",
        ),
        ("property: snapshot", "property: snapshots", "knows no customProperty snapshots here"),
    ],
)
def test_a_wrong_contract_is_named_with_what_is_wrong(tmp_path, old, new, complaint):
    path = tmp_path / "demo_wms" / "items.yaml"
    path.parent.mkdir()
    text = (CONTRACTS_FOLDER / "demo_wms" / "items.yaml").read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        read_contract(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["Sale-Lines", "_quarantine", "2_lines", *sorted(OWN_TABLES)])
def test_an_entity_has_a_name_that_a_table_of_its_own_can_have(tmp_path, name):
    path = tmp_path / "demo_wms" / f"{name}.yaml"
    path.parent.mkdir()
    text = (CONTRACTS_FOLDER / "demo_wms" / "items.yaml").read_text(encoding="utf-8")
    text = text.replace("id: demo_wms.items", f"id: demo_wms.{name}")
    path.write_text(text.replace("- name: items", f"- name: {name}"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"entity '{name}' can't be called so"):
        read_contract(path)


def test_the_tables_beside_the_entities_are_known():
    beside = {"extractions", "quarantine", MISSING, WITHDRAWN, UNREAD}
    assert beside == set(load.OWN_TABLES.values()) | {"extractions"} == OWN_TABLES


def test_an_unknown_entity_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="it has: inventory, items"):
        contract_of("demo_wms", "shoes")
