"""One pass at a time on one installation, whoever starts it: a command, a schedule, the UI.

Each step takes the warehouse's lock by itself. Between two steps nobody would hold anything: one
pass could publish what another's build had half filled by then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from registry.errors import TallymanError
from registry.settings import Settings

# A run of Dagster waits for a command's pass so long; a command does not wait at all.
PATIENCE_SECONDS = 600.0
_WIDTH = 80


class PassAtWorkError(TallymanError):
    """Another process makes a pass of this installation."""

    exit_code = 3


@contextlib.contextmanager
def pass_lock(settings: Settings, timeout_seconds: float = 0) -> Iterator[None]:
    """Hold the right to make a pass; the same thread may take it again inside.

    The kernel gives it back when the process dies. Raises PassAtWorkError naming who has it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    path = _path(settings)
    lock = FileLock(str(path), is_singleton=True)
    try:
        lock.acquire(timeout=timeout_seconds, poll_interval=0.2)
    except Timeout:
        raise PassAtWorkError(
            f"a pass is at work {_told(path)}: wait for it to end, or stop it, and run this again"
        ) from None
    try:
        if lock.lock_counter == 1:
            _note(path)
        yield
    finally:
        lock.release()


def pass_at_work(settings: Settings) -> str | None:
    """Since when and by which process a pass is made, for people to read; None when none is."""
    path = _path(settings)
    if not path.exists():
        return None
    # Not the shared lock object: this thread may itself be the owner, and would get it again.
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _told(path)
    lock.release()
    return None


def _path(settings: Settings) -> Path:
    return settings.home / "pass.lock"


def _note(path: Path) -> None:
    """In place: a file that is made anew would be another one than the one that is locked."""
    told = f"since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, process {os.getpid()}"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(file, f"{told:<{_WIDTH}}\n".encode())
    finally:
        os.close(file)


def _told(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() or "in another process"
