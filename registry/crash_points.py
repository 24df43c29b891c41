"""Named points at which a test may kill this process; nothing happens in normal use.

``TALLYMAN_CRASH_AT=name`` kills the process with SIGKILL the first time it passes that point, as a
power cut or an out-of-memory kill would: no handler, no ``finally``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_observer: Callable[[str], None] | None = None


def crash_point(name: str) -> None:
    """Die here if a test asked for it."""
    if _observer is not None:
        _observer(name)
    if os.environ.get("TALLYMAN_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def observed(observer: Callable[[str], None]) -> Iterator[None]:
    """Call ``observer`` with the name of each point that is passed: a simulation dies its own way
    there, by an exception that nothing catches."""
    global _observer
    before, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = before
