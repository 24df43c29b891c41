"""An interchange as data, whatever its standard, and X12 text read into it (with ansi-x12).

Only structure is judged here: separators, envelopes, counts and control numbers. What a segment
means is said in ``x12_sets.py`` and ``edifact_messages.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from x12 import X12EnvelopeError, X12Error, X12TokenizerError, parse_x12_interchange, tokenize_x12
from x12 import X12FunctionalGroup as ParsedGroup
from x12 import X12Segment as ParsedSegment
from x12 import X12TransactionSet as ParsedSet

Standard = Literal["x12", "edifact"]

ISA_BYTES = 106
UNA_BYTES = 9
# Functional identifier (GS01) of each set that is read or written: X12 data element 479.
FUNCTIONAL_IDS = {
    "180": "AN",
    "214": "QM",
    "810": "IN",
    "846": "IB",
    "850": "PO",
    "855": "PR",
    "856": "SH",
    "860": "PC",
    "865": "CA",
    "940": "OW",
    "943": "AR",
    "944": "RE",
    "945": "SW",
    "947": "AW",
    "997": "FA",
}
_BLANKS = b" \t\r\n"


class BadInterchangeError(Exception):
    """An interchange that can't be trusted. ``code`` is stable, the text is for people.

    Codes: ``cut`` (it ends too early), ``envelope``, ``count``, ``control_number``, ``encoding``,
    ``partner`` (it is not between us and this partner), ``version``, ``reused_number``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Segment:
    """A tag and its data elements, each a tuple of its components (X12: always one)."""

    tag: str
    elements: tuple[tuple[str, ...], ...]

    def get(self, element: int, component: int = 1) -> str | None:
        """A value by its number in the standard (from 1), stripped; None when absent or empty."""
        if element > len(self.elements) or component > len(self.elements[element - 1]):
            return None
        return self.elements[element - 1][component - 1].strip() or None


@dataclass(frozen=True)
class Transaction:
    """A transaction set (X12) or message (EDIFACT); ``segments`` without header and trailer.

    ``texts`` has the source's own text of each segment, ``opening`` and ``closing`` those of the
    header and the trailer.
    """

    code: str
    control_number: str
    segments: tuple[Segment, ...]
    texts: tuple[str, ...]
    opening: str
    closing: str


@dataclass(frozen=True)
class Group:
    """A functional group. EDIFACT without UNG: the whole interchange is one group."""

    functional_id: str
    sender: str
    receiver: str
    control_number: str
    written_at: datetime
    version: str
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True)
class Interchange:
    """One interchange; ``written_at`` is naive, in the sender's own zone, as the standards have it.

    ``terminator`` ends each segment in the source's text.
    """

    standard: Standard
    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    control_number: str
    written_at: datetime
    version: str
    usage: str
    terminator: str
    groups: tuple[Group, ...]
    raw: str

    @property
    def interchange_id(self) -> str:
        """Sender, control number and time: partners start their numbers anew now and then."""
        return f"{self.sender}/{self.control_number}/{self.written_at:%Y%m%d%H%M}"

    @property
    def position(self) -> int:
        """The sender's own order: minutes since 1970 times 10^9, plus the control number."""
        minutes = (self.written_at - datetime(1970, 1, 1)) // timedelta(minutes=1)
        digits = "".join(mark for mark in self.control_number if mark.isdigit())
        return minutes * 1_000_000_000 + int(digits or 0) % 1_000_000_000


def split_interchanges(payload: bytes) -> Iterator[bytes]:
    """The interchanges of one file, in order; text that begins none comes out as it is."""
    position = 0
    while position < len(payload):
        rest = payload[position:]
        if not rest.strip(_BLANKS):
            return
        start = len(rest) - len(rest.lstrip(_BLANKS))
        length = _length(rest[start:])
        yield rest[start : start + length]
        position += start + length


def _length(text: bytes) -> int:
    """Length of the interchange that ``text`` begins with, up to the next one if it has no end."""
    if text.startswith(b"ISA") and len(text) >= ISA_BYTES:
        element, terminator = re.escape(text[3:4]), re.escape(text[105:106])
        trailer = rb"IEA" + element + rb"[^" + terminator + rb"]*" + terminator
        header = rb"ISA" + element
    elif text.startswith(b"UNB") or (text.startswith(b"UNA") and len(text) >= UNA_BYTES):
        advice = text[3:9] if text.startswith(b"UNA") else b":+.? '"
        element, terminator = re.escape(advice[1:2]), re.escape(advice[5:6])
        trailer = rb"UNZ" + element + rb"[^" + terminator + rb"]*" + terminator
        header = rb"UN(?:A|B" + element + rb")"
    else:
        return len(text)
    closing = re.search(terminator + rb"[ \t\r\n]*" + trailer, text)
    following = re.compile(terminator + rb"[ \t\r\n]*" + header).search(text, 9)
    if closing and not (following and following.start() < closing.start()):
        return closing.end()
    return following.start() + 1 if following else len(text)


def read_x12(payload: bytes, encoding: str = "utf-8") -> Interchange:
    """One X12 interchange, its envelopes, counts and control numbers found good.

    Raises BadInterchangeError.
    """
    try:
        parsed = parse_x12_interchange(tokenize_x12(payload))
    except X12TokenizerError as error:
        raise BadInterchangeError("cut", _plain(error)) from error
    except X12EnvelopeError as error:
        raise BadInterchangeError(_code_of(str(error)), _plain(error)) from error
    except (X12Error, ValueError, TypeError) as error:
        raise BadInterchangeError("envelope", _plain(error)) from error
    try:
        text = payload.decode(encoding)
        groups = tuple(_group(group, encoding) for group in parsed.groups)
        header = _segment(parsed.header, encoding)
    except UnicodeDecodeError as error:
        raise BadInterchangeError(
            "encoding",
            f"byte {error.object[error.start]:#04x} is not {encoding}: set the partner's encoding "
            "in its profile",
        ) from error
    _require_distinct("GS06", [group.control_number for group in groups])
    return Interchange(
        standard="x12",
        sender_qualifier=header.get(5) or "",
        sender=header.get(6) or "",
        receiver_qualifier=header.get(7) or "",
        receiver=header.get(8) or "",
        control_number=header.get(13) or "",
        written_at=read_moment(header.get(9), header.get(10), "ISA09/ISA10"),
        version=header.get(12) or "",
        usage=header.get(15) or "",
        terminator=parsed.document.separators.segment.decode("latin-1"),
        groups=groups,
        raw=text,
    )


def read_moment(date: str | None, time: str | None, place: str) -> datetime:
    """A naive time from CCYYMMDD or YYMMDD and HHMM[SS]. Raises BadInterchangeError."""
    try:
        day = datetime.strptime(date or "", "%Y%m%d" if len(date or "") == 8 else "%y%m%d")
        clock = datetime.strptime((time or "0000")[:6].ljust(6, "0"), "%H%M%S")
    except ValueError as error:
        raise BadInterchangeError(
            "envelope", f"{place} holds no date and time: {date!r} {time!r}"
        ) from error
    return datetime.combine(day.date(), clock.time())


def _plain(error: Exception) -> str:
    """The library's words without Python's marks of bytes."""
    return re.sub(r"\bb'([^']*)'", r"'\1'", str(error))


def _code_of(message: str) -> str:
    if "must end with an IEA" in message or "too short" in message:
        return "cut"
    if "count" in message:
        return "count"
    if "control numbers do not match" in message:
        return "control_number"
    return "envelope"


def _group(group: ParsedGroup, encoding: str) -> Group:
    header = _segment(group.header, encoding)
    functional_id = header.get(1) or ""
    control_number = header.get(6) or ""
    transactions = tuple(_transaction(item, encoding) for item in group.transactions)
    _require_distinct(
        f"ST02 in group {control_number}", [item.control_number for item in transactions]
    )
    for item in transactions:
        expected = FUNCTIONAL_IDS.get(item.code, functional_id)
        if expected != functional_id:
            raise BadInterchangeError(
                "envelope",
                f"group {control_number} has GS01 {functional_id}, but holds set {item.code}, "
                f"which belongs in {expected}",
            )
    return Group(
        functional_id=functional_id,
        sender=header.get(2) or "",
        receiver=header.get(3) or "",
        control_number=control_number,
        written_at=read_moment(header.get(4), header.get(5), "GS04/GS05"),
        version=header.get(8) or "",
        transactions=transactions,
    )


def _transaction(item: ParsedSet, encoding: str) -> Transaction:
    header = _segment(item.header, encoding)
    return Transaction(
        code=header.get(1) or "",
        control_number=header.get(2) or "",
        segments=tuple(_segment(segment, encoding) for segment in item.segments),
        texts=tuple(segment.raw.decode(encoding) for segment in item.segments),
        opening=item.header.raw.decode(encoding),
        closing=item.trailer.raw.decode(encoding),
    )


def _segment(parsed: ParsedSegment, encoding: str) -> Segment:
    return Segment(parsed.tag, tuple((element.decode(encoding),) for element in parsed.elements))


def _require_distinct(name: str, numbers: list[str]) -> None:
    doubled = sorted({number for number in numbers if numbers.count(number) > 1})
    if doubled:
        raise BadInterchangeError("control_number", f"{name} {', '.join(doubled)} is used twice")
