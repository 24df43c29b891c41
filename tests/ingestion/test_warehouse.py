"""The live file: one opener at a time, one configuration, damage set aside."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from ingestion.warehouse import (
    DamagedWarehouseError,
    connect_config,
    lock_owner,
    warehouse,
    warehouse_lock,
)
from registry.errors import WarehouseBusyError
from registry.settings import PROJECT_ROOT

HOLD = """
import sys, time
from pathlib import Path
from registry.settings import Settings
from ingestion.warehouse import warehouse
with warehouse(Settings(Path(sys.argv[1]), Path("none")), purpose="a long report"):
    print("held", flush=True)
    time.sleep(60)
"""


def fill(settings, rows=1000):
    with warehouse(settings) as connection:
        connection.execute(f"create table numbers as select range as number from range({rows})")


def test_it_is_utc_limited_and_leaves_no_log_of_changes(settings):
    with warehouse(settings) as connection:
        connection.execute("create table kept as select 1 as one")
        row = connection.execute(
            "select current_setting('TimeZone'), current_setting('threads')"
        ).fetchone()
        assert row == ("UTC", 2)
        # Libraries work on duplicates; they must not fall back to the zone of the machine.
        assert connection.cursor().execute("select current_setting('TimeZone')").fetchone() == (
            "UTC",
        )
    assert not settings.warehouse.with_name("warehouse.duckdb.wal").exists()


OPEN = """
import sys
from pathlib import Path
from registry.settings import Settings
from ingestion.warehouse import warehouse
with warehouse(Settings(Path(sys.argv[1]), Path("none"))):
    pass
"""

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from registry.settings import Settings
from ingestion.warehouse import warehouse
with warehouse(Settings(Path(sys.argv[1]), Path("none")), close_aside=True) as connection:
    connection.execute("create table kept as select range as number from range(500000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_closed_aside_the_next_one_reads_at_once_and_leaves_it_closed(settings):
    with warehouse(settings, close_aside=True) as connection:
        connection.execute("create table kept as select range as number from range(500000)")
    with warehouse(settings) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (500000,)
    assert not settings.warehouse.with_name("warehouse.duckdb.wal").exists()
    read = f"import duckdb; print(duckdb.connect({str(settings.warehouse)!r}).sql('from kept'))"
    subprocess.run([sys.executable, "-c", read], check=True, capture_output=True)


def test_killed_before_it_was_closed_aside_nothing_is_lost(settings):
    settings.home.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(settings.home)], cwd=PROJECT_ROOT)
    with warehouse(settings) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (500000,)


def test_another_process_is_named_when_it_holds_the_file(settings):
    settings.home.mkdir(parents=True)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "held"
        assert lock_owner(settings) == f"process {child.pid} (a long report)"
        with (
            pytest.raises(WarehouseBusyError, match=f"process {child.pid}.*a long report"),
            warehouse(settings, timeout_seconds=0.2),
        ):
            pass
    finally:
        child.kill()
        child.wait()
    # A killed owner leaves no lock behind.
    with warehouse(settings, timeout_seconds=5):
        pass
    assert lock_owner(settings) is None


def test_a_process_that_opens_the_file_without_the_lock_is_waited_for_and_named(settings):
    fill(settings)
    script = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(1, flush=True); "
    child = subprocess.Popen(
        [sys.executable, "-c", script + "time.sleep(60)", str(settings.warehouse)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        with (
            pytest.raises(WarehouseBusyError, match=rf"PID {child.pid}(.|\n)*published copy"),
            warehouse(settings, timeout_seconds=0.3),
        ):
            pass
        threading.Timer(0.3, child.kill).start()
        with warehouse(settings, timeout_seconds=10) as connection:
            assert connection.execute("select count(*) from numbers").fetchone() == (1000,)
    finally:
        child.kill()
        child.wait()


def test_threads_take_turns_and_one_thread_may_nest(settings):
    events = []

    def use(name):
        with warehouse(settings):
            events.append((name, "in"))
            time.sleep(0.05)
            events.append((name, "out"))

    with warehouse_lock(settings, "the outer one"):
        with warehouse(settings) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        threads = [threading.Thread(target=use, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert events == []
    for thread in threads:
        thread.join()
    assert [what for _, what in events] == ["in", "out", "in", "out"]


def test_a_library_that_passes_the_same_configuration_may_open_it_beside_us(settings):
    with warehouse(settings) as connection:
        connection.execute("create table kept as select 1 as one")
        with duckdb.connect(str(settings.warehouse), config=connect_config(settings)) as other:
            assert other.execute("select one from kept").fetchone() == (1,)


@pytest.mark.parametrize("published", [True, False])
def test_a_damaged_file_is_set_aside_and_the_published_copy_takes_its_place(settings, published):
    fill(settings)
    if published:
        settings.published_warehouse.parent.mkdir(parents=True)
        settings.published_warehouse.write_bytes(settings.warehouse.read_bytes())
    content = bytearray(settings.warehouse.read_bytes())
    for position in range(4096, len(content)):
        content[position] ^= 0x5A
    settings.warehouse.write_bytes(content)

    with warehouse(settings) as connection:
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert tables == ([("numbers",)] if published else [])
    assert len(damaged_files(settings.home)) == 1


def publish_and_damage(settings) -> bytes:
    """Publish what is there and damage the live file; returns the damaged content."""
    settings.published_warehouse.parent.mkdir(parents=True)
    settings.published_warehouse.write_bytes(settings.warehouse.read_bytes())
    content = bytearray(settings.warehouse.read_bytes())
    for position in range(4096, len(content)):
        content[position] ^= 0x5A
    settings.warehouse.write_bytes(content)
    return bytes(content)


def tables_of(settings) -> list[tuple[str]]:
    with warehouse(settings) as connection:
        return connection.execute("select table_name from duckdb_tables()").fetchall()


def test_a_copy_that_does_not_fit_leaves_all_as_it_was_and_the_next_pass_heals(
    settings, monkeypatch
):
    fill(settings)
    damaged = publish_and_damage(settings)

    def full_disk(_source, destination):
        Path(destination).write_bytes(b"the first half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full_disk)
        for _ in range(2):
            with pytest.raises(DamagedWarehouseError, match=r"No space left.*make room"):
                tables_of(settings)
    assert settings.warehouse.read_bytes() == damaged, "never an empty file in its place"
    assert damaged_files(settings.home) == []
    assert list(settings.home.glob("*.restoring")) == [], "half a copy takes room for nothing"

    assert tables_of(settings) == [("numbers",)]
    assert len(damaged_files(settings.home)) == 1


@pytest.mark.parametrize("point", ["before_setting_aside", "after_setting_aside"])
def test_killed_while_a_copy_takes_its_place_the_next_pass_heals(settings, point):
    fill(settings)
    publish_and_damage(settings)
    child = subprocess.run(
        [sys.executable, "-c", OPEN, str(settings.home)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TALLYMAN_CRASH_AT": f"ingestion.{point}"},
        capture_output=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert settings.warehouse.exists() is (point == "before_setting_aside")

    assert tables_of(settings) == [("numbers",)]
    assert len(damaged_files(settings.home)) == 1


def test_a_file_that_is_gone_is_taken_from_the_published_copy(settings):
    fill(settings)
    publish_and_damage(settings)
    settings.warehouse.unlink()
    # The log of changes of the file that is gone is none of the copy's.
    log_of_changes = settings.warehouse.with_name("warehouse.duckdb.wal")
    log_of_changes.write_bytes(b"of another file")

    assert tables_of(settings) == [("numbers",)]
    assert len(damaged_files(settings.home)) == 0
    assert len(list(settings.home.glob("warehouse.duckdb.wal.damaged-*"))) == 1


def test_damage_found_in_the_middle_of_work_is_set_aside_too(settings):
    fill(settings, rows=2_000_000)
    size = settings.warehouse.stat().st_size
    with settings.warehouse.open("r+b") as handle:
        # Behind the headers and before the catalogue, which lies at the end.
        handle.seek(size // 3)
        handle.write(b"\xff" * 4096)
    with pytest.raises(DamagedWarehouseError, match="run again"), warehouse(settings) as connection:
        connection.execute("select sum(number) from numbers").fetchall()
    assert len(damaged_files(settings.home)) == 1
    with warehouse(settings) as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchone() == (0,)


def test_an_error_of_a_query_is_no_damage(settings):
    fill(settings)
    with pytest.raises(duckdb.CatalogException), warehouse(settings) as connection:
        connection.execute("select * from nowhere")
    assert damaged_files(settings.home) == []
    with warehouse(settings) as connection:
        assert connection.execute("select count(*) from numbers").fetchone() == (1000,)


def test_a_log_of_changes_left_by_a_kill_is_no_damage(settings):
    fill(settings)
    script = (
        "import os, signal, sys, duckdb\n"
        "c = duckdb.connect(sys.argv[1])\n"
        "c.execute('pragma disable_checkpoint_on_shutdown')\n"
        "c.execute('create table more as select range as number from range(500000)')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(settings.warehouse)], check=False)
    with warehouse(settings) as connection:
        assert connection.execute("select count(*) from more").fetchone() == (500_000,)
    assert damaged_files(settings.home) == []


def damaged_files(home: Path) -> list[Path]:
    return sorted(home.glob("warehouse.duckdb.damaged-*"))
