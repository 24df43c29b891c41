"""What goes wrong outside of our own code ends a command with one message, and no traceback."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.cli import main
from orchestration.cli.application import say
from orchestration.doctor import Finding
from orchestration.sync import SyncReport
from registry.errors import TallymanError
from writeback.store import OperationsStore


def failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """What a command that can't do its work says on the terminal, on one line."""
    monkeypatch.setattr(sys, "argv", ["tallyman", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 3)
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
    assert "worlds by name: demo, full" in told


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://maria:secret@127.0.0.1:9/tallyman", "connection"),
        ("nonsense", "Could not parse"),
        ("mysql://localhost/tallyman", "No module named"),
        ("sqlite:////proc/nowhere/operations.sqlite", "this machine said no"),
    ],
)
def test_an_operations_store_that_is_not_there(
    url: str,
    cause: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TALLYMAN_OPERATIONS_URL", url)
    told = failed(monkeypatch, capsys, "corrections", "list", "--home", str(tmp_path))
    assert cause in told and "secret" not in told, told


def test_an_operations_store_that_somebody_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}").close()

    def held(_store: OperationsStore, **_asked: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(OperationsStore, "list", held)
    told = failed(monkeypatch, capsys, "corrections", "list", "--home", str(tmp_path))
    assert "the operations store gave up: database is locked" in told


def test_words_of_strangers_are_told_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A system's answer may look like the terminal's markup, and must neither break nor vanish."""
    words = "422: [/filter/modified] must be [red] date-time :x:"
    say(f"loaded erp: 0 records, {words}")
    assert words in " ".join(capsys.readouterr().out.split())

    OperationsStore(f"sqlite:///{tmp_path / 'operations.sqlite'}").close()

    def refused(_store: OperationsStore, **_asked: object) -> None:
        raise TallymanError(words)

    monkeypatch.setattr(OperationsStore, "list", refused)
    told = failed(monkeypatch, capsys, "corrections", "list", "--home", str(tmp_path))
    assert told == f"tallyman: {words}"


def test_a_feed_that_was_not_read_to_its_end_for_words_like_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "landing/erp: [/filter/modified] must be date-time"
    monkeypatch.setattr(
        "orchestration.sync.run_sync", lambda *_given: SyncReport({}, failed_feeds=(words,))
    )
    told = failed(monkeypatch, capsys, "sync", "--home", str(tmp_path))
    assert told.startswith(f"not read to the end {words}"), told


def test_the_check_up_of_a_system_that_answers_like_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "[/filter/modified] must be date-time"
    monkeypatch.setattr(
        "orchestration.doctor.examine", lambda _settings: [Finding("system erp", False, words)]
    )
    monkeypatch.setattr(sys, "argv", ["tallyman", "doctor", "--home", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("trouble", "thing", "remedy"),
    [
        (
            duckdb.CatalogException("Catalog Error: Table with name exceptions does not exist!"),
            "Table with name exceptions does not exist!",
            "run `tallyman sync`",
        ),
        (
            duckdb.FatalException("FATAL Error: could not write: No space left on device"),
            "No space left on device",
            "disk has room",
        ),
    ],
)
def test_a_warehouse_that_gives_up(
    trouble: duckdb.Error,
    thing: str,
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def raises(*_given: object) -> None:
        raise trouble

    monkeypatch.setattr("orchestration.sync.run_sync", raises)
    told = failed(monkeypatch, capsys, "sync", "--home", str(tmp_path))
    assert told.startswith("tallyman: ") and thing in told and remedy in told
