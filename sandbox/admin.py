"""The sandbox's own door: truth, ledger, injection, misbehaviour, and the page to look at it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.http import json_response, new_app
from sandbox.misbehave import MODES, Misbehaviour
from sandbox.page.routes import add_page
from sandbox.problems import ProblemError
from sandbox.scene import NothingLeftError
from sandbox.tables import to_json
from sandbox.world import KINDS


class Injection(BaseModel):
    """How many more of which kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    count: Annotated[int, Field(ge=1, le=100)] = 1


class Arming(BaseModel):
    """What the next requests of a system shall meet. ``off`` ends it."""

    model_config = ConfigDict(extra="forbid")

    system: Literal["oms", "erp", "wms", "carrier"]
    mode: str
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    entity: str | None = None
    method: Literal["GET", "POST", "PATCH"] | None = None


def build_app(distributor: Distributor, misbehaviour: Misbehaviour) -> FastAPI:
    """The admin app. It needs no credentials."""
    app = new_app("sandbox admin")
    add_page(app, distributor)

    @app.get("/health")
    async def health() -> Response:
        return json_response(to_json({"status": "ok", "system": "admin"}))

    @app.get("/admin/truth")
    async def truth() -> Response:
        return json_response(f'{{"faults":[{",".join(distributor.store.truths())}]}}')

    @app.get("/admin/ledger")
    async def ledger() -> Response:
        return json_response(to_json({"effects": distributor.store.effects()}))

    @app.get("/admin/behaviours")
    async def behaviours() -> Response:
        return json_response(to_json({"met": distributor.disturbances.met}))

    @app.get("/admin/documents/{system}/{entity}")
    async def documents(system: str, entity: str) -> Response:
        view = distributor.views.get(system)
        if view is None or entity not in view.tables:
            raise ProblemError(404, f"{system} holds no {entity}")
        table = view.tables[entity]
        return json_response(f'{{"documents":[{",".join(map(table.text, table.ids()))}]}}')

    @app.get("/admin/counts")
    async def counts() -> Response:
        distributor.advance()
        counted = {
            view.system: {
                table.entity: {
                    "records": len(table),
                    "versions": table.high_water if table.sequence_field else len(table),
                }
                for table in view.tables.values()
            }
            for view in distributor.views.values()
        }
        store = distributor.store
        return json_response(
            to_json(
                counted
                | {
                    "anchor": clock.iso_utc(store.get("anchor")),
                    "truth": len(store.truths()),
                    "scheduled": distributor.scheduled_count,
                    "misbehaviour": misbehaviour.armed(),
                }
            )
        )

    @app.post("/admin/inject")
    async def inject(wanted: Injection) -> Response:
        if wanted.kind not in KINDS:
            raise ProblemError(422, f"unknown kind {wanted.kind}; there are {', '.join(KINDS)}")
        try:
            rows = distributor.inject(wanted.kind, wanted.count)
        except NothingLeftError as error:
            raise ProblemError(409, str(error)) from None
        return json_response(to_json({"faults": rows}))

    @app.post("/admin/misbehave")
    async def misbehave(wanted: Arming) -> Response:
        if wanted.mode not in MODES:
            raise ProblemError(422, f"unknown mode {wanted.mode}; there are {', '.join(MODES)}")
        misbehaviour.arm(wanted.system, wanted.mode, wanted.count, wanted.entity, wanted.method)
        return json_response(to_json({"armed": misbehaviour.armed()}))

    return app
