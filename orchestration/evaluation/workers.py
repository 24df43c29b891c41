"""Processes that each run one world after another; one that dies loses only the world it was in."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from registry.errors import TallymanError

WORLDS_A_PROCESS = 20
"""After so many a process is replaced: the libraries that it runs let memory go but slowly."""


@dataclass(frozen=True)
class Outcome:
    """Of one seed: its result, or why there is none."""

    seed: int
    result: dict[str, Any] | None
    failure: str | None = None


@dataclass(frozen=True)
class Task:
    """What every process needs to know. ``keep`` leaves a world that is not perfect in place."""

    choices: Any
    folder: Path
    keep: bool


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    seed: int | None = None
    worlds: int = 0


def outcomes(seeds: Sequence[int], jobs: int, task: Task) -> Iterator[Outcome]:
    """Run every seed and yield what became of it, as soon as it is known.

    A seed that raises or whose process dies is an outcome with a failure, and the others go on.
    """
    context = multiprocessing.get_context("spawn")
    left = list(reversed(seeds))
    workers: list[_Worker] = []

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, task), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        workers.append(worker)
        give(worker)

    def give(worker: _Worker) -> None:
        worker.seed = left.pop() if left and worker.worlds < WORLDS_A_PROCESS else None
        worker.worlds += 1
        if worker.seed is None:
            workers.remove(worker)
            worker.connection.close()
            worker.process.join()
            if left:
                start()
        else:
            worker.connection.send(worker.seed)

    try:
        for _ in range(min(jobs, len(left))):
            start()
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [one for one in workers if one.connection in ready]:
                seed = worker.seed
                assert seed is not None
                try:
                    result, failure = worker.connection.recv()
                except EOFError:
                    worker.process.join()
                    code = worker.process.exitcode
                    yield Outcome(seed, None, f"its process died (exit code {code})")
                    workers.remove(worker)
                    if left:
                        start()
                    continue
                yield Outcome(seed, result, failure)
                give(worker)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def _work(connection: Connection, task: Task) -> None:
    """Run what comes through the pipe until it is closed."""
    warnings.filterwarnings("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    # Many worlds side by side: a second thread in each would only wait for the other processes.
    os.environ["TALLYMAN_THREADS"] = "1"
    while True:
        try:
            seed = connection.recv()
        except EOFError:
            return
        connection.send(_one(seed, task))


def _one(seed: int, task: Task) -> tuple[dict[str, Any] | None, str | None]:
    from orchestration.evaluation.one_world import run_world

    home = task.folder / f"seed-{seed}"
    shutil.rmtree(home, ignore_errors=True)
    try:
        result = run_world(seed, task.choices, home, task.folder / "template")
    except TallymanError as error:
        return None, str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("seed %s", seed)
        return None, f"{type(error).__name__}: {error}"
    if not (task.keep and result["remarks"]):
        shutil.rmtree(home, ignore_errors=True)
    return result, None
