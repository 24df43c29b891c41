"""The mapping of one kind of file to one contract entity: read from YAML, checked, and applied.

A mapping says where the files are, how they are written and which source column fills which column
of the contract. Dirt that is known is named in it: texts that stand where a date or a number should
be are *kept* (the source's text stays, the typed column is empty), cross references are recognised,
codes are translated. What matches nothing is passed on as it is, so that the contract refuses it
and the whole row goes to quarantine with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from registry.contracts import Contract
from registry.errors import ConfigurationError
from registry.texts import read_text

# Names that people use for date formats -> strptime patterns; a text with % is a pattern itself.
DATE_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYYMMDD": "%Y%m%d",
    "M/D/YY": "%m/%d/%y",
    "M/D/YYYY": "%m/%d/%Y",
    "D/M/YYYY": "%d/%m/%Y",
    "D.M.YYYY": "%d.%m.%Y",
    "DD-Mon-YY": "%d-%b-%y",
    "DD-Mon-YYYY": "%d-%b-%Y",
    # Looks like ISO and is not: a spreadsheet took M-D-YY for YY-MM-DD and put "20" in front.
    # "2001-03-13" is 3 January 2013.
    "20MM-DD-YY": "20%m-%d-%y",
}
# How a value got its place; written to `<column>_method`.
MAPPED = "mapped"  # typed as it stands (a date says its format instead)
BLANK = "blank"  # nothing was entered
KEPT = "kept"  # a known text instead of a value: kept as the source's word
REFERENCE = "reference"  # points to the record that holds the value
UNMAPPED = "unmapped"  # a code without a translation: a work list, the row stays
REFUSED = "refused"  # matches nothing: the contract will refuse the row

# Encodings in which a line feed is the byte 0A and nothing else, so that lines can be cut as bytes.
_ENCODINGS = {"utf-8", "ascii", "latin-1", "iso-8859-1", "iso-8859-15", "cp1252", "cp1250", "cp850"}
_SWAPPED_MARKS = str.maketrans({",": ".", ".": ","})
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class ColumnMapping(BaseModel):
    """How one contract column is filled: from a source column, or with a constant ``value``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str | None = Field(default=None, alias="from")
    value: str | None = None
    formats: tuple[str, ...] = ("YYYY-MM-DD",)
    keep: tuple[str, ...] = ()
    reference: str | None = None
    codes: dict[str, str] = {}

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for name in formats:
            if name not in DATE_FORMATS and "%" not in name:
                raise ValueError(
                    f"'{name}' is no date format: use {', '.join(DATE_FORMATS)} "
                    "or a strptime pattern such as '%d.%m.%y'"
                )
        return formats

    @field_validator("reference")
    @classmethod
    def _names_its_target(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"'{pattern}' is no regular expression: {error}") from error
        if "target" not in groups:
            raise ValueError(
                "the pattern needs a group (?P<target>...) for the record it points to"
            )
        return pattern

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMapping:
        if (self.source is None) == (self.value is None):
            raise ValueError("give either 'from' (a source column) or 'value' (a constant)")
        return self


class Trailer(BaseModel):
    """The last row of a file, which says what the file must hold.

    It has ``value`` in ``column``; ``rows`` is the column with the number of rows before it, and
    ``totals`` names for each column that is summed the one that holds the sum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    value: str
    rows: str
    totals: dict[str, str] = {}


class FileMapping(BaseModel):
    """One kind of file. Shapes and defaults are described in docs/add-a-file-feed.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    files: str
    format: Literal["csv", "ndjson", "parquet"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    final_newline: Literal["required", "optional"] = "required"
    decimal_mark: Literal[".", ","] = "."
    blank: tuple[str, ...] = ("",)
    record_id: str
    reference: str | None = None
    trailer: Trailer | None = None
    columns: dict[str, ColumnMapping]

    @field_validator("files")
    @classmethod
    def _is_below_the_folder(cls, files: str) -> str:
        return below_folder(files)

    @field_validator("encoding")
    @classmethod
    def _cut_as_bytes(cls, encoding: str) -> str:
        if encoding.lower() not in _ENCODINGS:
            raise ValueError(f"'{encoding}' is not one of {', '.join(sorted(_ENCODINGS))}")
        return encoding.lower()

    @field_validator("record_id")
    @classmethod
    def _has_placeholders(cls, template: str) -> str:
        if not _PLACEHOLDER.search(template):
            raise ValueError("name at least one source column in braces, for example '{PO}/{Line}'")
        return template

    @cached_property
    def source_columns(self) -> tuple[str, ...]:
        """Every source column that the mapping needs, each once, in order of first use."""
        named = [column.source for column in self.columns.values() if column.source]
        named += _PLACEHOLDER.findall(self.record_id) + _PLACEHOLDER.findall(self.reference or "")
        if self.trailer:
            named += [self.trailer.column, self.trailer.rows]
            named += [name for pair in self.trailer.totals.items() for name in pair]
        return tuple(dict.fromkeys(named))


def below_folder(pattern: str) -> str:
    """A pattern of file names as it was told. Raises ValueError where no walk below a folder can
    follow it."""
    parts = PurePosixPath(pattern).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"'{pattern}' must name files below the folder, such as 'orders/*.csv'")
    if any("**" in part and part != "**" for part in parts):
        raise ValueError(f"'{pattern}': '**' stands for folders, between two slashes only")
    return pattern


class Mapper:
    """A mapping bound to the contract that it fills.

    The contract decides: a column's type says how its text is read, and ``<column>_source``,
    ``<column>_method`` and ``<column>_reference`` are filled where the contract has them.
    Raises ConfigurationError when the mapping names a column that the contract lacks.
    """

    def __init__(self, mapping: FileMapping, contract: Contract) -> None:
        self.mapping = mapping
        self._promised = {column.name: column.duckdb_type for column in contract.columns}
        strange = sorted(set(mapping.columns) - set(self._promised))
        if strange:
            raise ConfigurationError(
                f"the mapping of '{mapping.entity}' fills {', '.join(strange)}, which its contract "
                f"lacks; the contract has: {', '.join(self._promised)}"
            )
        self._converters = {
            name: _converter(mapping, column, self._promised[name])
            for name, column in mapping.columns.items()
        }

    def apply(
        self, columns: Mapping[str, Sequence[str | None]], rows: int
    ) -> list[dict[str, str | None]]:
        """Contract fields of ``rows`` rows; ``columns`` holds the source's text by column name.

        Each distinct value is converted once: files repeat their dates, codes and names, so a
        million rows cost a few thousand conversions a column.
        """
        filled: dict[str, Sequence[str | None]] = {}
        for name, column in self.mapping.columns.items():
            if column.source is None:
                filled[name] = [column.value] * rows
                continue
            values = columns[column.source]
            convert = self._converters[name]
            known = {value: convert(value) for value in set(values)}
            converted = [known[value] for value in values]
            filled[name] = [each.value for each in converted]
            if f"{name}_source" in self._promised:
                filled[f"{name}_source"] = [each.source for each in converted]
            if f"{name}_method" in self._promised:
                filled[f"{name}_method"] = [each.method for each in converted]
            if f"{name}_reference" in self._promised:
                filled[f"{name}_reference"] = [each.reference for each in converted]
        names = list(filled)
        return [
            dict(zip(names, values, strict=True)) for values in zip(*filled.values(), strict=True)
        ]

    def fill(
        self, template: str, columns: Mapping[str, Sequence[str | None]], rows: int
    ) -> list[str | None]:
        """The template of each row with its placeholders filled; None where one is blank."""
        parts = _PLACEHOLDER.split(template)
        literals, names = parts[::2], parts[1::2]
        filled: list[str | None] = []
        for values in zip(*(columns[name] for name in names), strict=True):
            if any(text is None or text in self.mapping.blank for text in values):
                filled.append(None)
                continue
            pairs = zip(literals, [*values, ""], strict=True)
            filled.append("".join(f"{literal}{text}" for literal, text in pairs))
        return filled or [None] * rows


@dataclass(frozen=True, slots=True)
class Converted:
    """One distinct source value after conversion."""

    value: str | None
    method: str
    source: str | None
    reference: str | None = None


def _date(text: str, formats: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    for name, pattern in formats:
        try:
            return datetime.strptime(text, pattern).date().isoformat(), name
        except ValueError:
            continue
    return None


def _plain_number(text: str) -> str:
    """ ".5" as "0.5" and "5." as "5": the form that contracts ask for, with every digit kept."""
    sign = text[0] if text[0] in "+-" else ""
    whole, _, fraction = text.removeprefix(sign).partition(".")
    return f"{sign}{whole or 0}" + (f".{fraction}" if fraction else "")


def _converter(
    mapping: FileMapping, column: ColumnMapping, duckdb_type: str
) -> Callable[[str | None], Converted]:
    """A function from a source value to its converted form, with all patterns compiled once."""
    formats = [(name, DATE_FORMATS.get(name, name)) for name in column.formats]
    keep = frozenset(column.keep)
    reference = re.compile(column.reference) if column.reference else None
    mark, group = (r"\.", ",") if mapping.decimal_mark == "." else (",", r"\.")
    whole = rf"\d+|\d{{1,3}}(?:{group}\d{{3}})+"
    number = re.compile(
        rf"[+-]?(?:{whole})"
        if duckdb_type == "BIGINT"
        else rf"(?=.*\d)[+-]?(?:{whole})?(?:{mark}\d*)?"
    )
    blank = frozenset(mapping.blank)

    def convert(value: str | None) -> Converted:
        text = value.strip() if value is not None else None
        if text is None or text in blank:
            return Converted(None, BLANK, text)
        if text in keep:
            return Converted(None, KEPT, text)
        if reference and (match := reference.fullmatch(text)):
            return Converted(None, REFERENCE, text, match["target"])
        if column.codes:
            translated = column.codes.get(text)
            return Converted(translated, MAPPED if translated else UNMAPPED, text)
        if duckdb_type == "DATE":
            found = _date(text, formats)
            return Converted(found[0], found[1], text) if found else Converted(text, REFUSED, text)
        if duckdb_type in ("BIGINT", "DECIMAL(18,6)"):
            if not number.fullmatch(text):
                return Converted(text, REFUSED, text)
            plain = text if mapping.decimal_mark == "." else text.translate(_SWAPPED_MARKS)
            return Converted(_plain_number(plain.replace(",", "")), MAPPED, text)
        return Converted(text, MAPPED, text)

    return convert


def load_mapping(path: Path) -> FileMapping:
    """Read one mapping. Raises ConfigurationError naming everything that is wrong with it."""
    if not path.is_file():
        raise ConfigurationError(
            f"no mapping at {path}: name an existing file in the system's options.mappings"
        )
    try:
        content = yaml.safe_load(read_text(path))
        return FileMapping.model_validate(content)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ConfigurationError(f"{path} has wrong settings:\n{problems}") from error
