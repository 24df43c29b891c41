"""Processes that each run one seed after another; one that dies loses only the seed it was in."""

from __future__ import annotations

import logging
import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from registry.errors import TallymanError

SEEDS_A_PROCESS = 20
"""After so many a process is replaced: the libraries that it runs let memory go but slowly."""

Work = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """Of one seed: its result, or why there is none."""

    seed: int
    result: dict[str, Any] | None
    failure: str | None = None


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    seed: int
    seeds: int = 1


class _Fleet:
    """The processes at work, and the seeds that none of them has taken yet."""

    def __init__(self, seeds: Sequence[int], work: Work) -> None:
        self.left = list(reversed(seeds))
        self.workers: list[_Worker] = []
        self._work = work
        self._context = multiprocessing.get_context("spawn")

    def start(self) -> None:
        """One more process with the next seed, if there is one."""
        if not self.left:
            return
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, self.left.pop())
        ours.send(worker.seed)
        self.workers.append(worker)

    def outcome(self, worker: _Worker) -> Outcome:
        """What a worker tells, or that it told nothing; then it or another one goes on."""
        seed = worker.seed
        try:
            result, failure = worker.connection.recv()
        except EOFError:
            self._replace(worker)
            died = f"its process died (exit code {worker.process.exitcode})"
            return Outcome(seed, None, died)
        if self.left and worker.seeds < SEEDS_A_PROCESS:
            worker.seed = self.left.pop()
            worker.seeds += 1
            worker.connection.send(worker.seed)
        else:
            self._replace(worker)
        return Outcome(seed, result, failure)

    def _replace(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        self.start()

    def stop(self) -> None:
        """End what is still at work."""
        for worker in self.workers:
            worker.process.terminate()
            worker.process.join()


def outcomes(seeds: Sequence[int], jobs: int, work: Work) -> Iterator[Outcome]:
    """Run every seed and yield what became of it, as soon as it is known.

    A seed whose ``work`` raises, or whose process dies, is an outcome with a failure, and the
    others go on. ``work`` must be importable by its name.
    """
    fleet = _Fleet(seeds, work)
    try:
        for _ in range(jobs):
            fleet.start()
        while fleet.workers:
            ready = wait([worker.connection for worker in fleet.workers])
            for worker in [one for one in fleet.workers if one.connection in ready]:
                yield fleet.outcome(worker)
    finally:
        fleet.stop()


def _serve(connection: Connection, work: Work) -> None:
    """Run the seeds that come through the pipe until it is closed."""
    warnings.filterwarnings("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    while True:
        try:
            seed = connection.recv()
        except EOFError:
            return
        connection.send(_one(seed, work))


def _one(seed: int, work: Work) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return work(seed), None
    except TallymanError as error:
        return None, str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("seed %s", seed)
        return None, f"{type(error).__name__}: {error}"
