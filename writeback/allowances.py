"""The allowances of targets in the store: all processes share them, and so do the next ones.

What a process took is written with what it writes anyway (a lease, an outcome), so that no request
costs a write. A process that is killed has not told of what it took since then: less than a tenth
of a second's worth, or the requests of the corrections under way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from sqlalchemy.engine import Connection

from connectors.allowances import Allowance
from writeback.brakes import LONGEST_DEBT, Brakes


@runtime_checkable
class Limited(Protocol):
    """A target that may be asked only so often."""

    allowance: Allowance


def learn(target: object, full_at: datetime | None, now: datetime) -> None:
    """Take over what all others took of a target's allowance."""
    if isinstance(target, Limited) and full_at is not None:
        target.allowance.learn(min(full_at - now, LONGEST_DEBT).total_seconds())


def tell(store: Brakes, connection: Connection, system: str, target: object, now: datetime) -> None:
    """Write down what this process took, and learn what all together took."""
    if isinstance(target, Limited) and target.allowance.should_tell:
        seconds = target.allowance.untold
        full_at = store.take_allowance(connection, system, seconds, now)
        target.allowance.told(seconds)
        learn(target, full_at, now)
