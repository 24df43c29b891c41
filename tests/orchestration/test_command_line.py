"""What goes wrong outside of our own code ends a command with one message, and no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestration.cli import main


def failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """What a command that can't do its work says on the terminal, on one line."""
    monkeypatch.setattr(sys, "argv", ["tallyman", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    return " ".join(capsys.readouterr().err.split())


def test_a_state_folder_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    told = failed(monkeypatch, capsys, "corrections", "list", "--home", str(taken))
    assert told.startswith("tallyman: this machine said no:"), told
    assert str(taken) in told


def test_a_world_that_nobody_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("evaluate", "--seeds", "1", "--world", "nowhere", "--home", str(tmp_path))
    told = failed(monkeypatch, capsys, *arguments)
    assert told.startswith("tallyman: the world file nowhere can't be read"), told
    assert "worlds by name: demo, full, threepl" in told
