"""A process for each seed: one that dies loses only its seed, and none has what others left."""

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

Work = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """Of one seed: its result, or why there is none."""

    seed: int
    result: dict[str, Any] | None
    failure: str | None = None


def outcomes(seeds: Sequence[int], jobs: int, work: Work) -> Iterator[Outcome]:
    """Run every seed, ``jobs`` at a time, and yield what became of it, as soon as it is known.

    A seed whose ``work`` raises, or whose process dies, is an outcome with a failure, and the
    others go on. ``work`` must be importable by its name.
    """
    # Each begins as a copy of one that has imported all and done nothing. One that had worked
    # through ten worlds took a third longer for the next: the libraries let go of little.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([type(work).__module__])
    left = list(reversed(seeds))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while left or running:
            while left and len(running) < jobs:
                seed = left.pop()
                ours, theirs = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(
                    target=_tell, args=(theirs, work, seed), daemon=True
                )
                process.start()
                theirs.close()
                running[ours] = (seed, process)
            ready = wait(list(running))
            for connection in [one for one in running if one in ready]:
                yield _outcome(connection, *running.pop(connection))
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def _outcome(connection: Connection, seed: int, process: BaseProcess) -> Outcome:
    """What a process told, or that it told nothing."""
    with connection:
        try:
            result, failure = connection.recv()
        except EOFError:
            process.join()
            return Outcome(seed, None, f"its process died (exit code {process.exitcode})")
    process.join()
    return Outcome(seed, result, failure)


def _tell(connection: Connection, work: Work, seed: int) -> None:
    """Run a seed and tell through the pipe what became of it."""
    warnings.filterwarnings("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    connection.send(_one(seed, work))


def _one(seed: int, work: Work) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return work(seed), None
    except TallymanError as error:
        return None, str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("seed %s", seed)
        return None, f"{type(error).__name__}: {error}"
