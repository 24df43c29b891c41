"""Tryton's JSON-RPC as a person's client speaks it: a session, calls, wizards, warnings."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import httpx

WARNINGS_SKIPPED = 9
ANSWER_TIMEOUT_SECONDS = 120.0


class TrytonError(Exception):
    """What Tryton answered instead of a result. ``kind`` is the name of its exception."""

    def __init__(self, kind: str, message: str, arguments: Sequence[Any] = ()) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.arguments = arguments


class Tryton:
    """One session with one database. ``tryton("model.sale.sale.read", [1], ["number"])``."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._http = httpx.Client(timeout=ANSWER_TIMEOUT_SECONDS, trust_env=False)
        self._headers: dict[str, str] = {}
        self.context: dict[str, Any] = {}
        answer = self._post("common.db.login", [user, {"password": password}])
        if not isinstance(answer, list):
            raise TrytonError("LoginException", f"{url} does not accept {user}")
        token = base64.b64encode(f"{user}:{answer[0]}:{answer[1]}".encode()).decode()
        self._headers["Authorization"] = f"Session {token}"
        self.refresh()

    def refresh(self) -> None:
        """Read the user's context again, as a client does when the user's company changed."""
        self.context = self._post("model.res.user.get_preferences", [True, {}])

    def close(self) -> None:
        self._http.close()

    def __call__(self, method: str, *arguments: Any, **context: Any) -> Any:
        """Call a method; warnings, which are questions to a person, are answered with yes.

        Raises TrytonError.
        """
        parameters = [*arguments, {**self.context, **context}]
        for _ in range(WARNINGS_SKIPPED):
            try:
                return self._post(method, parameters)
            except TrytonError as error:
                if error.kind != "UserWarning":
                    raise
                name = error.arguments[0][0]
                self._post("model.res.user.warning.skip", [name, False, self.context])
        raise TrytonError("UserWarning", f"{method} asks without end")

    def create(self, model: str, *records: Mapping[str, Any]) -> list[int]:
        """Create records in one transaction; their ids, in their order."""
        return list(self(f"model.{model}.create", [dict(record) for record in records]))

    def search(self, model: str, *domain: Any) -> list[int]:
        return list(self(f"model.{model}.search", list(domain), 0, None, [("id", "ASC")]))

    def read(self, model: str, ids: Sequence[int], *fields: str) -> list[dict[str, Any]]:
        """Records in the order of ``ids``."""
        rows = self(f"model.{model}.read", list(ids), list(fields))
        found = {row["id"]: row for row in rows}
        return [found[record_id] for record_id in ids]

    def find(self, model: str, fields: Sequence[str], *domain: Any) -> list[dict[str, Any]]:
        """Records that match a domain, by id."""
        order = [("id", "ASC")]
        return list(self(f"model.{model}.search_read", list(domain), 0, None, order, list(fields)))

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        self(f"model.{model}.write", list(ids), dict(values))

    def click(self, model: str, button: str, ids: Sequence[int]) -> Any:
        return self(f"model.{model}.{button}", list(ids))

    def wizard(
        self, name: str, steps: Sequence[tuple[str, Mapping[str, Any]]], **context: Any
    ) -> Any:
        """Run a wizard through its states, each with the data for it; the last answer."""
        session, _start, _end = self(f"wizard.{name}.create", **context)
        answer = None
        try:
            for state, data in steps:
                answer = self(f"wizard.{name}.execute", session, data, state, **context)
        finally:
            self(f"wizard.{name}.delete", session)
        return answer

    def _post(self, method: str, parameters: Sequence[Any]) -> Any:
        body = json.dumps({"id": 1, "method": method, "params": parameters}, default=_encode)
        response = self._http.post(
            f"{self.url}/rpc/",
            content=body,
            headers={"Content-Type": "application/json", **self._headers},
        )
        if response.is_error:
            raise TrytonError(f"HTTP {response.status_code}", f"{method}: {response.text[:300]}")
        answer = json.loads(response.content, object_hook=_decode)
        if "error" in answer:
            raise _error(method, answer["error"])
        return answer["result"]


def _error(method: str, error: Sequence[Any]) -> TrytonError:
    """An exception's arguments; the domain of a DomainValidationError is tens of kB, its message
    comes first."""
    kind, rest = str(error[0]), error[1:]
    said = rest[0][0] if rest and isinstance(rest[0], list) and rest[0] else rest
    if kind == "UserWarning":
        said = rest[0][1]
    return TrytonError(kind, f"{method}: {said}", rest)


def _encode(value: Any) -> Any:
    match value:
        case datetime():
            return {
                "__class__": "datetime",
                "year": value.year,
                "month": value.month,
                "day": value.day,
                "hour": value.hour,
                "minute": value.minute,
                "second": value.second,
                "microsecond": value.microsecond,
            }
        case date():
            return {
                "__class__": "date",
                "year": value.year,
                "month": value.month,
                "day": value.day,
            }
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form in Tryton")


def _decode(value: dict[str, Any]) -> Any:
    match value.get("__class__"):
        case "datetime":
            parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            return datetime(*(value[part] for part in parts))
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "Decimal":
            return Decimal(value["decimal"])
    return value
