"""What a run that delivers corrections holds as long as its process lives.

Several may deliver at once (a command beside the daemon), so that each has a lock of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from registry.owned_lock import holder, owned_lock, this_process
from registry.settings import Settings


@contextlib.contextmanager
def delivery_lock(settings: Settings, run_id: str) -> Iterator[None]:
    """Hold the lock of a run. The kernel gives it back when the process dies."""
    path = _path(settings, run_id)
    with owned_lock(path, this_process, 0, 0.2):
        yield
    forget_delivery(settings, run_id)


def is_delivering(settings: Settings, run_id: str) -> bool:
    """Whether the process of a run holds its lock."""
    return holder(_path(settings, run_id)) is not None


def forget_delivery(settings: Settings, run_id: str) -> None:
    """Remove the lock of a run that is over."""
    _path(settings, run_id).unlink(missing_ok=True)


def _path(settings: Settings, run_id: str) -> Path:
    return settings.home / "deliveries" / f"{run_id}.lock"
