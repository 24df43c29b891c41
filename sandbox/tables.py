"""Documents of one kind in one system, ready to serve: current ones by time, feeds by sequence.

Documents are kept as the JSON text that is served, so that a page is a join of strings. While a
history is projected (``bulk``) they are kept as dictionaries too and written out once, by ``seal``.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """Compact JSON."""
    return _encode(value)


def _rank(order: str, record_id: str) -> tuple[str, int, str]:
    """Sort key by (order, id), with numbers in the order of their value."""
    return order, len(record_id), record_id


class Table:
    """Documents of one entity, keyed by ``identity`` (several fields are joined with ``@``).

    ``order_field``: the text field by which pages of current documents are ordered (then by id).
    ``feed``: every ``put`` appends the whole document again under the next ``sequence_field``.
    ``version_field``: counts the changes of a document; an older version than the current one that
    is put is appended to the feed and nothing else.
    ``on_write(entity, record id, sequence or None, text)`` is called for every version stored.
    """

    def __init__(
        self,
        entity: str,
        identity: tuple[str, ...],
        order_field: str | None = None,
        sequence_field: str | None = None,
        indexes: tuple[str, ...] = (),
        version_field: str | None = None,
    ) -> None:
        self.entity = entity
        self.identity = identity
        self.order_field = order_field
        self.sequence_field = sequence_field
        self.indexes = indexes
        self.version_field = version_field
        self._newest: dict[str, int] = {}
        self.on_write: Callable[[str, str, int | None, str], None] | None = None
        self._texts: dict[str, str] = {}
        self._working: dict[str, Document] = {}
        self._bulk = False
        self._feed: list[str] = []
        self._order_of: dict[str, str] = {}
        self._ordered: list[tuple[str, int, str]] = []
        self._indexes: dict[str, dict[str, list[str]]] = {field: {} for field in indexes}

    def __len__(self) -> int:
        return len(self._working) if self._bulk else len(self._texts)

    def __contains__(self, record_id: str) -> bool:
        return record_id in (self._working if self._bulk else self._texts)

    @property
    def high_water(self) -> int:
        """The last sequence of a feed."""
        return len(self._feed)

    def id_of(self, document: Document) -> str:
        """The record id of a document."""
        return "@".join([str(document[field]) for field in self.identity])

    def edit(self, record_id: str) -> Document:
        """The document, to be changed and put back. Raises KeyError."""
        if self._bulk:
            return self._working[record_id]
        document: Document = json.loads(self._texts[record_id])
        return document

    def put(self, document: Document) -> None:
        """Store a new version."""
        record_id = self.id_of(document)
        if self._bulk:
            if self._indexes and record_id not in self._working:
                self._index(record_id, document)
            if self._is_newest(record_id, document):
                self._working[record_id] = document
            if self.sequence_field is not None:
                document[self.sequence_field] = len(self._feed) + 1
                self._feed.append(_encode(document))
            return
        if record_id not in self._texts:
            self._index(record_id, document)
        sequence = None
        if self.sequence_field is not None:
            sequence = document[self.sequence_field] = len(self._feed) + 1
        text = _encode(document)
        if self._is_newest(record_id, document):
            self._texts[record_id] = text
        if sequence is not None:
            self._feed.append(text)
        if self.order_field is not None:
            self._reorder(record_id, str(document[self.order_field]))
        if self.on_write is not None:
            self.on_write(self.entity, record_id, sequence, text)

    def history(self, record_ids: list[str]) -> list[Document]:
        """Every version of some documents of a feed, oldest first."""
        likely = (text for text in self._feed if any(one in text for one in record_ids))
        versions: list[Document] = [json.loads(text) for text in likely]
        return [version for version in versions if self.id_of(version) in record_ids]

    def begin_bulk(self) -> None:
        """From now on keep dictionaries, until ``seal``. Only for a table that is still empty."""
        self._bulk = True

    def seal(self) -> None:
        """Write out what was put in bulk."""
        self._texts = {record_id: _encode(doc) for record_id, doc in self._working.items()}
        if self.order_field is not None:
            self._order_of = {
                record_id: str(doc[self.order_field]) for record_id, doc in self._working.items()
            }
            self.finish_loading()
        self._working = {}
        self._bulk = False

    def versions(self) -> list[tuple[str, int | None, str]]:
        """All that must be persisted after ``seal``: (record id, sequence, text), oldest first."""
        if self.sequence_field is None:
            return [(record_id, None, text) for record_id, text in self._texts.items()]
        return [("", position, text) for position, text in enumerate(self._feed, start=1)]

    def load(self, record_id: str, sequence: int | None, text: str) -> None:
        """Take back one persisted version, oldest first."""
        document: Document = json.loads(text)
        record_id = record_id or self.id_of(document)
        if record_id not in self._texts:
            self._index(record_id, document)
        if self._is_newest(record_id, document):
            self._texts[record_id] = text
        if sequence is not None:
            self._feed.append(text)
        if self.order_field is not None:
            self._order_of[record_id] = str(document[self.order_field])

    def finish_loading(self) -> None:
        """Order what was loaded."""
        self._ordered = sorted(_rank(order, found) for found, order in self._order_of.items())

    def by(self, field: str, value: str) -> list[Document]:
        """Documents whose ``field`` (an index or the id) has a value, oldest first."""
        return [self.edit(record_id) for record_id in self.ids_by(field, value)]

    def ids_by(self, field: str, value: str) -> list[str]:
        """Ids of the documents whose ``field`` has a value."""
        if (field,) == self.identity:
            return [value] if value in self else []
        return self._indexes[field].get(value, [])

    def texts_by(self, field: str, value: str) -> list[str]:
        """The texts of ``by``."""
        return [self._texts[record_id] for record_id in self.ids_by(field, value)]

    def text(self, record_id: str) -> str:
        """The document's text. Raises KeyError."""
        return self._texts[record_id]

    def ids(self) -> list[str]:
        """All ids, in the order of their creation."""
        return list(self._working if self._bulk else self._texts)

    def page_from(self, order: str, skip: int, limit: int) -> tuple[list[str], int]:
        """Texts with ``order_field`` >= ``order`` in (order, id) order, and how many there are."""
        start = bisect.bisect_left(self._ordered, _rank(order, ""))
        rows = self._ordered[start + skip : start + skip + limit]
        return [self._texts[record_id] for _, _, record_id in rows], len(self._ordered) - start

    def page_after(
        self, order: str, record_id: str, limit: int
    ) -> tuple[list[str], tuple[str, str] | None]:
        """Texts after the pair in (order, id) order, and the last pair if more follow."""
        start = bisect.bisect_right(self._ordered, _rank(order, record_id))
        rows = self._ordered[start : start + limit]
        more = start + limit < len(self._ordered)
        last = (rows[-1][0], rows[-1][2]) if more else None
        return [self._texts[found] for _, _, found in rows], last

    def feed_after(self, sequence: int, limit: int) -> list[str]:
        """Texts of the feed with a greater sequence."""
        return self._feed[max(0, sequence) : max(0, sequence) + limit]

    def _is_newest(self, record_id: str, document: Document) -> bool:
        """Whether no newer version of a document was put before."""
        if self.version_field is None:
            return True
        version: int = document[self.version_field]
        newest = self._newest[record_id] = max(version, self._newest.get(record_id, version))
        return version == newest

    def _index(self, record_id: str, document: Document) -> None:
        for field, found in self._indexes.items():
            found.setdefault(str(document[field]), []).append(record_id)

    def _reorder(self, record_id: str, order: str) -> None:
        before = self._order_of.get(record_id)
        if before is not None:
            del self._ordered[bisect.bisect_left(self._ordered, _rank(before, record_id))]
        self._order_of[record_id] = order
        bisect.insort(self._ordered, _rank(order, record_id))
