"""X12 text from segments: one interchange with one functional group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.corrections import NotRepresentableError
from connectors.x12.interchange import FUNCTIONAL_IDS
from connectors.x12.profile import PartnerProfile

Segments = Sequence[Sequence[str]]
# ISA11 before release 00402 names the standards body instead of a separator.
_FIRST_WITH_REPETITION = "00402"


@dataclass(frozen=True)
class NewSet:
    """A transaction set to write: its code, and its segments without ST and SE."""

    code: str
    segments: Segments


def write_x12(
    profile: PartnerProfile,
    version: str,
    control_number: int,
    now: datetime,
    sets: Sequence[NewSet],
) -> bytes:
    """One interchange from us to the partner; all sets are of one functional group.

    ``version`` is GS08, such as 004010; ``now`` is in the zone in which documents are dated. Raises
    NotRepresentableError for a value that the separators or the encoding can't carry.
    """
    marks = profile.separators
    envelope_version = f"{version[:3]}{version[3:5]}"
    takes_repetition = envelope_version >= _FIRST_WITH_REPETITION
    isa = [
        "ISA", "00", " " * 10, "00", " " * 10,
        profile.us.qualifier, profile.us.id.ljust(15),
        profile.them.qualifier, profile.them.id.ljust(15),
        f"{now:%y%m%d}", f"{now:%H%M}", marks.repetition if takes_repetition else "U",
        envelope_version, f"{control_number:09}", "0", profile.usage, marks.component,
    ]  # fmt: skip
    functional_id = FUNCTIONAL_IDS[sets[0].code]
    group = [
        "GS", functional_id, profile.us.in_groups, profile.them.in_groups,
        f"{now:%Y%m%d}", f"{now:%H%M%S}", str(control_number), "X", version,
    ]  # fmt: skip
    segments: list[Sequence[str]] = [group]
    for number, item in enumerate(sets, start=1):
        segments.append(["ST", item.code, f"{number:04}"])
        segments.extend(_trimmed(segment) for segment in item.segments)
        segments.append(["SE", str(len(item.segments) + 2), f"{number:04}"])
    segments.append(["GE", str(len(sets)), str(control_number)])
    segments.append(["IEA", "1", f"{control_number:09}"])
    _require_plain(profile, segments)
    end = marks.segment + ("\n" if marks.line_feed and marks.segment != "\n" else "")
    text = "".join(marks.element.join(segment) + end for segment in [isa, *segments])
    try:
        return text.encode(profile.encoding)
    except UnicodeEncodeError as error:
        raise NotRepresentableError(
            f"{error.object[error.start]!r} is no character of {profile.encoding}, in which "
            f"{profile.partner} is written to"
        ) from error


def _trimmed(segment: Sequence[str]) -> list[str]:
    """Without empty elements at the end, as the standard asks."""
    parts = list(segment)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _require_plain(profile: PartnerProfile, segments: Iterable[Sequence[str]]) -> None:
    marks = profile.separators
    forbidden = {marks.element, marks.component, marks.segment, marks.repetition, "\n", "\r"}
    for segment in segments:
        for value in segment[1:]:
            found = forbidden & set(value)
            if found:
                raise NotRepresentableError(
                    f"{value!r} in {segment[0]} holds a separator ({found.pop()!r}): choose other "
                    f"separators in the profile of {profile.partner}"
                )
