"""A partner's folder: which files are new or changed, and the cursor that says what was read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors.base import SourceError, may_not_be_listed
from connectors.x12.interchange import ISA_BYTES, split_interchanges

INBOUND, OUTBOUND = "inbound", "outbound"
DIRECTIONS = (INBOUND, OUTBOUND)
# Where people put what is not to be read; anything else below the two folders is.
IGNORED_FOLDER = "rejected"
_UNFINISHED = (".tmp", ".part", ".filepart", ".writing")
# What no partner's delimiters or encoding can make look otherwise.
_PLAIN = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class FileState:
    """A file as it was read: size, times (ns) and the interchanges in it (identity -> digest).

    ``refused``: identities of those that were refused, whose numbers may come again.
    ``is_answered``: what it asks for has been acknowledged.
    """

    seen: tuple[int, int, int]
    interchanges: dict[str, str] = field(default_factory=dict)
    is_answered: bool = True
    refused: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        content: dict[str, Any] = {"seen": self.seen, "has": self.interchanges}
        if not self.is_answered:
            content["unanswered"] = True
        if self.refused:
            content["refused"] = self.refused
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> FileState:
        return cls(
            tuple(content["seen"]),
            content["has"],
            not content.get("unanswered", False),
            tuple(content.get("refused", ())),
        )

    def unread(self) -> FileState:
        """The same file as one that is to be read anew."""
        return replace(self, seen=(-1, -1, -1))


@dataclass
class Cursor:
    """What was read of each file, under which profile and contracts: others mean other records."""

    reading: str
    files: dict[str, FileState] = field(default_factory=dict)

    def dump(self) -> str:
        files = {name: state.as_json() for name, state in sorted(self.files.items())}
        return json.dumps({"reading": self.reading, "files": files}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str | None, reading: str) -> Cursor:
        content = json.loads(text) if text else {}
        if content.get("reading") != reading:
            # All is read anew.
            return cls(
                reading,
                {
                    name: FileState.from_json(state).unread()
                    for name, state in content.get("files", {}).items()
                },
            )
        return cls(
            reading,
            {name: FileState.from_json(state) for name, state in content["files"].items()},
        )


@dataclass(frozen=True)
class PartnerFile:
    """A file of the partner's folder; ``name`` is its path below that."""

    path: str
    name: str
    direction: str
    seen: tuple[int, int, int]

    def read(self) -> bytes:
        """Its content. Raises SourceError naming the file."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 (as plain text)
                return file.read()
        except OSError as error:
            raise SourceError("unreadable", f"{self.name}: {error.strerror or error}") from error


def partner_files(folder: Path, direction: str) -> Iterator[PartnerFile]:
    """The files of a direction in name order, without drafts. Raises SourceError without the
    folder, or where one below it may not be listed: that must not look like a quiet day."""
    root = folder / direction
    if not root.is_dir():
        raise SourceError(
            "missing", f"no folder {root}: create it, or correct base_url of the system"
        )
    # Listed for each entity and each look before sending, with thousands of files: as plain text,
    # and one look at each.
    above = len(str(folder)) + 1
    for entry in sorted(_finished(str(root)), key=_parts):
        try:
            status = entry.stat()
        except FileNotFoundError:
            # Taken away between the listing and the look, as a transport does.
            continue
        except OSError as error:
            raise may_not_be_listed(entry.path, error) from error
        if stat.S_ISREG(status.st_mode):
            name = entry.path[above:].replace(os.sep, "/")
            seen = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            yield PartnerFile(entry.path, name, direction, seen)


def _parts(entry: os.DirEntry[str]) -> list[str]:
    return entry.path.split(os.sep)  # noqa: PTH206 (as plain text)


def _finished(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        # A subfolder that was taken away since its parent was listed.
        return
    except OSError as error:
        raise may_not_be_listed(folder, error) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name != IGNORED_FOLDER:
                yield from _finished(entry.path)
        elif not entry.name.lower().endswith(_UNFINISHED):
            yield entry


def identities(payload: bytes) -> list[tuple[str, str, bytes]]:
    """(identity, digest, text) of each interchange in a file, without reading further than its
    header; where that can't be told the identity is empty."""
    return [
        (_identity(chunk), hashlib.sha256(chunk.strip()).hexdigest()[:16], chunk)
        for chunk in split_interchanges(payload)
    ]


def mentions(payload: bytes, codes: frozenset[str]) -> bool:
    """Whether a file may hold one of the sets: cheap, and never wrong when it says no."""
    wanted = "|".join(sorted(map(re.escape, codes))).encode()
    x12 = rb"ST[^A-Za-z0-9](?:" + wanted + rb")[^A-Za-z0-9]"
    edifact = rb"UNH[^A-Za-z0-9].{1,80}?[^A-Za-z0-9](?:" + wanted + rb")[^A-Za-z0-9]"
    return re.search(x12 + rb"|" + edifact, payload, re.DOTALL) is not None


def holds_one(chunk: bytes, numbers: Collection[str]) -> bool:
    """Whether an interchange may hold one of the numbers: cheap, and never wrong when it says no.
    Without numbers, or with one that may be written otherwise there, it says yes."""
    if not numbers or not all(_PLAIN.fullmatch(number) for number in numbers):
        return True
    if chunk.startswith((b"UNA", b"UNB")):
        # EDIFACT: its release character may stand before any other.
        chunk = chunk.replace(chunk[6:7] if chunk.startswith(b"UNA") else b"?", b"")
    return any(number.encode() in chunk for number in numbers)


def _identity(chunk: bytes) -> str:
    text = chunk.decode("latin-1")
    if text.startswith("ISA") and len(text) >= ISA_BYTES:
        return f"{text[35:50].strip()}/{text[90:99].strip()}/20{text[70:76]}{text[77:81]}"
    return ""
