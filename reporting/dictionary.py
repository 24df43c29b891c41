"""The data dictionary: docs/data-dictionary.md, generated from the contracts and dbt's manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.contracts import Contract, load_contracts
from registry.errors import ConfigurationError

# In the order in which data goes through them.
LAYERS = {
    "landing": "What each system said, typed by its contract. One view an entity of a connector.",
    "seeds": "Configuration as data: rules, authority, mappings.",
    "staging": "One to one with landing: renamed, cast, in UTC, one row a version of a record.",
    "intermediate": "Adapters into canonical shapes, then one union of each.",
    "core": "The canonical history: milestones, links, compared fields, stock, dimensions.",
    "reconciliation": "Duties, what is known when, exceptions, proposals and proofs.",
    "marts": "What people and tools read.",
}


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str
    description: str


@dataclass(frozen=True)
class Relation:
    """One table or view of the warehouse."""

    layer: str
    name: str
    description: str
    grain: str
    columns: tuple[Column, ...]


def write_dictionary(manifest: Path, page: Path) -> None:
    """Write the page. Raises ConfigurationError when there is no manifest."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(relations(manifest)), encoding="utf-8")


def relations(manifest: Path) -> list[Relation]:
    """Everything that the page describes, in its order."""
    if not manifest.is_file():
        raise ConfigurationError(f"no dbt manifest at {manifest}: run `make setup`")
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    found = [*map(_of_contract, load_contracts()), *_of_nodes(nodes)]
    order = {layer: number for number, layer in enumerate(LAYERS)}
    return sorted(found, key=lambda r: (order.get(r.layer, len(order)), r.layer, r.name))


def undocumented(described: Iterable[Relation]) -> list[str]:
    """Every relation and column without a description, as ``layer.relation[.column]``."""
    missing = []
    for relation in described:
        place = f"{relation.layer}.{relation.name}"
        if not relation.description:
            missing.append(place)
        missing += [f"{place}.{c.name}" for c in relation.columns if not c.description]
    return missing


def _of_contract(contract: Contract) -> Relation:
    return Relation(
        layer="landing",
        name=contract.name,
        description=contract.description,
        grain=contract.grain,
        columns=tuple(
            Column(column.name, column.duckdb_type.lower(), column.description)
            for column in contract.columns
        ),
    )


def _of_nodes(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Relation]:
    for node in nodes:
        if node["resource_type"] not in {"model", "seed"}:
            continue
        yield Relation(
            layer="seeds" if node["resource_type"] == "seed" else node["fqn"][1],
            # Models' names are unique over layers, tables' are not: some models go by an alias.
            name=node["alias"],
            description=_line(node["description"]) or _leading_comment(node),
            grain=_line(str(node["config"].get("meta", {}).get("grain", ""))),
            columns=tuple(
                Column(
                    column["name"],
                    (column["data_type"] or "").lower(),
                    _line(column["description"]),
                )
                for column in node["columns"].values()
            ),
        )


def _leading_comment(node: Mapping[str, Any]) -> str:
    """What a model's file says of itself at its top: every model begins with such a line."""
    lines = []
    for line in node.get("raw_code", "").splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split())


def render(described: Iterable[Relation]) -> str:
    """The page as Markdown."""
    by_layer: dict[str, list[Relation]] = {}
    for relation in described:
        by_layer.setdefault(relation.layer, []).append(relation)
    parts = [
        "# Data dictionary",
        "",
        "Generated from the contracts and the dbt project by `make docs`; do not edit.",
        "Times are UTC, quantities are in base units, and amounts are never added over currencies.",
        "",
    ]
    parts += [
        f"- [{layer}](#{layer}): "
        + ", ".join(f"[{relation.name}](#{layer}{relation.name})" for relation in members)
        for layer, members in by_layer.items()
    ]
    for layer, members in by_layer.items():
        parts += ["", f"## {layer}", "", LAYERS.get(layer, "")]
        for relation in members:
            parts += ["", f"### {layer}.{relation.name}", "", relation.description]
            if relation.grain:
                parts += ["", f"Grain: {relation.grain}"]
            if relation.columns:
                parts += ["", "| column | type | what it is |", "|---|---|---|"]
                parts += [
                    f"| {column.name} | {column.data_type} | {_cell(column.description)} |"
                    for column in relation.columns
                ]
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
