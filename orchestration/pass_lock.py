"""One pass at a time on one installation, whoever starts it: a command, a schedule, the UI.

Each step takes the warehouse's lock by itself. Between two steps nobody would hold anything: one
pass could publish what another's build had half filled by then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from registry.errors import TallymanError
from registry.owned_lock import Timeout, holder, owned_lock, owner_of, this_process
from registry.settings import Settings

# A run of Dagster waits for a command's pass so long; a command does not wait at all.
PATIENCE_SECONDS = 600.0
_SOMEWHERE = "in another process"


class PassAtWorkError(TallymanError):
    """Another process makes a pass of this installation."""

    exit_code = 3


@contextlib.contextmanager
def pass_lock(settings: Settings, timeout_seconds: float = 0) -> Iterator[None]:
    """Hold the right to make a pass; the same thread may take it again inside.

    The kernel gives it back when the process dies. Raises PassAtWorkError naming who has it.
    """
    path = _path(settings)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(owned_lock(path, this_process, timeout_seconds, 0.2))
        except Timeout:
            raise PassAtWorkError(
                f"a pass is at work {owner_of(path) or _SOMEWHERE}: wait for it to end, or "
                "stop it, and run this again"
            ) from None
        yield


def pass_at_work(settings: Settings) -> str | None:
    """Since when and by which process a pass is made, for people to read; None when none is."""
    owner = holder(_path(settings))
    return None if owner is None else owner or _SOMEWHERE


def _path(settings: Settings) -> Path:
    return settings.home / "pass.lock"
