"""JSON documents in the files of an inbox: one a file, one a line, or any number one after another.

Nothing here knows a carrier. A file may still be written while it is read: a last document that is
not finished waits for the next pass, and is broken when the file has stood still since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.base import SourceError
from connectors.files.client import (
    CHUNK_BYTES,
    FileState,
    compare,
    is_anew,
    readable,
    resume,
    stood_still,
)

# Numbers keep the text that the source wrote.
_decode = json.JSONDecoder(parse_float=Decimal).raw_decode
_BETWEEN = re.compile(r"[\s\ufeff]*")
# Where a document may begin again after a broken one: what is indented belongs to another.
_NEXT_DOCUMENT = re.compile(r"^[\[{]", re.MULTILINE)
# A literal or an escape that the end of the text cut in two is reported where it began.
_LONGEST_TOKEN = 6


@dataclass(frozen=True)
class Document:
    """One document, the byte of the file where it begins, and why it can't be read if it can't."""

    offset: int
    text: str
    content: Any = None
    problem: str | None = None


class InboxFile:
    """One file with what earlier passes read of it. Raises SourceError naming the file.

    ``state`` moves on with the documents. When all have been taken, ``waiting_bytes`` is the length
    of a last one that is not finished yet. ``is_anew``: an earlier pass has read it, and it is read
    from its beginning again.
    """

    def __init__(self, path: Path, name: str, known: FileState | None) -> None:
        self.name = name
        self.waiting_bytes = 0
        self._path = path
        self.change, self.state, self._seen = compare(path, name, known)
        self.is_anew = is_anew(self.change, self.state, known)
        self._stood_still = stood_still(self.change, self.state, self._seen)

    def documents(self) -> Iterator[Document]:
        """The documents that no earlier pass has read."""
        if self.change == "unchanged" and not self._stood_still:
            return
        with readable(self.name), self._path.open("rb") as handle:
            digest = resume(self.state, handle)
            rest = b""
            while True:
                block = handle.read(CHUNK_BYTES)
                rest += block
                # A line feed never lies within a character.
                ready = rest[: rest.rfind(b"\n") + 1] if block else rest
                taken = 0
                for document in self._split(ready, is_end=not block):
                    size = len(document.text.encode())
                    digest.update(rest[taken : taken + size])
                    taken += size
                    self.state = replace(
                        self.state,
                        size=self.state.size + size,
                        sha256=digest.hexdigest(),
                        rows=self.state.rows + 1,
                    )
                    yield document
                rest = rest[taken:]
                if not block:
                    break
        self.waiting_bytes = len(rest.strip())
        if not self.waiting_bytes:
            digest.update(rest)
            self.state = replace(
                self.state, size=self.state.size + len(rest), sha256=digest.hexdigest()
            )
        self.state = replace(self.state, seen=self._seen)

    def _split(self, content: bytes, is_end: bool) -> Iterator[Document]:
        """Whole documents of a text, each with the blanks before it."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SourceError(
                "encoding",
                f"{self.name}: byte {content[error.start]:#04x} near byte "
                f"{self.state.size + error.start:,} is not UTF-8, as JSON must be; have it "
                f"written again",
            ) from error
        position = 0
        while (start := _end_of_blanks(text, position)) < len(text):
            offset, value, problem = self.state.size, None, None
            try:
                value, end = _decode(text, start)
            except (json.JSONDecodeError, RecursionError) as error:
                is_cut = isinstance(error, json.JSONDecodeError) and _is_cut(error, text)
                following = _NEXT_DOCUMENT.search(text, start + 1)
                if (is_cut and not self._stood_still) or (following is None and not is_end):
                    return
                end = following.start() if following else len(text)
                problem = f"not JSON: {error}"
            yield Document(offset, text[position:end], value, problem)
            position = end


def _end_of_blanks(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the text merely ends too early."""
    return error.msg.startswith("Unterminated string") or (
        error.pos >= len(text.rstrip()) - _LONGEST_TOKEN
    )
