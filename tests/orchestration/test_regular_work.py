"""When passes begin by themselves, and when the project is parsed anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import dagster as dg
import pytest

from orchestration import dbt_build
from orchestration.definitions import evenly
from orchestration.passes import sigterm_kept
from registry.settings import load_settings


@pytest.mark.parametrize(
    ("seconds", "cron"),
    [
        (5, "*/1 * * * *"),
        (300, "*/5 * * * *"),
        (45 * 60, "*/30 * * * *"),
        (59 * 60, "*/30 * * * *"),
        (3600, "0 */1 * * *"),
        (9 * 3600, "0 */8 * * *"),
        (86_400, "0 0 * * *"),
        (7 * 86_400, "0 0 * * *"),
    ],
)
def test_passes_begin_evenly_and_not_later_than_the_cadence(seconds: int, cron: str) -> None:
    assert evenly(seconds) == cron


def test_the_project_is_parsed_anew_when_a_file_changed_came_or_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    project, target = tmp_path / "project", tmp_path / "target"
    monkeypatch.setattr(type(settings), "dbt_project", project)
    monkeypatch.setattr(type(settings), "dbt_target", target)
    project.mkdir()
    target.mkdir()
    models = [project / "a.sql", project / "b.sql"]
    for model in models:
        model.write_text("select 1")

    class Runner:
        success = True

        def invoke(self, _arguments: list[str]) -> Runner:
            dbt_build.manifest_path(settings).write_text("{}")
            parsings.append("parsed")
            return self

    parsings: list[str] = []
    monkeypatch.setattr("dbt.cli.main.dbtRunner", Runner)

    def parsed_again() -> bool:
        parsings.clear()
        dbt_build.parsed(settings)
        return bool(parsings)

    assert parsed_again() and not parsed_again()
    models[0].unlink()
    assert parsed_again() and not parsed_again()
    models[1].rename(project / "moved.sql")
    assert parsed_again() and not parsed_again()
    os.utime(project / "moved.sql", (2e9, 2e9))
    assert parsed_again()


def test_what_is_started_in_the_background_can_be_stopped_after_a_run() -> None:
    """A shell lets it ignore SIGINT, and Dagster gave SIGTERM the same."""

    @dg.job
    def nothing() -> None:
        return None

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with sigterm_kept():
            assert nothing.execute_in_process().success
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
