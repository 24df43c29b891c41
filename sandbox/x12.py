"""X12 as a translator writes it: one interchange with one functional group and one set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

FUNCTIONAL_IDS = {
    "810": "IN",
    "846": "IB",
    "850": "PO",
    "855": "PR",
    "856": "SH",
    "940": "OW",
    "943": "AR",
    "944": "RE",
    "945": "SW",
    "947": "AW",
    "997": "FA",
}
"""GS01 by set: X12 data element 479."""

VERSION = "004010"

BROKEN = ("segment_count", "group", "control_number")
"""What may be wrong with an interchange: SE01, GE02 against GS06, IEA02 against ISA13."""


def interchange(
    sender: str,
    receiver: str,
    control_number: int,
    when: float,
    code: str,
    segments: Sequence[Sequence[str]],
    broken: str | None = None,
) -> str:
    """The text of an interchange, dated in UTC; ``segments`` are those between ST and SE.

    ``broken``: one of ``BROKEN``, a trailer that does not fit its header.
    """
    moment = datetime.fromtimestamp(when, UTC)
    wrong = {name: int(name == broken) for name in BROKEN}
    rows: list[Sequence[str]] = [
        (
            "ISA", "00", " " * 10, "00", " " * 10, "ZZ", sender.ljust(15), "ZZ",
            receiver.ljust(15), f"{moment:%y%m%d}", f"{moment:%H%M}", "U", "00401",
            f"{control_number:09}", "0", "P", ">",
        ),
        (
            "GS", FUNCTIONAL_IDS[code], sender, receiver, f"{moment:%Y%m%d}", f"{moment:%H%M%S}",
            str(control_number), "X", VERSION,
        ),
        ("ST", code, "0001"),
        *segments,
        ("SE", str(len(segments) + 2 + wrong["segment_count"]), "0001"),
        ("GE", "1", str(control_number + wrong["group"])),
        ("IEA", "1", f"{control_number + wrong['control_number']:09}"),
    ]  # fmt: skip
    return "".join("*".join(row) + "~\n" for row in rows)


def day(when: float) -> str:
    """``20261109``."""
    return f"{datetime.fromtimestamp(when, UTC):%Y%m%d}"


def clock_time(when: float) -> str:
    """``1430``."""
    return f"{datetime.fromtimestamp(when, UTC):%H%M}"
