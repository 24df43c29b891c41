"""Runs the contract suite over the subject that each test class names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from contract_subject import Subject


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``entity``, ``kind`` and so on take every value that the subject class names."""
    subject = getattr(metafunc.cls, "subject_class", None)
    if subject is None:
        return
    for name, values in {
        "any_entity": subject.entities,
        "entity": subject.moving,
        "deletable_entity": subject.deletable,
        "kind": subject.kinds,
        "reversible_kind": sorted(subject.reversible),
        "damage": getattr(subject, "damages", ()),
    }.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values)


@pytest.fixture(scope="class")
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """The running product of this test class."""
    wanted: type[Subject] = request.cls.subject_class
    with wanted.running(tmp_path_factory.mktemp(wanted.connector)) as running:
        yield running
