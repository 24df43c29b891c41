"""Calls of Vendure's GraphQL APIs, for driving it as its own users do."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx

from real.processes import RealSystemError

ANSWER_TIMEOUT_SECONDS = 60.0
# Vendure's "errors as data": every mutation that can fail for a business reason answers a union.
ERROR = "... on ErrorResult { errorCode message }"


class GraphQL:
    """A session with one of Vendure's APIs: ``admin-api`` or ``shop-api``."""

    def __init__(self, url: str, api: str) -> None:
        self._api = api
        self._http = httpx.Client(base_url=url, timeout=ANSWER_TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> GraphQL:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def log_in(self, user: str, password: str) -> None:
        """Make this an administrator's session; raises RealSystemError."""
        self.run(
            "mutation($user: String!, $password: String!) {"
            f" login(username: $user, password: $password) {{ __typename {ERROR} }} }}",
            user=user,
            password=password,
        )

    def run(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run a document and return its data.

        Raises RealSystemError for every error, those in the data included.
        """
        response = self._http.post(self._api, json={"query": document, "variables": variables})
        # An anonymous visitor gets a session with the first write, and with it a basket.
        token = response.headers.get("vendure-auth-token")
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"
        answer = response.json()
        if answer.get("errors"):
            raise RealSystemError(f"Vendure refuses: {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        for name, result in data.items():
            if isinstance(result, dict) and result.get("errorCode"):
                raise RealSystemError(
                    f"Vendure refuses {name}: {result['errorCode']}: {result['message']}"
                )
        return data
