"""From a source's documents to records: contract columns by their source paths, one a line.

The contract says where each column lies (``status`` in the header, ``lines[].qty`` in each line),
so that field names are stated once, there, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.base import Record
from registry.contracts import Contract

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class DocumentReader:
    """Explodes documents to the grain of one contract.

    Values are untouched. A field that no column names travels under its own path (``lines[].new``),
    so that ingestion can report it. A document without the list of lines that the contract expects
    gives one record with the header only: it breaks the contract and is quarantined, not lost.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._header: dict[str, str] = {}
        self._line: dict[str, str] = {}
        self._list_field: str | None = None
        for column in contract.columns:
            owner, separator, field = column.source_field.partition("[].")
            if separator:
                self._list_field = owner
                self._line[field] = column.name
            else:
                self._header[owner] = column.name
        self._names = {column.name for column in contract.columns}

    def records(self, documents: Iterable[Any]) -> list[Record]:
        """The records of some documents, in their order."""
        return [record for document in documents for record in self._explode(document)]

    def _explode(self, document: Any) -> Iterable[Record]:
        if not isinstance(document, dict):
            return [Record(record_id="", fields={}, raw=_encode(document))]
        list_field = self._list_field
        if list_field is None:
            fields = self._pick(document, self._header, "")
            return [self._record(fields, _encode(document))]
        header = {name: value for name, value in document.items() if name != list_field}
        fields = self._pick(header, self._header, "")
        lines = document.get(list_field)
        if not isinstance(lines, list) or not lines:
            return [self._record(fields, _encode(document))]
        opening = _encode(header)[:-1] + ("," if header else "")
        opening += f'"{list_field}":['
        return [self._line_record(fields, line, opening) for line in lines]

    def _line_record(self, header: Mapping[str, Any], line: Any, opening: str) -> Record:
        raw = f"{opening}{_encode(line)}]}}"
        if not isinstance(line, dict):
            return self._record(header, raw)
        fields = dict(header)
        fields.update(self._pick(line, self._line, f"{self._list_field}[]."))
        return self._record(fields, raw)

    def _record(self, fields: Mapping[str, Any], raw: str) -> Record:
        column = self._contract.reference_column
        reference = fields.get(column) if column else None
        return Record(
            record_id=self._contract.record_id(fields),
            fields=fields,
            raw=raw,
            reference=None if reference is None else str(reference),
        )

    def _pick(self, part: dict[str, Any], names: Mapping[str, str], path: str) -> dict[str, Any]:
        fields = {names[field]: value for field, value in part.items() if field in names}
        if len(fields) < len(part):
            for field, value in part.items():
                if field not in names and path + field not in self._names:
                    fields[path + field] = value
        return fields
