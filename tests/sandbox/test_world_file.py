"""World files: what they choose, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import SandboxError
from sandbox.settings import CARRIERS, PARTNERS, PROCESSES, REGIONS, Settings
from sandbox.worldfile import read_world


def test_the_demo_is_the_default() -> None:
    assert read_world("demo") == Settings()


def test_worlds_by_name_add_processes_partners_decoys_and_overlaps() -> None:
    more: dict[str, Any] = {"processes": PROCESSES, "regions": REGIONS, "carriers": CARRIERS}
    more |= {"decoys_per_kind": 6, "overlaps_per_kind": 1, "partners": PARTNERS}
    assert read_world("full") == Settings(**more)


def test_a_file_chooses_and_the_command_line_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "orders = 900\nlive = 60\n[peaks]\ndays = 1\n[faults]\noverlaps = 2\n"
        "[faults.mix]\nH2 = 9\nO1 = 0\nO5-O9 = 0\n"
    )
    world = read_world(str(path), orders=None, seed=4)
    mix = {"H2": 9, "O1": 0, "O5-O9": 0}
    assert world == Settings(orders=900, seed=4, live=60, peak_days=1, overlaps_per_kind=2, mix=mix)
    assert Settings.of_world(world.world_choices()) == world


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("order = 5", "unknown setting: order"),
        ("[peaks]\nhours = 5", r"unknown setting: \[peaks\] hours"),
        ("orders = 1.5", "orders must be a whole number, at least 1"),
        ("items = 3", "items must be a whole number, at least 10"),
        ("live = 0.5", "live must be 0 or at least 1"),
        ("[faults.mix]\nXX = 1", r"\[faults.mix\] XX is no kind; there are O1"),
        ("[faults]\nmix = 1", "must be a table"),
        ('processes = ["sales"]', "processes must be a list of any of purchasing, transfers"),
        ('partners = "suppliers"', "partners must be a list of any of suppliers, threepl"),
        ("orders =", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SandboxError, match=message):
        read_world(str(path))


def test_a_missing_file_names_the_worlds_that_there_are() -> None:
    with pytest.raises(SandboxError, match="worlds by name: demo"):
        read_world("nowhere.toml")
