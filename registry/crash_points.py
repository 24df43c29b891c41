"""Named points at which a test may kill this process; nothing happens in normal use.

``TALLYMAN_CRASH_AT=name`` kills the process with SIGKILL the first time it passes that point, as a
power cut or an out-of-memory kill would: no handler, no ``finally``.
"""

from __future__ import annotations

import os
import signal


def crash_point(name: str) -> None:
    """Die here if a test asked for it."""
    if os.environ.get("TALLYMAN_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
