"""Systems that live in this process: HttpClient hands requests for their hosts to them directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx


@dataclass(frozen=True)
class Hosted:
    """A system in this process: what answers instead of a connection, and the time it lives in."""

    transport: httpx.BaseTransport
    now: Callable[[], datetime]


_HOSTED: dict[str, Hosted] = {}


@contextmanager
def hosting(hosts: Mapping[str, Hosted]) -> Iterator[None]:
    """Answer requests for these host names here, for every HttpClient made meanwhile.

    Raises ValueError when one of them is hosted already.
    """
    twice = sorted(hosts.keys() & _HOSTED.keys())
    if twice:
        raise ValueError(f"hosted already: {', '.join(twice)}")
    _HOSTED.update(hosts)
    try:
        yield
    finally:
        for host in hosts:
            del _HOSTED[host]


def hosted(host: str) -> Hosted | None:
    """What answers for a host in this process; None when it must be reached over the network."""
    return _HOSTED.get(host)
