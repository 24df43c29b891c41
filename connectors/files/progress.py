"""How far the files of a folder have been read, and which of them no longer say what they said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from connectors.base import Page, Record, SourceError
from connectors.files.client import NOT_SEEN, FileState


@dataclass
class Cursor:
    """How far every file of one entity has been read, under which reading of them.

    Another reading (mapping, shapes, contract) means other values, so a change of it makes every
    file unread.
    """

    reading: str
    files: dict[str, FileState] = field(default_factory=dict)

    def dump(self) -> str:
        files = {name: state.as_json() for name, state in sorted(self.files.items())}
        return json.dumps({"reading": self.reading, "files": files}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str | None, reading: str) -> Cursor:
        content = json.loads(text) if text else {}
        files = {
            name: FileState.from_json(state) for name, state in content.get("files", {}).items()
        }
        if content.get("reading") != reading:
            files = {name: FileState.unread() for name in files}
        return cls(reading, files)


class FolderPass:
    """One pass over the files of an entity, from the cursor of the one before.

    What a pass does not come to keeps its place. A file that is read again from its beginning keeps
    its old one until all of it has been told anew: only then does what it said before no longer
    count (``connectors.base.Page.withdrawn``). ``failures``: of files that could not be read, each
    naming its file.
    """

    def __init__(self, entity: str, known: Cursor) -> None:
        self.known = known.files
        self.failures: list[SourceError] = []
        self._entity = entity
        self._reached = Cursor(known.reading, dict(known.files))
        self._listed: set[str] = set()
        self._withdrawn: list[str] = []

    def begin(self, name: str) -> FileState | None:
        """What is known of a file that lies in the folder."""
        self._listed.add(name)
        return self.known.get(name)

    def advance(self, name: str, state: FileState, is_anew: bool) -> None:
        """A part of a file has been told."""
        if not is_anew:
            self._reached.files[name] = state

    def end(self, name: str, state: FileState, is_anew: bool) -> None:
        """All of a file has been told."""
        self._reached.files[name] = state
        if is_anew:
            self._withdrawn.append(name)

    def reread(self, name: str) -> None:
        """A file is to be told from its beginning as soon as it can be read."""
        if name in self.known:
            self._reached.files[name] = replace(self.known[name], sha256="", seen=NOT_SEEN)

    def could_not_list(self, error: SourceError) -> None:
        """Nobody knows which files are there: none is taken for gone."""
        self.failures.append(error)
        self._listed.update(self.known)

    def page(self, records: list[Record]) -> Page:
        """Records of what has been told so far, with the files told anew since the page before."""
        withdrawn, self._withdrawn = tuple(self._withdrawn), []
        return Page(self._entity, records, self._reached.dump(), withdrawn=withdrawn)

    def last_page(self, records: list[Record]) -> Page:
        """The page after which all files have been looked at; those that are gone are withdrawn."""
        gone = [name for name in self.known if name not in self._listed]
        for name in gone:
            del self._reached.files[name]
        self._withdrawn += gone
        return self.page(records)

    def raise_failures(self) -> None:
        """One SourceError that names every file that could not be read."""
        if self.failures:
            message = "; ".join(str(failure) for failure in self.failures)
            raise SourceError(self.failures[0].kind, message) from self.failures[0]
