"""Published builds: complete or absent, swapped at once, never in the way of the pipeline."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from ingestion.warehouse import lock_owner, warehouse
from registry.settings import PROJECT_ROOT, Settings
from reporting import publish as publishing
from reporting.publish import (
    NothingPublishedError,
    PublishError,
    publish,
    published_connection,
    published_manifest,
)


def add_order(settings: Settings, name: str) -> None:
    with warehouse(settings) as connection:
        connection.execute("insert into marts.orders values (?, 1)", [name])


def orders(settings: Settings) -> int:
    with published_connection(settings) as connection:
        return connection.execute("select count(*) from marts.orders").fetchone()[0]


def builds(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.published.iterdir())


def test_a_build_holds_the_database_the_marts_and_what_is_in_it(live: Settings) -> None:
    build = publish(live, "build-1")

    assert build.marts == {"empty_mart": 0, "orders": 1}
    assert build.database == live.published / "build-1" / "tallyman.duckdb"
    parquet = build.folder / "marts" / "orders.parquet"
    assert (
        duckdb.sql(f"select order_line_id, quantity from '{parquet}'").fetchall()[0][0] == "SO-1/1"
    )
    manifest = json.loads((build.folder / "manifest.json").read_text())
    assert manifest == published_manifest(live)
    assert manifest["marts"]["orders"] == {"rows": 1, "file": "marts/orders.parquet"}
    assert manifest["rows"]["core.order_events"] == 1
    assert manifest["database"]["bytes"] == build.database.stat().st_size
    assert builds(live) == ["build-1", "current"]


def test_files_of_a_build_can_not_be_written(live: Settings) -> None:
    build = publish(live, "build-1")
    for path in build.folder.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o444
    with published_connection(live) as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("create table nope (a int)")


def test_views_work_in_the_copy_under_its_own_name(live: Settings) -> None:
    publish(live, "build-1")
    with published_connection(live) as connection:
        assert connection.execute("select * from reconciliation.exceptions").fetchall() == [
            ("SO-1/1",)
        ]
        assert connection.execute("select count(*) from landing.demo_erp__stock").fetchall() == [
            (0,)
        ]
        assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_the_copy_can_take_the_place_of_a_damaged_live_file(live: Settings) -> None:
    publish(live, "build-1")
    live.warehouse.write_bytes(b"rubbish" * 1000)
    with warehouse(live) as connection:
        assert connection.execute("select * from reconciliation.exceptions").fetchall() == [
            ("SO-1/1",)
        ]


def test_a_reader_keeps_its_build_while_a_new_one_appears(live: Settings) -> None:
    publish(live, "build-1")
    with published_connection(live) as old:
        add_order(live, "SO-2/1")
        publish(live, "build-2")
        assert old.execute("select count(*) from marts.orders").fetchone() == (1,)
        assert orders(live) == 2


def test_a_reader_in_another_process_does_not_stop_the_pipeline(live: Settings) -> None:
    publish(live, "build-1")
    script = (
        "import duckdb, sys\n"
        f"connection = duckdb.connect({str(live.published_warehouse)!r}, read_only=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(connection.execute('select count(*) from marts.orders').fetchone()[0])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        for number in range(2, 7):
            add_order(live, f"SO-{number}/1")
            publish(live, f"build-{number}")
        answer, _ = reader.communicate("go on\n", timeout=30)
    assert answer == "1\n"
    assert "build-1" not in builds(live)


def test_the_last_three_builds_are_kept(live: Settings) -> None:
    for number in range(1, 6):
        publish(live, f"build-{number}")
    assert builds(live) == ["build-3", "build-4", "build-5", "current"]
    assert (live.published / "current").readlink() == Path("build-5")


@pytest.mark.parametrize("point", ["reporting.after_copy", "reporting.before_swap"])
def test_a_kill_leaves_the_old_build_current_and_the_next_publish_cleans_up(
    live: Settings, point: str
) -> None:
    publish(live, "build-1")
    add_order(live, "SO-2/1")
    script = (
        "from registry.settings import load_settings\n"
        "from reporting.publish import publish\n"
        f"publish(load_settings({str(live.home)!r}), 'build-2')\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TALLYMAN_CRASH_AT": point},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert orders(live) == 1

    # The same build again, as a retry of the step would.
    publish(live, "build-2")
    assert orders(live) == 2
    assert builds(live) == ["build-1", "build-2", "current"]


def test_a_full_disk_is_not_kept_full_by_what_was_begun(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next pass needs room to load, long before it publishes and would clean up."""
    publish(live, "build-1")

    def fill(source: Path, destination: Path) -> None:
        Path(destination).write_bytes(b"as far as there was room")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    with pytest.raises(OSError, match="No space left"):
        publish(live, "build-2")
    assert builds(live) == ["build-1", "current"]
    assert orders(live) == 1


def test_a_link_left_half_swapped_is_no_obstacle(live: Settings) -> None:
    publish(live, "build-1")
    (live.published / "current.partial").symlink_to("build-1")
    (live.published / "build-0.partial").mkdir()
    publish(live, "build-2")
    assert builds(live) == ["build-1", "build-2", "current"]


def test_readers_never_see_less_than_a_whole_build(live: Settings) -> None:
    publish(live, "build-0")
    done = threading.Event()
    problems: list[BaseException] = []

    def read() -> None:
        while not done.is_set():
            try:
                assert orders(live) >= 1
            except BaseException as error:
                problems.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 6):
        publish(live, f"build-{number}")
    done.set()
    reader.join()
    assert problems == []


def test_nothing_published_says_what_to_do(settings: Settings) -> None:
    with (
        pytest.raises(NothingPublishedError, match="run `tallyman sync`"),
        published_connection(settings),
    ):
        raise AssertionError("there is nothing to open")
    with pytest.raises(NothingPublishedError):
        published_manifest(settings)


@pytest.mark.parametrize("name", ["", "current", "../escape", "a b", "x.partial"])
def test_a_build_needs_a_plain_name(live: Settings, name: str) -> None:
    with pytest.raises(PublishError, match="can't name a build"):
        publish(live, name)


def test_a_current_build_is_never_overwritten(live: Settings) -> None:
    publish(live, "build-1")
    with pytest.raises(PublishError, match="published already"):
        publish(live, "build-1")
    assert orders(live) == 1


def test_a_build_is_published_under_the_warehouses_lock_from_beginning_to_end(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one who publishes would remove what this one has half done as a leftover."""
    held = []

    def noting(name: str) -> None:
        step = getattr(publishing, name)

        def noted(*given: object) -> object:
            held.append(lock_owner(live) is not None)
            return step(*given)

        monkeypatch.setattr(publishing, name, noted)

    for name in ("_remove_leftovers", "_export_marts", "_swap_link", "_remove_old_builds"):
        noting(name)
    publish(live, "build-1")
    assert held == [True] * 4
    assert lock_owner(live) is None
