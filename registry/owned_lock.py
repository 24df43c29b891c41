"""A lock between processes that tells its holder; the kernel gives it back when that one dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["Timeout", "holder", "owned_lock", "owner_of", "this_process"]

_WIDTH = 120


@contextlib.contextmanager
def owned_lock(
    path: Path, owner: Callable[[], str], timeout_seconds: float, poll_seconds: float
) -> Iterator[None]:
    """Hold the lock; the same thread may take it again inside. ``owner`` is asked once it is ours.

    Raises Timeout, of which ``owner_of`` tells the cause.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(path), is_singleton=True)
    lock.acquire(timeout=timeout_seconds, poll_interval=poll_seconds)
    try:
        if lock.lock_counter == 1:
            _note(path, owner())
        yield
    finally:
        lock.release()


def this_process() -> str:
    """An owner for people to read: since when, and which process."""
    return f"since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, process {os.getpid()}"


def holder(path: Path) -> str | None:
    """Who holds it now, for people to read; None when nobody does, empty when he has not said."""
    if not path.exists():
        return None
    # Not the shared lock object: this thread may itself be the owner, and would get it again.
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return owner_of(path)
    lock.release()
    return None


def owner_of(path: Path) -> str:
    """Who noted himself last; empty when nobody has."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _note(path: Path, owner: str) -> None:
    """Overwrites in place: a file made anew would be another one than the one that is locked, and
    one that is cut to nothing first is brought to the disk when it is closed (ext4), a second and
    more while a checkpoint is being written."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(file, f"{owner:<{_WIDTH}.{_WIDTH}}\n".encode())
    finally:
        os.close(file)
