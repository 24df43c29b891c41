"""Refusals as problem documents (RFC 9457), alike in all systems."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from sandbox.tables import to_json

PROBLEM_JSON = "application/problem+json"


class ProblemError(Exception):
    """A refusal: raised anywhere in a request, answered as a problem document."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def problem(status: int, detail: str, **more: Any) -> Response:
    """A problem document as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    return Response(to_json(body), status, media_type=PROBLEM_JSON)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of an app a problem document."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return problem(error.status, error.detail, **error.more)

    async def not_routed(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail))

    async def not_valid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [
            {"field": ".".join(str(part) for part in row["loc"]), "message": row["msg"]}
            for row in error.errors()
        ]
        in_body = any(row["loc"][0] == "body" for row in error.errors())
        detail = "; ".join(f"{row['field']}: {row['message']}" for row in found)
        return problem(422 if in_body else 400, detail, errors=found)

    app.add_exception_handler(ProblemError, refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_exception_handler(RequestValidationError, not_valid)
