"""One look at several records as of one moment: what was read in it is not asked for twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_SEEN: ContextVar[dict[Any, Any] | None] = ContextVar("seen", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Inside, an answer to a point read serves every equal question of this thread.

    A target and a source of one system often read the same record to check the same correction:
    that costs one request of the system's allowance. What must be fresh (the read right before a
    write) is outside of it.
    """
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


def seen() -> dict[Any, Any] | None:
    """Question -> answer of the present look; None outside of one."""
    return _SEEN.get()
