"""Vendure's Admin API: login, GraphQL answers and their errors, paging. Knows no contracts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from connectors.base import SourceError
from connectors.cursors import iso_milliseconds
from connectors.http import HeaderAuth, HttpClient, TokenRefusedError
from registry.systems import System

PATH = "admin-api"
API_KEY_HEADER = "vendure-api-key"
CHANNEL_HEADER = "vendure-token"
SESSION_HEADER = "vendure-auth-token"
# Vendure's own limit (adminListQueryLimit) for one page of a list.
LARGEST_PAGE = 1000

_LOG_IN = """
mutation($username: String!, $password: String!) {
  login(username: $username, password: $password) {
    __typename
    ... on ErrorResult { errorCode message }
  }
}
"""

# Codes of Vendure's GraphQL errors that have a kind of their own; all others are its own failures.
_KINDS = {
    "FORBIDDEN": "forbidden",
    "UNAUTHORIZED": "unauthorised",
    "ENTITY_NOT_FOUND": "not_found",
    "USER_INPUT_ERROR": "refused",
    "BAD_USER_INPUT": "refused",
    "GRAPHQL_VALIDATION_FAILED": "refused",
    "GRAPHQL_PARSE_FAILED": "refused",
    "ILLEGAL_OPERATION": "refused",
    "CHANNEL_NOT_FOUND": "refused",
}


class SessionAuth(httpx.Auth):
    """An administrator's session: logs in, and once more when the session has ended.

    Raises SourceError ``unauthorised`` when Vendure does not accept the login, and others (or
    TokenRefusedError, for the status) when it could not judge it.
    """

    requires_response_body = True

    def __init__(self, system: System, username: str, password: str) -> None:
        self._system = system
        self._url = httpx.URL(system.base_url.rstrip("/") + "/").join(PATH)
        self._login = {"username": username, "password": password}
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is None:
            yield from self._log_in()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if _is_forbidden(response):
            # Vendure says the same of a session that has ended and of a right that is missing;
            # either way nothing was done, so that even a write may be repeated.
            yield from self._log_in()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _log_in(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield httpx.Request(
            "POST", self._url, json={"query": _LOG_IN, "variables": self._login}
        )
        if not response.is_success:
            raise TokenRefusedError(response)
        self._token = response.headers.get(SESSION_HEADER)
        if self._token is None:
            raise self._login_failure(response)

    def _login_failure(self, response: httpx.Response) -> SourceError:
        """Why an answer of status 200 opened no session."""
        try:
            answer = response.json()
        except ValueError:
            answer = None
        failure = failure_of(self._system.name, answer)
        if failure is not None and failure.kind not in ("forbidden", "unauthorised"):
            return failure
        variables = ", ".join(sorted(self._system.secrets.values()))
        return SourceError(
            "unauthorised",
            f"{self._system.name} does not accept our login at {self._url}: check the "
            f"environment variables {variables}, and that its tokenMethod allows 'bearer'",
        )


class VendureClient:
    """Calls of one Vendure. ``http`` is open to the target, which sends through it.

    Logs in with the secret ``api_key`` or, without one, with ``username`` and ``password``.
    ``options.channel`` is the token of the channel to read; without it, the default channel.
    """

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        auth: httpx.Auth
        if "username" in system.secrets:
            auth = SessionAuth(
                system,
                system.secret("username", environment),
                system.secret("password", environment),
            )
        else:
            auth = HeaderAuth(API_KEY_HEADER, system.secret("api_key", environment))
        channel = system.options.get("channel")
        headers = {CHANNEL_HEADER: str(channel)} if channel else {}
        self.http = HttpClient(system, auth, headers=headers, **seams)
        self._name = system.name
        self._page_size = min(system.page_size, LARGEST_PAGE)

    def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a reading document. Raises SourceError, also for errors in the answer."""
        answer = self.http.query(PATH, {"query": document, "variables": variables})
        failure = failure_of(self._name, answer)
        if failure is not None:
            raise self._unknown_to_it() if self._is_stranger(failure) else failure
        data: dict[str, Any] = answer["data"]
        return data

    def _is_stranger(self, failure: SourceError) -> bool:
        """Whether we were refused because Vendure does not know us at all: it says FORBIDDEN of
        that and of a missing right alike. Everybody it knows may read its global settings."""
        if failure.kind != "forbidden":
            return False
        answer = self.http.query(PATH, {"query": "{ globalSettings { id } }"})
        return failure_of(self._name, answer) is not None

    def _unknown_to_it(self) -> SourceError:
        variables = ", ".join(sorted(self.http.system.secrets.values()))
        return SourceError(
            "unauthorised",
            f"{self._name} does not accept our key or session: check the environment variables "
            f"{variables}, and that its tokenMethod allows 'api-key' or 'bearer'",
        )

    def created(
        self, listing: str, fields: str, conditions: Sequence[Mapping[str, Any]] = ()
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of a list, oldest first.

        The place in the list is the time of creation, which never changes, and not a count of
        rows: what leaves or enters the selection while it is read moves no other row over a page
        border. Vendure compares microseconds but tells milliseconds, so that each page begins a
        millisecond before the last row, and what comes again is passed over.
        """
        after: str | None = None
        told: dict[str, str] = {}
        skip = 0
        while True:
            place = [{"createdAt": {"after": after}}] if after else []
            options: dict[str, Any] = {
                "take": self._page_size,
                "skip": skip,
                "sort": {"createdAt": "ASC", "id": "ASC"},
                "filter": {"_and": [*conditions, *place]},
            }
            rows = self._rows(listing, fields, options)
            fresh = [row for row in rows if row["id"] not in told]
            if fresh:
                yield fresh
            if len(rows) < self._page_size:
                return
            following = _a_millisecond_before(rows[-1]["createdAt"])
            if after is not None and following <= after:
                # More rows in one millisecond than a page holds: only counting leads out of it.
                skip += self._page_size
            else:
                after, skip = following, 0
            told |= {row["id"]: row["createdAt"] for row in fresh}
            told = {identity: moment for identity, moment in told.items() if moment >= after}

    def total(self, listing: str) -> int:
        """How many rows a list announces."""
        found = self.query(f"{{ {listing}(options: {{take: 1}}) {{ totalItems }} }}").get(listing)
        told = found.get("totalItems") if isinstance(found, dict) else None
        if not isinstance(told, int):
            raise SourceError("bad_page", f"{self._name} does not tell how many {listing} it has")
        return told

    def by_ids(
        self, listing: str, fields: str, ids: Sequence[str]
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of a list: the rows with these ids that still exist."""
        for first in range(0, len(ids), self._page_size):
            wanted = ids[first : first + self._page_size]
            options = {"take": len(wanted), "filter": {"id": {"in": list(wanted)}}}
            yield self._rows(listing, fields, options)

    def matching(
        self, listing: str, fields: str, condition: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """All rows of a list that meet a condition which few rows meet."""
        return self._rows(listing, fields, {"take": LARGEST_PAGE, "filter": dict(condition)})

    def _rows(self, listing: str, fields: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        kind = f"{listing[0].upper()}{listing[1:-1]}ListOptions"
        data = self.query(
            f"query($options: {kind}) {{ {listing}(options: $options) "
            f"{{ items {{ id createdAt {fields} }} }} }}",
            options=options,
        )
        rows: list[dict[str, Any]] = self.http.rows(data.get(listing), "items")
        return rows


def failure_of(system: str, answer: Any) -> SourceError | None:
    """What a GraphQL answer reports as gone wrong; None when nothing has."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        error = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
        code = (error.get("extensions") or {}).get("code")
        kind = _KINDS.get(str(code), "server_error")
        return SourceError(kind, f"{system} answered: {error.get('message')}{_remedy(kind)}")
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        return SourceError(
            "bad_page",
            f"{system} answered with something that is no GraphQL answer: check base_url",
        )
    return None


def _a_millisecond_before(moment: str) -> str:
    return iso_milliseconds(datetime.fromisoformat(moment) - timedelta(milliseconds=1))


def _remedy(kind: str) -> str:
    if kind == "forbidden":
        return ": its role lacks a permission; docs/connectors/vendure.md lists those it needs"
    if kind == "server_error":
        return ": the next pass tries again; if it stays so, look into Vendure's own log"
    return ""


def _is_forbidden(response: httpx.Response) -> bool:
    return response.is_success and b'"FORBIDDEN"' in response.content
