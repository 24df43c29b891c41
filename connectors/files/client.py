"""What lies in a folder of drops: which files are new, grown or rewritten, and their rows as text.

Nothing here knows a contract. A file is read in chunks that end where a record ends, so memory
stays bounded and a last line that is still being written waits for the next pass.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from connectors.base import SourceError, may_not_be_listed
from connectors.files.mapping import FileMapping

CHUNK_BYTES = 8 * 1024 * 1024
# A record longer than this means a quotation mark that never closes, not a long text.
_LONGEST_RECORD_BYTES = 1024 * 1024
_BLANKS = b" \t\r\n\x1a"
"""No record, though no line feed comes after them: the last one ends files of old systems."""
NOT_SEEN = (0, 0, 0)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class FileState:
    """How far a file has been read.

    ``size`` counts the bytes consumed, up to the end of a record; ``sha256`` is their digest.
    ``seen`` is (size on disk, mtime in ns, ctime in ns) when it was read to its end: while the
    three stand still, the file is not opened (ctime is there because copying tools set the others
    at will). Before the end is reached it is NOT_SEEN.
    """

    size: int
    sha256: str
    rows: int
    seen: tuple[int, int, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> FileState:
        size, sha256, rows = content["size"], content["sha256"], content["rows"]
        return cls(size, sha256, rows, tuple(content["seen"]))

    @classmethod
    def unread(cls) -> FileState:
        """Nothing of the file has been read."""
        return cls(0, hashlib.sha256().hexdigest(), 0, NOT_SEEN)


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be split into columns: its number in the file (from 1) and its text."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Rows of one file: ``columns`` by source name (text or None), and the state after them.

    ``first_row`` is the number in the file (from 1) of the first of all rows, broken ones included.
    """

    first_row: int
    columns: dict[str, list[str | None]]
    rows: int
    broken: list[BrokenRow]
    state: FileState


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Raises SourceError naming the file where the disk or its rights do not let it be read."""
    try:
        yield
    except OSError as error:
        raise SourceError("unreadable", f"{name}: {error.strerror or error}") from error


@dataclass
class Drop:
    """One file of the folder, with what is known of it from earlier passes.

    ``change`` is "unchanged", "new", "grown" or "rewritten". ``state`` moves on with the batches;
    when all have been taken, ``waiting_bytes`` is the length of a last record that is not finished
    yet. ``is_anew``: an earlier pass has read it, and it is read from its beginning again.
    """

    path: Path
    name: str
    mapping: FileMapping
    change: str
    state: FileState
    seen: tuple[int, int, int]
    is_anew: bool
    waiting_bytes: int = 0

    def batches(self) -> Iterator[Batch]:
        """The rows that no earlier pass has read. Raises SourceError naming the file."""
        readers = {"csv": _csv_batches, "ndjson": _ndjson_batches, "parquet": _parquet_batches}
        with readable(self.name):
            yield from readers[self.mapping.format](self)
            self.state = replace(self.state, seen=self.seen)

    def refuse_half_a_record(self) -> None:
        """Raise SourceError where the rest of the last record did not come since the pass before.

        It is not taken for whole: a number may be cut in its middle.
        """
        if not stood_still(self.change, self.state, self.seen):
            return
        with readable(self.name), self.path.open("rb") as handle:
            handle.seek(self.state.size)
            rest = handle.read(CHUNK_BYTES)
        if rest.strip(_BLANKS):
            raise SourceError(
                "cut",
                f"{self.name} ends in half a record after row {self.state.rows:,}, and no more has "
                "come since the pass before: have it sent again, close its quotation mark, or set "
                "final_newline: optional in the mapping if its last line never ends in a line feed",
            )


def list_drops(folder: Path, pattern: str, known: dict[str, FileState]) -> list[Path]:
    """Files that match, in name order: where files overlap, the later name is the later word.

    Raises SourceError when the folder is missing, or empty though files were read from it before,
    or may not be listed: that must not look like a quiet day.
    """
    if not folder.is_dir():
        raise SourceError("missing", f"no folder {folder}: create it or correct base_url")
    # A glob passes over what it may not list without a word.
    levels = [str(level) for level in PurePosixPath(pattern).parents if level.name]
    for place in (folder, *(place for level in levels for place in folder.glob(level))):
        _require_listing(place)
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    earlier = [name for name in known if PurePosixPath(name).match(pattern)]
    if earlier and not paths:
        raise SourceError(
            "missing",
            f"no file matches '{pattern}' in {folder}, where {len(earlier)} had been read: "
            "is the folder still mounted?",
        )
    return paths


def _require_listing(place: Path) -> None:
    try:
        os.scandir(place).close()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise may_not_be_listed(place, error) from error


def inspect(path: Path, name: str, mapping: FileMapping, known: FileState | None) -> Drop:
    """Compare a file with what was read of it. Raises SourceError when it cannot be opened."""
    # A Parquet file ends in its index and others in their trailer: bytes after it do not continue
    # the file, they replace it.
    may_grow = mapping.format != "parquet" and mapping.trailer is None
    change, state, seen = compare(path, name, known, may_grow)
    return Drop(path, name, mapping, change, state, seen, is_anew(change, state, known))


def compare(
    path: Path, name: str, known: FileState | None, may_grow: bool = True
) -> tuple[str, FileState, tuple[int, int, int]]:
    """How a file changed, from which state to read it, and how it looks on disk now.

    Raises SourceError when it cannot be opened, or is empty though it was not.
    """
    with readable(name):
        status = path.stat()
        seen = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if known is None:
            return "new", FileState.unread(), seen
        if known.seen == seen:
            return "unchanged", known, seen
        same_beginning = status.st_size >= known.size and _digest(path, known.size) == known.sha256
    if not same_beginning:
        if status.st_size == 0:
            raise SourceError(
                "truncated", f"{name} is empty, though {known.rows:,} rows had been read from it"
            )
        return "rewritten", FileState.unread(), seen
    if status.st_size == known.size:
        return "unchanged", replace(known, seen=seen), seen
    if known.size and not may_grow:
        return "rewritten", FileState.unread(), seen
    return "grown", replace(known, seen=NOT_SEEN), seen


def stood_still(change: str, state: FileState, seen: tuple[int, int, int]) -> bool:
    """Whether nobody has touched a file since a pass that had to wait for its end."""
    return change == "unchanged" and state.size < seen[0]


def is_anew(change: str, state: FileState, known: FileState | None) -> bool:
    """Whether a file that earlier passes have read is to be read from its beginning again."""
    return known is not None and change != "unchanged" and state.size == 0


def _digest(path: Path, size: int) -> str:
    """SHA-256 of the first ``size`` bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while size > 0 and (block := handle.read(min(size, CHUNK_BYTES))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _end_of_last_record(buffer: bytes, quote: bytes) -> int:
    """Position after the last line feed that is outside quotation marks; 0 when there is none."""
    end = buffer.rfind(b"\n")
    if not quote or end < 0:
        return end + 1
    # An even count of marks before a line feed means that it ends a record.
    marks = buffer.count(quote, 0, end)
    while end >= 0 and marks % 2:
        earlier = buffer.rfind(b"\n", 0, end)
        marks -= buffer.count(quote, max(earlier, 0), end)
        end = earlier
    return end + 1


def _complete_records(drop: Drop, handle: BinaryIO, quote: bytes) -> Iterator[bytes]:
    """Chunks of whole records from where ``handle`` stands; sets ``waiting_bytes`` at the end."""
    rest = b""
    while True:
        block = handle.read(CHUNK_BYTES)
        buffer = rest + block
        end = _end_of_last_record(buffer, quote)
        if not block and drop.mapping.final_newline == "optional":
            end = len(buffer)
        rest = buffer[end:]
        if end:
            yield buffer[:end]
        if len(rest) > _LONGEST_RECORD_BYTES and b"\n" in rest:
            raise SourceError(
                "unclosed_quote",
                f"{drop.name}: a quotation mark opened after row {drop.state.rows:,} is never "
                "closed; repair the file, or set quote: '' in the mapping if marks mean nothing",
            )
        if not block:
            drop.waiting_bytes = len(rest.strip(_BLANKS))
            return


def _decode(drop: Drop, content: bytes) -> str:
    try:
        return content.decode(drop.mapping.encoding)
    except UnicodeDecodeError as error:
        line = drop.state.rows + content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            "encoding",
            f"{drop.name}: byte {content[error.start]:#04x} near row {line:,} is not "
            f"{drop.mapping.encoding}; set the file's encoding in the mapping",
        ) from error


def _advance(drop: Drop, digest: Any, consumed: bytes, rows: int) -> FileState:
    digest.update(consumed)
    drop.state = replace(
        drop.state,
        size=drop.state.size + len(consumed),
        sha256=digest.hexdigest(),
        rows=drop.state.rows + rows,
    )
    return drop.state


def resume(state: FileState, handle: BinaryIO) -> Any:
    """Digest of the part already read, with ``handle`` placed behind it."""
    digest = hashlib.sha256()
    remaining = state.size
    while remaining > 0 and (block := handle.read(min(remaining, CHUNK_BYTES))):
        digest.update(block)
        remaining -= len(block)
    return digest


def _require_columns(drop: Drop, present: list[str]) -> None:
    """Raise SourceError unless every mapped column is there exactly once."""
    missing = [name for name in drop.mapping.source_columns if name not in present]
    doubled = [name for name in drop.mapping.source_columns if present.count(name) > 1]
    if missing or doubled:
        problem = (
            f"lacks the columns {missing}"
            if missing
            else f"has the columns {doubled} more than once"
        )
        raise SourceError("schema", f"{drop.name} {problem}; its header is {present}")


def _csv_header(drop: Drop) -> tuple[list[str], int]:
    """Column names and the length in bytes of the header with its byte order mark."""
    quote = drop.mapping.quote.encode()
    with drop.path.open("rb") as handle:
        beginning = handle.read(_LONGEST_RECORD_BYTES)
    length = 0
    while (line_end := beginning.find(b"\n", length)) >= 0:
        length = line_end + 1
        if not quote or beginning.count(quote, 0, length) % 2 == 0:
            break
    else:
        return [], 0
    text = _decode(drop, beginning[:length].removeprefix(_BYTE_ORDER_MARK))
    dialect: dict[str, Any] = {"delimiter": drop.mapping.delimiter}
    if drop.mapping.quote:
        dialect["quotechar"] = drop.mapping.quote
    else:
        dialect["quoting"] = csv.QUOTE_NONE
    return [name.strip() for name in next(csv.reader([text], **dialect), [])], length


def _csv_batches(drop: Drop) -> Iterator[Batch]:
    header, header_length = _csv_header(drop)
    if not header:
        drop.waiting_bytes = drop.path.stat().st_size
        return
    _require_columns(drop, header)
    with drop.path.open("rb") as handle:
        digest = resume(drop.state, handle)
        if drop.state.size == 0:
            _advance(drop, digest, handle.read(header_length), 0)
        for chunk in _complete_records(drop, handle, drop.mapping.quote.encode()):
            first_row = drop.state.rows + 1
            columns, rows, broken = _parse_csv(drop, header, chunk)
            state = _advance(drop, digest, chunk, rows + len(broken))
            yield Batch(first_row, columns, rows, broken, state)


def _parse_csv(
    drop: Drop, header: list[str], chunk: bytes
) -> tuple[dict[str, list[str | None]], int, list[BrokenRow]]:
    broken: list[BrokenRow] = []

    def keep_broken(row: pyarrow.csv.InvalidRow) -> str:
        number = drop.state.rows + (row.number or 0)
        reason = f"{row.actual_columns} columns instead of {row.expected_columns}"
        broken.append(BrokenRow(number, row.text, reason))
        return "skip"

    # Positions, not names: a header may repeat a name that nobody needs.
    positions = [str(index) for index in range(len(header))]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(_decode(drop, chunk).encode()),
            read_options=pyarrow.csv.ReadOptions(
                column_names=positions,
                use_threads=False,  # only then are the numbers of broken rows known
                block_size=len(chunk) * 4 + 1,  # re-encoded text may be longer than its bytes
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=drop.mapping.delimiter,
                quote_char=drop.mapping.quote or False,
                newlines_in_values=bool(drop.mapping.quote),
                invalid_row_handler=keep_broken,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError("malformed", f"{drop.name} cannot be read as CSV: {error}") from error
    columns: dict[str, list[str | None]] = {}
    for index, name in enumerate(header):
        columns.setdefault(name, table.column(index).to_pylist())
    return columns, table.num_rows, broken


def _ndjson_batches(drop: Drop) -> Iterator[Batch]:
    with drop.path.open("rb") as handle:
        digest = resume(drop.state, handle)
        for chunk in _complete_records(drop, handle, b""):
            records: list[dict[str, str | None]] = []
            broken: list[BrokenRow] = []
            lines = [line for line in _decode(drop, chunk).split("\n") if line.strip(" \r\ufeff")]
            for number, line in enumerate(lines, start=drop.state.rows + 1):
                try:
                    # Numbers keep the text that the source wrote: 1.10 stays 1.10.
                    content = json.loads(line.lstrip("\ufeff"), parse_float=Decimal)
                except json.JSONDecodeError as error:
                    broken.append(BrokenRow(number, line, f"not JSON: {error}"))
                    continue
                if not isinstance(content, dict):
                    broken.append(BrokenRow(number, line, "not a JSON object"))
                    continue
                records.append({name: _as_text(value) for name, value in content.items()})
            # JSON leaves empty fields out, so a mapped column may be absent from a whole chunk.
            names = dict.fromkeys([*drop.mapping.source_columns, *(n for r in records for n in r)])
            columns = {name: [record.get(name) for record in records] for name in names}
            first_row = drop.state.rows + 1
            state = _advance(drop, digest, chunk, len(lines))
            yield Batch(first_row, columns, len(records), broken, state)


def _parquet_batches(drop: Drop) -> Iterator[Batch]:
    size = drop.path.stat().st_size
    digest = _digest(drop.path, size)
    taken = 0
    try:
        with pyarrow.parquet.ParquetFile(drop.path) as file:
            _require_columns(drop, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=50_000):
                columns = {
                    name: _column_as_text(column)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
                taken += batch.num_rows
                # The state moves only with the last row: a file is read whole or again.
                if taken == file.metadata.num_rows:
                    drop.state = FileState(size, digest, taken, NOT_SEEN)
                yield Batch(taken - batch.num_rows + 1, columns, batch.num_rows, [], drop.state)
    except pa.ArrowInvalid as error:
        raise SourceError(
            "malformed", f"{drop.name} is no complete Parquet file (cut short?): {error}"
        ) from error


def _column_as_text(column: pa.Array) -> list[str | None]:
    nested = pa.types.is_nested(column.type) or pa.types.is_binary(column.type)
    if nested or pa.types.is_floating(column.type) or pa.types.is_dictionary(column.type):
        return [_as_text(value) for value in column.to_pylist()]
    return column.cast(pa.string()).to_pylist()


def _as_text(value: Any) -> str | None:
    """A typed value as text; a binary number, never exact, to six decimals; nested ones as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
