"""What the readers of X12 sets and of EDIFACT messages share: lines, values, and what is wrong.

A reader never stops at the first fault: it notes each with its place, so that the answer (997) can
name it, and what could be read still says which orders the transaction is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal

from connectors.x12.interchange import Segment, Transaction
from connectors.x12.profile import PartnerProfile

# Data element syntax errors of a 997 (AK403, X12 data element 723).
MISSING, INVALID_CHARACTER, INVALID_CODE, INVALID_DATE = "1", "6", "7", "8"

_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d*)(?:\.(?P<fraction>\d*))?(?P<minus>-?)")


@dataclass(frozen=True)
class Problem:
    """A fault at one place: ``segment`` and ``element`` count from 1; element 0 is all of it.

    ``code`` is what a 997 says of the element.
    """

    segment: int
    tag: str
    element: int
    code: str
    text: str


@dataclass(frozen=True)
class Placed:
    """A segment and where it stands in its transaction (0: the first after the header)."""

    index: int
    segment: Segment

    @property
    def tag(self) -> str:
        return self.segment.tag

    def get(self, element: int, component: int = 1) -> str | None:
        return self.segment.get(element, component)


@dataclass
class Line:
    """One record to be: the entity, its fields, and the places of the segments that tell it."""

    entity: str
    fields: dict[str, str | None]
    places: list[int] = field(default_factory=list)

    @property
    def place(self) -> int:
        """Its last segment, counted from 1 (the set's header)."""
        return self.places[-1] + 2 if self.places else 1


class Reading:
    """One transaction while it is read."""

    def __init__(
        self, transaction: Transaction, profile: PartnerProfile, local_zone: tzinfo
    ) -> None:
        self.transaction = transaction
        self.profile = profile
        self.local_zone = local_zone
        self.problems: list[Problem] = []
        self.placed = [Placed(index, item) for index, item in enumerate(transaction.segments)]

    # ---- finding ---------------------------------------------------------------------------

    def first(
        self, tag: str, among: Iterable[Placed] | None = None, **wanted: str
    ) -> Placed | None:
        """The first segment of a tag; ``e1="CN"`` asks for a value in element 1."""
        for placed in self.placed if among is None else among:
            if placed.tag == tag and all(
                placed.get(int(name[1:])) == value for name, value in wanted.items()
            ):
                return placed
        return None

    def header(self, tag: str) -> Placed:
        """The segment that begins a set; noted as missing when it is not there."""
        found = self.first(tag)
        if found is None:
            self.absent(tag, None)
            return Placed(0, Segment(tag, ()))
        return found

    def reference(
        self, qualifiers: str, among: Iterable[Placed] | None = None, tags: str = "REF N9"
    ) -> str | None:
        """The value of the first REF or N9 with one of the qualifiers."""
        for placed in self.placed if among is None else among:
            if placed.tag in tags.split() and placed.get(1) in qualifiers.split():
                return placed.get(2)
        return None

    def party(self, codes: str, among: Iterable[Placed] | None = None) -> str | None:
        """Our code of the party (N1) in one of the roles, else the partner's own, else its name."""
        for placed in self.placed if among is None else among:
            if placed.tag == "N1" and placed.get(1) in codes.split():
                return self.profile.translated("location", placed.get(4) or placed.get(2))
        return None

    def groups(self, starts: str, ends: str = "") -> tuple[list[Placed], list[list[Placed]]]:
        """The segments before the first start tag, and one list from each start tag on."""
        head: list[Placed] = []
        groups: list[list[Placed]] = []
        for placed in self.placed:
            if placed.tag in starts.split():
                groups.append([placed])
            elif placed.tag in ends.split():
                break
            elif groups:
                groups[-1].append(placed)
            else:
                head.append(placed)
        if not groups:
            self.absent(starts, self.placed[-1] if self.placed else None)
        return head, groups

    def absent(self, tag: str, after: Placed | None) -> None:
        """Note that a segment is missing after another one."""
        place = after.index + 2 if after else 1
        self.problems.append(
            Problem(place, tag.split()[0], 0, MISSING, f"segment {place}: no {tag} follows it")
        )

    # ---- values ----------------------------------------------------------------------------

    def required(self, placed: Placed, element: int, component: int = 1) -> str | None:
        value = placed.get(element, component)
        if value is None:
            self._note(placed, element, MISSING, "is required")
        return value

    def number(
        self, placed: Placed, element: int, component: int = 1, needed: bool = False
    ) -> str | None:
        """An exact number in the form that contracts ask for; the text itself if it is none."""
        text = (
            self.required(placed, element, component) if needed else placed.get(element, component)
        )
        if text is None:
            return None
        plain = plain_number(text)
        if plain is None:
            self._note(placed, element, INVALID_CHARACTER, f"is no number: {text}")
        return plain or text

    def date(self, placed: Placed | None, element: int, needed: bool = False) -> str | None:
        """A day as YYYY-MM-DD."""
        if placed is None:
            return None
        text = self.required(placed, element) if needed else placed.get(element)
        if text is None:
            return None
        day = plain_date(text)
        if day is None:
            self.invalid_date(placed, text, element)
        return day or text

    def invalid_date(self, placed: Placed, text: str, element: int = 1) -> None:
        """Note that a segment holds no day where it should."""
        self._note(placed, element, INVALID_DATE, f"is no date: {text}")

    def quantity(
        self, placed: Placed, element: int, unit: str | None, component: int = 1
    ) -> dict[str, str | None]:
        """Quantity with its unit as told, ours, and base units in one of it (None: by item)."""
        known = self.profile.units.get(unit or "")
        return {
            "quantity": self.number(placed, element, component, needed=True),
            "uom_source": unit,
            "uom": known.uom if known else None,
            "base_factor": str(known.factor) if known and known.factor else None,
        }

    def item(self, pairs: Mapping[str, str]) -> dict[str, str | None]:
        """The identity that the profile prefers, of (qualifier, identity) pairs."""
        for qualifier in self.profile.item_qualifiers:
            if pairs.get(qualifier):
                return {"item": pairs[qualifier], "item_qualifier": qualifier}
        for qualifier, value in pairs.items():
            return {"item": value, "item_qualifier": qualifier}
        return {"item": None, "item_qualifier": None}

    def item_of(self, placed: Placed, first: int) -> dict[str, str | None]:
        """Item from the pairs of a segment that begin at an element; one must be there."""
        pairs: dict[str, str] = {}
        for element in range(first, len(placed.segment.elements) + 1, 2):
            qualifier, value = placed.get(element), placed.get(element + 1)
            if qualifier and value:
                pairs.setdefault(qualifier, value)
        if not pairs:
            self._note(placed, first, MISSING, "names no item")
        return self.item(pairs)

    def code(self, column: str, code: str | None) -> str | None:
        return self.profile.translated(column, code)

    def _note(self, placed: Placed, element: int, code: str, text: str) -> None:
        place = placed.index + 2
        name = f"{placed.tag}{element:02}"
        self.problems.append(
            Problem(place, placed.tag, element, code, f"segment {place}: {name} {text}")
        )


def places(*groups: Sequence[Placed]) -> list[int]:
    """The places of some segments, in order."""
    return sorted({placed.index for group in groups for placed in group})


def plain_number(text: str) -> str | None:
    """ ".5" as "0.5", "5." as "5", "5-" as "-5"; None for what is no number."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match["whole"] or match["fraction"]):
        return None
    if match["sign"] and match["minus"]:
        return None
    sign = "-" if match["sign"] == "-" or match["minus"] else ""
    fraction = f".{match['fraction']}" if match["fraction"] else ""
    return f"{sign}{match['whole'] or '0'}{fraction}"


def implied(text: str, places_: int) -> str | None:
    """A whole number with implied decimals (X12 type N2): 14500 as 145.00."""
    if not re.fullmatch(r"-?\d+", text):
        return None
    return f"{Decimal(text).scaleb(-places_):f}"


def plain_date(text: str) -> str | None:
    """CCYYMMDD or YYMMDD as YYYY-MM-DD; None for what is no day."""
    try:
        form = {8: "%Y%m%d", 6: "%y%m%d"}[len(text)]
        return datetime.strptime(text, form).date().isoformat()
    except (KeyError, ValueError):
        return None


def plain_moment(day: str | None, clock: str | None) -> str | None:
    """A naive time from a day (YYYY-MM-DD) and HHMM[SS]; midnight without a clock."""
    if day is None:
        return None
    try:
        time = datetime.strptime((clock or "0000")[:6].ljust(6, "0"), "%H%M%S")
    except ValueError:
        return None
    return f"{day} {time:%H:%M:%S}"


def numbered(groups: Sequence[Sequence[Placed]]) -> Iterator[tuple[str, Sequence[Placed]]]:
    """Groups with their number, from 1, as text."""
    for number, group in enumerate(groups, start=1):
        yield str(number), group
