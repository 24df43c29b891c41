"""Asks a carrier or tracker for the packages of a list, as ``shapes.yaml`` says how (``polls``)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from connectors.base import SourceError
from connectors.carrier_tracking.shapes import Poll, catalogue, value_at
from connectors.http import ClientCredentialsAuth, HeaderAuth, HttpClient
from registry.errors import ConfigurationError
from registry.systems import System
from registry.texts import read_text


class TrackingClient:
    """Calls of one account. ``options.carrier`` names the entry of ``polls``.

    ``options.numbers`` is a text file with one tracking number a line, read anew in every pass;
    blank lines and lines that begin with # are skipped.
    """

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        polls = catalogue().polls
        carrier = str(system.options.get("carrier", ""))
        if carrier not in polls:
            raise ConfigurationError(
                f"system '{system.name}' needs options.carrier, one of: {', '.join(sorted(polls))}"
            )
        if not system.options.get("numbers"):
            raise ConfigurationError(
                f"system '{system.name}' needs options.numbers: a file with one tracking number a "
                f"line"
            )
        self.system = system
        self.unknown: list[str] = []  # numbers that the carrier did not know
        self._poll = polls[carrier]
        self._numbers = system.folder / str(system.options["numbers"])
        self.http = HttpClient(
            system, _auth(self._poll, system, environment), self._poll.headers, **seams
        )

    def numbers(self) -> list[str]:
        """The numbers to ask for, each once. Raises SourceError when there is no list."""
        return _listed(self._numbers)

    def ask(self, numbers: Sequence[str]) -> Iterator[Any]:
        """The answers about some packages, a page each; see ``unknown`` for those without one."""
        size = min(self._poll.batch, self.system.page_size)
        for start in range(0, len(numbers), size):
            yield from self._pages(numbers[start : start + size])

    def _pages(self, batch: Sequence[str]) -> Iterator[Any]:
        paging = self._poll.paging
        more: dict[str, str] = {paging.size: str(self.system.page_size)} if paging else {}
        visited = set()
        is_known = False
        while True:
            try:
                answer = self._send(batch, more)
            except SourceError as error:
                if error.kind != "not_found" or not self._poll.unknown_is_404:
                    raise
                break
            if value_at(answer, self._poll.packages) != []:
                is_known = True
                yield answer
            if paging is None or not value_at(answer, paging.more):
                break
            following = value_at(answer, paging.next)
            if following is None or following in visited:
                raise SourceError(
                    "bad_page",
                    f"{self.system.name} says that there is another page and does not say which: "
                    f"the connector and the system disagree on its interface",
                )
            visited.add(following)
            more[paging.parameter] = str(following)
        if not is_known:
            self.unknown += batch

    def _send(self, batch: Sequence[str], more: Mapping[str, str]) -> Any:
        poll, number = self._poll, self._poll.number
        parameters: dict[str, Any] = {**poll.parameters, **more}
        if number.list:
            body = copy.deepcopy(number.body)
            body[number.list] = [_nested(number.item or "", one) for one in batch]
            return self.http.query(poll.path, body)
        if number.parameter:
            parameters[number.parameter] = (
                number.joined.join(batch) if number.joined else list(batch)
            )
        return self.http.get_json(
            poll.path.replace("{number}", quote(batch[0], safe="")), parameters
        )


def _auth(poll: Poll, system: System, environment: Mapping[str, str]) -> httpx.Auth:
    auth = poll.auth
    if auth.kind == "client_credentials":
        return ClientCredentialsAuth(
            f"{system.base_url.rstrip('/')}/{auth.token_path}",
            system.secret("client_id", environment),
            system.secret("client_secret", environment),
            in_body=auth.in_body,
        )
    if auth.kind == "header":
        return HeaderAuth(auth.header, system.secret("api_key", environment))
    # A tracker has a key only: it stands for the user, without a password.
    password = system.secret("password", environment) if "password" in system.secrets else ""
    return httpx.BasicAuth(system.secret("user", environment), password)


def _listed(path: Path) -> list[str]:
    try:
        lines = read_text(path).splitlines()
    except ConfigurationError as error:
        if isinstance(error.__cause__, OSError):
            raise SourceError(
                "missing",
                f"no list of tracking numbers at {path} ({error.__cause__.strerror}): write one "
                f"number a line, or correct options.numbers",
            ) from error
        raise SourceError("unreadable", f"the list of tracking numbers {error}") from error
    wanted = (line.strip() for line in lines)
    return list(dict.fromkeys(line for line in wanted if line and not line.startswith("#")))


def _nested(path: str, value: str) -> dict[str, Any]:
    """``a.b`` and 1 as {"a": {"b": 1}}."""
    owner, _, rest = path.partition(".")
    return {owner: _nested(rest, value) if rest else value}
