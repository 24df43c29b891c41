"""Virtual time, and processes that take turns: exactly one runs, and the seed decides which."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def _held_lock() -> threading.Lock:
    """A lock that a turn is handed over by: who waits for it acquires, who gives it releases."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class KilledError(BaseException):
    """SIGKILL of a simulated process: no handler of the engine may see it as an error."""


class Process:
    """A body that runs in a thread of its own, but only while the schedule lets it.

    ``error`` is what ended it, if it was neither its end nor a kill.
    """

    def __init__(self, schedule: Schedule, name: str, body: Callable[[], None]) -> None:
        self.name = name
        self.done = False
        self.doomed = False
        self.error: Exception | None = None
        self._schedule = schedule
        self._body = body
        self._go = _held_lock()
        threading.Thread(target=self._main, daemon=True).start()

    def resume(self) -> None:
        """Called by the schedule: run until it waits or ends."""
        if self.done:
            return
        self._schedule.current = self
        self._go.release()
        self._schedule.back.acquire()
        self._schedule.current = None

    def suspend(self) -> None:
        """Called by the process itself: give the turn back."""
        self._schedule.back.release()
        self._go.acquire()
        if self.doomed:
            raise KilledError

    def _main(self) -> None:
        self._go.acquire()
        try:
            if not self.doomed:
                self._body()
        except KilledError:
            pass
        except Exception as error:
            self.error = error
        finally:
            self.done = True
            self._schedule.back.release()


class Schedule:
    """Actions in the order of their time; equal times in the order in which they were planned.

    ``now`` is true time in seconds since the story began: no clock of the engine need agree.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self.current: Process | None = None
        self.processes: list[Process] = []
        self.back = _held_lock()
        self._plan: list[tuple[float, int, Callable[[], object]]] = []
        self._planned = 0

    def at(self, moment: float, action: Callable[[], object]) -> None:
        """Do something at a time, or now if that has passed."""
        self._planned += 1
        heapq.heappush(self._plan, (max(moment, self.now), self._planned, action))

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        self.at(self.now + seconds, action)

    def spawn(self, name: str, body: Callable[[], None]) -> Process:
        """Start a process; it begins at its turn."""
        process = Process(self, name, body)
        self.processes.append(process)
        self.at(self.now, process.resume)
        return process

    def wait(self, seconds: float) -> None:
        """Let time pass for the running process. Raises KilledError when it is killed meanwhile."""
        process = self.current
        if process is None:
            raise RuntimeError("only a process can wait")
        self.at(self.now + seconds, process.resume)
        process.suspend()

    def run_until(self, moment: float) -> None:
        """Do everything that is planned up to a time, and leave the time there."""
        while self._plan and self._plan[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._plan)
            self.events += 1
            action()
        self.now = moment

    def end(self) -> None:
        """Kill what still runs, so that no thread outlives the story."""
        self._plan.clear()
        for process in self.processes:
            process.doomed = True
            process.resume()


class EngineClock:
    """The clocks of the machine on which the engine runs; ``step`` sets the time of day wrong."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.offset = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._schedule.now + self.offset)

    def monotonic(self) -> float:
        return self._schedule.now

    def step(self, seconds: float) -> None:
        self.offset += seconds
