"""Writes over JSON-RPC: a session, the optimistic lock, wizards, and what each answer stands for.

REST could write too, but it has no optimistic lock and no wizards. A call is one transaction: an
error that Tryton answers means that nothing of the call stands.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from connectors.base import Outcome, Result
from connectors.corrections import (
    RESPONSE_LIMIT,
    VERSION_CONFLICT,
    NotDoneError,
    judge,
    mark_begun,
)
from connectors.http import HttpClient, NoAnswerError, NotSentError
from connectors.tryton.wire import body, decode

# What the names of Tryton's exceptions mean for a correction; any other one is a fault in Tryton,
# perhaps after the commit: only a read tells.
REFUSALS = {
    "UserError": "user_error",
    # A question to a person, such as "really post an invoice of the future?".
    "UserWarning": "user_warning",
    "ConcurrencyException": VERSION_CONFLICT,
}
LATER = {"RateLimitException": "rate_limited"}


class TrytonSession:
    """One session of ``user``; begun when it is first needed, and again when Tryton forgot it.

    ``http`` carries no credentials of its own: a session and a key exclude each other.
    """

    def __init__(self, http: HttpClient, user: str, password: str, company: int) -> None:
        self._http = http
        self.user = user
        self._password = password
        self._context = {"company": company}
        self._authorization: str | None = None

    def call(
        self, method: str, *arguments: Any, stamps: Mapping[str, str] | None = None, **context: Any
    ) -> Any:
        """Send one call exactly once. ``stamps``: the ``_timestamp`` that each record must still
        have (``sale.sale,12``). Raises NotDoneError.
        """
        whole: dict[str, Any] = {**self._context, **context}
        if stamps:
            whole["_timestamp"] = dict(stamps)
        if self._authorization is None:
            self._log_in()
        response = self._post(method, [*arguments, whole])
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # Refused at the door, so nothing was done: once more with a fresh session.
            self._log_in()
            response = self._post(method, [*arguments, whole])
        result = self._result(method, response)
        mark_begun()
        return result

    def wizard(
        self, name: str, steps: Sequence[tuple[str, Mapping[str, Any]]], model: str, record: int
    ) -> None:
        """Run a wizard on a record through its states, each with the data for it."""
        about: dict[str, Any] = {
            "active_model": model,
            "active_id": record,
            "active_ids": [record],
        }
        session = self.call(f"wizard.{name}.create", **about)[0]
        for state, data in steps:
            self.call(f"wizard.{name}.execute", session, dict(data), state, **about)
        self.call(f"wizard.{name}.delete", session)

    def _log_in(self) -> None:
        self._authorization = None
        parameters = [self.user, {"password": self._password}]
        response = self._post("common.db.login", parameters)
        answer = self._result("common.db.login", response)
        if not isinstance(answer, list):
            raise NotDoneError(
                Outcome(
                    Result.REFUSED,
                    "unauthorised",
                    f"{self._http.system.name} does not accept the user '{self.user}': check the "
                    f"secrets user and password",
                )
            )
        token = base64.b64encode(f"{self.user}:{answer[0]}:{answer[1]}".encode()).decode()
        self._authorization = f"Session {token}"

    def _post(self, method: str, parameters: Sequence[Any]) -> httpx.Response:
        headers = {"Authorization": self._authorization} if self._authorization else {}
        question = {"id": 1, "method": method, "params": body(list(parameters))}
        try:
            return self._http.send("POST", "rpc/", json=question, headers=headers)
        except NotSentError as error:
            raise NotDoneError(Outcome(Result.RETRY, error.kind, str(error))) from error
        except NoAnswerError as error:
            raise NotDoneError(Outcome(Result.UNKNOWN, error.kind, str(error))) from error

    def _result(self, method: str, response: httpx.Response) -> Any:
        if not response.is_success:
            raise NotDoneError(judge(response, lambda _: None))
        try:
            answer = decode(response.content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise NotDoneError(
                Outcome(
                    Result.UNKNOWN,
                    "bad_answer",
                    f"{self._http.system.name} answered {method} with no result and no error",
                    response=response.text[:RESPONSE_LIMIT],
                )
            )
        if "error" in answer:
            raise NotDoneError(_judge_error(method, answer["error"]))
        return answer["result"]


def _judge_error(method: str, error: Any) -> Outcome:
    """The outcome of ``[name of the exception, its arguments]``.

    Of the arguments only the message is kept: the domain behind it may be a hundred kilobytes.
    """
    parts = error if isinstance(error, list) else [error]
    name, arguments = str(parts[0]), parts[1] if len(parts) > 1 else []
    if isinstance(arguments, list) and arguments:
        said = str(arguments[1] if name == "UserWarning" and len(arguments) > 1 else arguments[0])
    else:
        said = str(arguments or name)
    message = f"{method}: {said}"[:RESPONSE_LIMIT]
    if name in REFUSALS:
        return Outcome(Result.REFUSED, REFUSALS[name], message)
    if name in LATER:
        return Outcome(Result.RETRY, LATER[name], message)
    return Outcome(Result.UNKNOWN, "fault", f"{message} ({name[:200]})")
