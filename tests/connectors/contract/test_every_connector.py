"""Every connector keeps the contract: the whole of it, but for what its subject is exempt from.

``-vv`` shows each connector with each part of the contract, and the reason where a part does not
apply.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import contract_suite
import pytest
from contract_subject import Subject
from contract_suite import _OverSubject

HERE = Path(__file__).parent
CONNECTORS = HERE.parents[2] / "connectors"
# Connectors without a subject, and why.
NO_SUBJECT = {"tallyman": "our own store, tested in tests/connectors/test_tallyman_source.py"}
PARTS = tuple(
    kind
    for kind in vars(contract_suite).values()
    if isinstance(kind, type) and issubclass(kind, _OverSubject) and kind is not _OverSubject
)


def _kept() -> dict[type[Subject], set[type]]:
    """The parts of the contract that the tests of each subject inherit."""
    kept: dict[type[Subject], set[type]] = {}
    for path in sorted(HERE.glob("test_*_contract.py")):
        for test in vars(importlib.import_module(path.stem)).values():
            if isinstance(test, type) and hasattr(test, "subject_class"):
                parts = {part for part in PARTS if issubclass(test, part)}
                kept.setdefault(test.subject_class, set()).update(parts)
    return kept


KEPT = _kept()


def _combinations() -> list[object]:
    """Each subject with each part, named after it and the reason why it is left out."""
    return [
        pytest.param(
            subject,
            part,
            id=": ".join(
                [
                    f"{subject.connector}, {subject.__name__}",
                    part.__name__,
                    *([f"not, {reason}"] if (reason := subject.exempt.get(part.__name__)) else []),
                ]
            ),
        )
        for subject in KEPT
        for part in PARTS
    ]


@pytest.mark.parametrize(
    "folder", sorted(path.parent.name for path in CONNECTORS.glob("*/source.py"))
)
def test_every_connector_has_a_subject(folder: str) -> None:
    has_subject = folder in {subject.connector for subject in KEPT}
    assert has_subject != (folder in NO_SUBJECT), (
        f"connectors/{folder} needs a subject in test_{folder}_contract.py, or a reason in "
        f"NO_SUBJECT: see README.md in {HERE}"
    )


@pytest.mark.parametrize(("subject", "part"), _combinations())
def test_every_part_is_kept_or_has_its_reason(subject: type[Subject], part: type) -> None:
    is_exempt = part.__name__ in subject.exempt
    assert (part in KEPT[subject]) != is_exempt, (
        f"{subject.__name__} must either be tested by {part.__name__} or name it in `exempt`, with "
        "the reason"
    )


@pytest.mark.parametrize("subject", KEPT)
def test_exemptions_are_of_parts_that_exist_and_have_a_reason(subject: type[Subject]) -> None:
    assert set(subject.exempt) <= {part.__name__ for part in PARTS}
    assert all(len(reason.split()) > 3 for reason in subject.exempt.values())
