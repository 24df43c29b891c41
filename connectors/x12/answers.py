"""The functional acknowledgement (997) of an interchange that a partner sent us."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from connectors.x12.interchange import ISA_BYTES, Interchange
from connectors.x12.records import Verdict
from connectors.x12.writing import NewSet

# Acknowledgements are not acknowledged, else they would never end.
UNANSWERED = frozenset({"997", "999", "CONTRL"})
# X12 data element 718 (set): 1 not supported, 5 segments in error.
_SET_NOT_SUPPORTED, _SEGMENTS_IN_ERROR = "1", "5"
# X12 data element 716 (group), by what was wrong with the interchange.
_GROUP_ERRORS = {"version": "2", "cut": "3", "control_number": "4", "count": "5"}
_MOST_NAMED = 99


def wants_answer(interchange: Interchange) -> bool:
    """Whether anything in it is to be acknowledged by us: X12, and no acknowledgement itself."""
    return interchange.standard == "x12" and any(
        item.code not in UNANSWERED for group in interchange.groups for item in group.transactions
    )


def answer(verdicts: Sequence[Verdict]) -> list[NewSet]:
    """One 997 for each group, naming every set and each fault that was found in it."""
    return [
        NewSet("997", _group_answer(list(items)))
        for number, items in groupby(verdicts, key=lambda verdict: verdict.group.control_number)
    ]


def _group_answer(verdicts: Sequence[Verdict]) -> list[list[str]]:
    group = verdicts[0].group
    segments = [["AK1", group.functional_id, group.control_number]]
    accepted = 0
    for verdict in verdicts:
        segments.append(["AK2", verdict.transaction.code, verdict.transaction.control_number])
        if not verdict.problems:
            accepted += 1
            segments.append(["AK5", "A"])
        elif not verdict.is_expected:
            segments.append(["AK5", "R", _SET_NOT_SUPPORTED])
        else:
            segments += _faults(verdict)
            segments.append(["AK5", "R", _SEGMENTS_IN_ERROR])
    total = str(len(verdicts))
    status = "A" if accepted == len(verdicts) else "P" if accepted else "R"
    segments.append(["AK9", status, total, total, str(accepted)])
    return segments


def _faults(verdict: Verdict) -> list[list[str]]:
    segments: list[list[str]] = []
    texts = (verdict.transaction.opening, *verdict.transaction.texts)
    named = sorted({(item.segment, item.element, item.code) for item in verdict.problems})
    for place, elements in groupby(named[:_MOST_NAMED], key=lambda item: item[0]):
        text = texts[place - 1] if place <= len(texts) else verdict.transaction.closing
        tag = "".join(mark for mark in text[:3] if mark.isalnum())
        # X12 data element 720: 8 segment has data element errors.
        segments.append(["AK3", tag, str(place), "", "8"])
        segments += [
            ["AK4", str(element), "", code] for _, element, code in elements if element > 0
        ]
    return segments


def refusal(payload: bytes, code: str) -> list[NewSet]:
    """One 997 for each group of an interchange that was refused as a whole; none if it is so broken
    that no group can be told. ``code`` is that of the BadInterchangeError."""
    text = payload.decode("latin-1")
    if not text.startswith("ISA") or len(text) < ISA_BYTES:
        return []
    element, terminator = text[3], text[105]
    groups: list[tuple[str, str, list[str], str | None]] = []
    for segment in text.split(terminator):
        parts = segment.strip().split(element)
        if parts[0] == "GS" and len(parts) > 6 and parts[1] != "FA":
            groups.append((parts[1], parts[6], [], None))
        elif parts[0] == "ST" and groups:
            groups[-1][2].append(parts[1])
        elif parts[0] == "GE" and groups:
            groups[-1] = (*groups[-1][:3], parts[1] if len(parts) > 1 else None)
    return [
        NewSet(
            "997",
            [
                ["AK1", functional_id, number],
                [
                    "AK9", "R", declared if declared and declared.isdigit() else str(len(sets)),
                    str(len(sets)), "0", _GROUP_ERRORS.get(code, ""),
                ],
            ],
        )
        for functional_id, number, sets, declared in groups
    ]  # fmt: skip
