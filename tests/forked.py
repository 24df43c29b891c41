"""Processes that tests kill, forked from a server that has imported the libraries: seconds each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

_processes = multiprocessing.get_context("forkserver")
# One server for all tests of a worker, so all that any of them runs.
_processes.set_forkserver_preload(
    ["orchestration.passes", "great_expectations", "dbt.cli.main", "dlt", "httpx"]
)


def run_forked(
    work: Callable[..., None], *arguments: Any, crash_at: str | None, timeout: float
) -> int | None:
    """Do some work in a process that dies at a crash point; returns its exit code."""
    child = _processes.Process(target=_run, args=(crash_at, work, *arguments))
    child.start()
    child.join(timeout)
    return child.exitcode


def _run(crash_at: str | None, work: Callable[..., None], *arguments: Any) -> None:
    os.environ.pop("TALLYMAN_CRASH_AT", None)
    if crash_at:
        os.environ["TALLYMAN_CRASH_AT"] = crash_at
    work(*arguments)
