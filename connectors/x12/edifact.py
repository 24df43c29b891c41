"""EDIFACT text read into an interchange (with pydifact, which does not check counts: we do)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydifact.control import Characters
from pydifact.exceptions import EDISyntaxError, ValidationError
from pydifact.parser import Parser
from pydifact.segments import Segment as ParsedSegment
from pydifact.segments import SegmentFactory

from connectors.x12.interchange import (
    BadInterchangeError,
    Group,
    Interchange,
    Segment,
    Transaction,
    read_moment,
)


class _UnjudgedSegments(SegmentFactory):
    """Segments as they stand: what must be in them depends on the directory, and on the partner."""

    @staticmethod
    def create_segment(name: str, *elements: Any, **settings: Any) -> ParsedSegment:
        settings["validate"] = False
        return SegmentFactory.create_segment(name, *elements, **settings)


def read_edifact(payload: bytes, encoding: str = "utf-8") -> Interchange:
    """One EDIFACT interchange whose UNB and UNZ, UNH and UNT agree.

    The whole of it counts as one functional group. Raises BadInterchangeError.
    """
    try:
        raw = payload.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInterchangeError(
            "encoding",
            f"byte {payload[error.start]:#04x} is not {encoding}: set the partner's encoding in its"
            " profile",
        ) from error
    try:
        characters = Characters.from_str(raw[:9]) if raw.startswith("UNA") else Characters()
        parsed = Parser(factory=_UnjudgedSegments()).parse(raw)
        segments = [_segment(segment) for segment in parsed if segment.tag != "UNA"]
    except (EDISyntaxError, ValidationError) as error:
        code = "cut" if "Unexpected end" in str(error) else "envelope"
        raise BadInterchangeError(code, str(error)) from error
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        # pydifact fails so on text that is no EDIFACT at all.
        raise BadInterchangeError("envelope", f"not EDIFACT: {error}") from error
    texts = _texts(raw, characters)
    if not segments or len(texts) != len(segments) or segments[0].tag != "UNB":
        raise BadInterchangeError("envelope", "an EDIFACT interchange begins with UNB")
    header, trailer = segments[0], segments[-1]
    if trailer.tag != "UNZ":
        raise BadInterchangeError("cut", "the interchange does not end with UNZ")
    number = header.get(5) or ""
    if trailer.get(2) != number:
        raise BadInterchangeError(
            "control_number", f"UNB has reference {number}, UNZ has {trailer.get(2)}"
        )
    transactions = _messages(segments[1:-1], texts[1:-1])
    if _count(trailer.get(1), "UNZ") != len(transactions):
        raise BadInterchangeError(
            "count", f"UNZ counts {trailer.get(1)} messages, there are {len(transactions)}"
        )
    written_at = read_moment(header.get(4, 1), header.get(4, 2), "UNB S004")
    sender, receiver = header.get(2) or "", header.get(3) or ""
    group = Group(
        functional_id=transactions[0].code if transactions else "",
        sender=sender,
        receiver=receiver,
        control_number=number,
        written_at=written_at,
        version=header.get(1) or "",
        transactions=tuple(transactions),
    )
    return Interchange(
        standard="edifact",
        sender_qualifier=header.get(2, 2) or "",
        sender=sender,
        receiver_qualifier=header.get(3, 2) or "",
        receiver=receiver,
        control_number=number,
        written_at=written_at,
        version=f"{header.get(1) or ''}:{header.get(1, 2) or ''}",
        usage="T" if header.get(11) == "1" else "P",
        terminator=characters.segment_terminator,
        groups=(group,),
        raw=raw,
    )


def _segment(parsed: ParsedSegment) -> Segment:
    return Segment(
        parsed.tag,
        tuple(
            tuple(str(part) for part in element) if isinstance(element, list) else (str(element),)
            for element in parsed.elements
        ),
    )


def _texts(raw: str, characters: Characters) -> list[str]:
    """The source's own text of each segment, without UNA and terminators."""
    release = re.escape(characters.escape_character)
    end = re.escape(characters.segment_terminator)
    body = raw[9:] if raw.startswith("UNA") else raw
    return re.findall(rf"\s*((?:{release}.|[^{release}{end}])+){end}", body, re.DOTALL)


def _messages(segments: Sequence[Segment], texts: Sequence[str]) -> list[Transaction]:
    found: list[Transaction] = []
    start: int | None = None
    for position, segment in enumerate(segments):
        if (segment.tag == "UNH") != (start is None):
            raise BadInterchangeError(
                "envelope",
                f"{segment.tag} stands "
                + ("outside every message" if start is None else "before the UNT of its message"),
            )
        if segment.tag == "UNH":
            start = position
        elif segment.tag == "UNT" and start is not None:
            found.append(_message(segments[start : position + 1], texts[start : position + 1]))
            start = None
    if start is not None:
        raise BadInterchangeError("cut", f"message {segments[start].get(1)} has no UNT")
    numbers = [item.control_number for item in found]
    doubled = sorted({number for number in numbers if numbers.count(number) > 1})
    if doubled:
        raise BadInterchangeError("control_number", f"UNH {', '.join(doubled)} is used twice")
    return found


def _message(segments: Sequence[Segment], texts: Sequence[str]) -> Transaction:
    header, trailer = segments[0], segments[-1]
    number = header.get(1) or ""
    if trailer.get(2) != number:
        raise BadInterchangeError(
            "control_number", f"UNH has reference {number}, UNT has {trailer.get(2)}"
        )
    if _count(trailer.get(1), "UNT") != len(segments):
        raise BadInterchangeError(
            "count", f"UNT of {number} counts {trailer.get(1)} segments, there are {len(segments)}"
        )
    return Transaction(
        code=header.get(2) or "",
        control_number=number,
        segments=tuple(segments[1:-1]),
        texts=tuple(texts[1:-1]),
        opening=texts[0],
        closing=texts[-1],
    )


def _count(text: str | None, place: str) -> int:
    if text is None or not text.isascii() or not text.isdigit():
        raise BadInterchangeError("count", f"{place} holds no count, but {text!r}")
    return int(text)
