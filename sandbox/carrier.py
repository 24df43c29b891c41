"""The carrier on the wire: OAuth2 client credentials, kebab-case, Link headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.http import is_silent, json_response, new_app, page_texts
from sandbox.problems import ProblemError
from sandbox.settings import Credentials
from sandbox.tables import to_json

TOKEN_SECONDS = 300


def issue_token(credentials: Credentials, now: float) -> str:
    """A token that proves itself, so that a restart does not invalidate it."""
    expires = str(int(now + TOKEN_SECONDS))
    return f"{expires}.{_signature(credentials, expires)}"


def token_is_valid(credentials: Credentials, token: str, now: float) -> bool:
    """Whether a token is ours and has not expired."""
    expires, _, signature = token.partition(".")
    genuine = hmac.compare_digest(signature.encode(), _signature(credentials, expires).encode())
    return genuine and expires.isdigit() and int(expires) > now


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """User and password of an Authorization header, if it is HTTP Basic."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:  # also where it is no base64, or no text
        return None
    return user, password


def bearer_token(header: str | None) -> str:
    """The token of an Authorization header, if it is a bearer's; else nothing."""
    scheme, _, token = (header or "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def build_app(distributor: Distributor) -> FastAPI:
    """The carrier of a distributor."""
    app = new_app("demo_carrier")
    scans = distributor.carrier.scans
    credentials = distributor.settings.credentials

    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        given = basic_credentials(request.headers.get("authorization"))
        if given != (credentials.carrier_client_id, credentials.carrier_client_secret):
            return json_response(
                to_json({"error": "invalid_client"}), 401, {"WWW-Authenticate": "Basic"}
            )
        form = parse_qs((await request.body()).decode(errors="replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return json_response(to_json({"error": "unsupported_grant_type"}), 400)
        return json_response(
            to_json(
                {
                    "access_token": issue_token(credentials, clock.now()),
                    "token_type": "Bearer",
                    "expires_in": TOKEN_SECONDS,
                }
            ),
            headers={"Cache-Control": "no-store"},
        )

    @app.get("/track/v2/events")
    async def events(
        request: Request,
        since_seq: Annotated[int, Query(alias="since-seq", ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    ) -> Response:
        texts = scans.feed_after(since_seq, limit)
        reached = since_seq + len(texts)
        texts = page_texts(request, "events", texts)
        headers = {}
        if reached < scans.high_water and not is_silent(request):
            following = f"/track/v2/events?since-seq={reached}&limit={limit}"
            headers["Link"] = f'<{following}>; rel="next"'
        return json_response(f'{{"events":[{",".join(texts)}]}}', headers=headers)

    @app.get("/track/v2/shipments/{tracking}")
    async def shipment(tracking: str) -> Response:
        texts = scans.texts_by("tracking-number", tracking)
        if not texts:
            raise ProblemError(404, f"the carrier knows no parcel {tracking}")
        return json_response(
            f'{{"tracking-number":{to_json(tracking)},"events":[{",".join(texts)}]}}'
        )

    return app


def _signature(credentials: Credentials, expires: str) -> str:
    secret = credentials.carrier_client_secret.encode()
    return hmac.new(secret, expires.encode(), hashlib.sha256).hexdigest()
