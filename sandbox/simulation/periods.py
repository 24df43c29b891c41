"""Month end: the ERP closes the period, with what was received and not yet billed accrued."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sandbox.clock import HOUR, MINUTE, NEW_YORK
from sandbox.events import Event
from sandbox.simulation.engine import Engine, Process, Timeline
from sandbox.simulation.purchasing import Purchasing

_CLOSES_AFTER = 30 * HOUR
"""The books stay open this long into the next month."""


def last_closed_day(moment: float) -> date:
    """The last day of the latest period that had been closed for a minute: no clock disputes it."""
    certain = moment - _CLOSES_AFTER - MINUTE
    month = datetime.fromtimestamp(certain, NEW_YORK).date().replace(day=1)
    return month - timedelta(days=1)


class Periods:
    """The calendar of the books: the only process that goes by real dates. It draws no chance."""

    def __init__(self, engine: Engine, timeline: Timeline, purchasing: Purchasing) -> None:
        self.engine = engine
        self.timeline = timeline
        self.purchasing = purchasing

    def run(self) -> Process:
        """Open and close one month after the other, for ever."""
        month = datetime.fromtimestamp(self.timeline.moment(self.engine.now), NEW_YORK)
        while True:
            self._tell("period_opened", f"{month:%Y-%m}")
            following = _next_month(month)
            yield from self._until(following)
            accrued = self.purchasing.accrued
            self.engine.start(self._close(f"{month:%Y-%m}", accrued))
            month = following

    def _close(self, period: str, accrued: int) -> Process:
        yield self.engine.wait(_CLOSES_AFTER)
        self._tell("period_closed", period, accrued=accrued)

    def _until(self, month: datetime) -> Process:
        yield self.engine.wait(max(0.0, self.timeline.virtual(month.timestamp()) - self.engine.now))

    def _tell(self, kind: str, period: str, **more: int) -> None:
        now = self.engine.now
        self.engine.tell(Event(now, kind, period, {"period": period, **more}, {"erp": now}))


def _next_month(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=NEW_YORK)
