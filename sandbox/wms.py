"""The WMS on the wire: HTTP Basic, PascalCase, feeds by offset, a fast clock."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox import clock
from sandbox.catalogue import LOCATIONS
from sandbox.distributor import Distributor
from sandbox.http import applied, is_silent, json_response, new_app, page_texts
from sandbox.problems import ProblemError
from sandbox.tables import Document, to_json
from sandbox.views.wms import clock_ms

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0)]


class NewLine(BaseModel):
    """A line of an order to pick."""

    model_config = ConfigDict(extra="forbid")

    HostLine: Annotated[int, Field(gt=0)]
    Sku: str
    OrdQty: Annotated[int, Field(gt=0)]
    Uom: Literal["EA", "CS"]


class NewOrder(BaseModel):
    """An order to pick."""

    model_config = ConfigDict(extra="forbid")

    HostOrder: Annotated[str, Field(pattern=r"^E\d+$")]
    Whse: str
    Lines: Annotated[list[NewLine], Field(min_length=1)]


class Cancellation(BaseModel):
    """The version of the order to cancel."""

    model_config = ConfigDict(extra="forbid")

    Version: int


class ItemChange(BaseModel):
    """A change of an item at a version."""

    model_config = ConfigDict(extra="forbid")

    Version: int
    CasePack: Annotated[int, Field(gt=0)] | None = None
    WeightGrams: Annotated[int, Field(gt=0)] | None = None


def build_app(distributor: Distributor) -> FastAPI:
    """The WMS of a distributor."""
    app = new_app("demo_wms")
    view = distributor.wms

    def list_found(texts: list[str]) -> Response:
        return json_response(f'{{"records":[{",".join(texts)}]}}')

    @app.get("/feed/{entity}")
    async def feed(
        request: Request, entity: str, offset: Offset = 0, limit: Limit = 500
    ) -> Response:
        """Versions with a ``Seq`` above ``offset``."""
        table = view.tables.get(entity)
        if table is None or table.sequence_field is None:
            known = ", ".join(name for name, found in view.tables.items() if found.sequence_field)
            raise ProblemError(404, f"there is no feed {entity}; there are {known}")
        texts = table.feed_after(offset, limit)
        reached, high_water = offset + len(texts), table.high_water
        texts = page_texts(request, entity, texts)
        if is_silent(request):
            reached = high_water = offset
        return json_response(
            f'{{"records":[{",".join(texts)}],"next_offset":{reached},"high_water":{high_water}}}'
        )

    @app.get("/inventory")
    async def inventory(
        request: Request,
        offset: Offset = 0,
        limit: Limit = 500,
        sku: str | None = None,
        whse: str | None = None,
    ) -> Response:
        """A snapshot as of now. Here ``offset`` counts rows."""
        now = clock.now()
        as_of = clock_ms(now + distributor.disturbances.clock_ahead("wms", now))
        rows: list[Document] = [
            view.inventory.edit(position)
            for position in view.inventory.ids()
            if sku in (None, position.split("@")[0]) and whse in (None, position.split("@")[1])
        ]
        page = rows[offset : offset + limit]
        texts = [to_json({**row, "AsOfMs": as_of}) for row in page]
        if sku is None and whse is None:
            texts = page_texts(request, "inventory", texts)
        more = offset + limit < len(rows) and not is_silent(request)
        following = to_json(offset + limit if more else None)
        return json_response(
            f'{{"records":[{",".join(texts)}],"next_offset":{following},"high_water":{len(rows)}}}'
        )

    @app.get("/orders/{number}")
    async def order(number: str) -> Response:
        return _one(distributor, "orders", number)

    @app.get("/shipments/{number}")
    async def shipment(number: str) -> Response:
        return _one(distributor, "shipments", number)

    @app.get("/returns/{number}")
    async def returned(number: str) -> Response:
        if "returns" not in view.tables:
            raise ProblemError(404, "this WMS is told of no returns")
        return _one(distributor, "returns", number)

    @app.get("/items/{sku}")
    async def item(sku: str) -> Response:
        return _one(distributor, "items", sku)

    @app.get("/orders")
    async def orders(host_order: str) -> Response:
        return list_found(view.orders.texts_by("HostOrder", host_order))

    @app.get("/transactions")
    async def transactions(ref: str) -> Response:
        return list_found(view.transactions.texts_by("Ref", ref))

    @app.post("/orders")
    async def create_order(request: Request, new: NewOrder) -> Response:
        if new.Whse not in LOCATIONS:
            raise ProblemError(422, f"there is no warehouse {new.Whse}")
        for line in new.Lines:
            if line.Sku not in view.items:
                raise ProblemError(422, f"there is no item {line.Sku}")
        if len({line.HostLine for line in new.Lines}) < len(new.Lines):
            raise ProblemError(422, "a host line comes twice")
        for known in view.orders.by("HostOrder", new.HostOrder):
            if known["Status"] != "CANCELED":
                raise ProblemError(
                    409, f"host order {new.HostOrder} is already order {known['OrderNbr']}"
                )
        now = clock.now()
        document = view.create_order(
            view.numbers.next("extra_wms_order"),
            new.HostOrder,
            new.Whse,
            [line.model_dump() for line in new.Lines],
            now,
            now,
            request.scope["idempotency_key"],
        )
        return applied(request, 201, document["OrderNbr"], None, document)

    @app.post("/orders/{number}/cancel")
    async def cancel_order(request: Request, number: str, wanted: Cancellation) -> Response:
        if number not in view.orders:
            raise ProblemError(404, f"there is no order {number}")
        before = view.orders.edit(number)
        if before["Version"] != wanted.Version:
            raise ProblemError(409, f"order {number} is at version {before['Version']}")
        if before["Status"] in ("SHIPPED", "CANCELED"):
            raise ProblemError(422, f"order {number} is {before['Status']}")
        document = view.cancel_order(number, clock.now())
        return applied(request, 200, number, before, document)

    @app.patch("/items/{sku}")
    async def change_item(request: Request, sku: str, change: ItemChange) -> Response:
        if sku not in view.items:
            raise ProblemError(404, f"there is no item {sku}")
        document, before = view.items.edit(sku), view.items.edit(sku)
        if document["Version"] != change.Version:
            raise ProblemError(409, f"item {sku} is at version {document['Version']}")
        if change.CasePack is None and change.WeightGrams is None:
            raise ProblemError(422, "the change is empty")
        if change.CasePack is not None:
            document["CasePack"] = change.CasePack
        if change.WeightGrams is not None:
            document["WeightGrams"] = change.WeightGrams
        view.touch(view.items, document, clock.now())
        return applied(request, 200, sku, before, document)

    return app


def _one(distributor: Distributor, entity: str, record_id: str) -> Response:
    table = distributor.wms.tables[entity]
    if record_id not in table:
        raise ProblemError(404, f"there is no {entity[:-1]} {record_id}")
    return json_response(table.text(record_id))
