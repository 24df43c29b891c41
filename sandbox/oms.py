"""The OMS on the wire: bearer token, camelCase, opaque cursors, ETag and If-Match."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.http import applied, is_silent, json_response, new_app, page_texts
from sandbox.problems import ProblemError
from sandbox.tables import Document, Table, to_json
from sandbox.views.oms import RESERVED, release, reserve, restate

Limit = Annotated[int, Query(ge=1, le=1000)]


class LineChange(BaseModel):
    """A change of one line; what is absent stays, null clears."""

    model_config = ConfigDict(extra="forbid")

    unitPrice: Annotated[Decimal, Field(ge=0, decimal_places=2)] | None = None
    qty: Annotated[int, Field(gt=0)] | None = None
    deliveredAt: AwareDatetime | None = None
    cancelledAt: AwareDatetime | None = None


def build_app(distributor: Distributor) -> FastAPI:
    """The OMS of a distributor."""
    app = new_app("demo_oms")
    view = distributor.oms

    def list_page(
        request: Request, table: Table, updated_after: str | None, cursor: str | None, limit: int
    ) -> Response:
        position = _position(updated_after, cursor)
        texts, last = table.page_after(*position, limit)
        texts = page_texts(request, table.entity, texts)
        following = None if last is None or is_silent(request) else _encode_cursor(last)
        rows = ",".join(texts)
        return json_response(f'{{"{table.entity}":[{rows}],"nextCursor":{to_json(following)}}}')

    @app.get("/v1/orders")
    async def orders(
        request: Request,
        updatedAfter: str | None = None,
        orderNumber: str | None = None,
        cursor: str | None = None,
        limit: Limit = 500,
    ) -> Response:
        if orderNumber is not None:
            found = ",".join(view.orders.texts_by("orderNumber", orderNumber))
            return json_response(f'{{"orders":[{found}],"nextCursor":null}}')
        return list_page(request, view.orders, updatedAfter, cursor, limit)

    @app.get("/v1/products")
    async def products(
        request: Request,
        updatedAfter: str | None = None,
        cursor: str | None = None,
        limit: Limit = 500,
    ) -> Response:
        return list_page(request, view.products, updatedAfter, cursor, limit)

    @app.get("/v1/returns")
    async def returns(
        request: Request,
        updatedAfter: str | None = None,
        cursor: str | None = None,
        limit: Limit = 500,
    ) -> Response:
        if "returns" not in view.tables:
            raise ProblemError(404, "this OMS keeps no returns")
        return list_page(request, view.tables["returns"], updatedAfter, cursor, limit)

    @app.get("/v1/availability")
    async def availability(request: Request) -> Response:
        """What each channel sees of every position, as of now; whole."""
        if "channels" not in distributor.processes:
            raise ProblemError(404, "this OMS has no channels")
        rows = [to_json(row) for row in distributor.channels.published(clock.now())]
        rows = [] if is_silent(request) else page_texts(request, "availability", rows)
        return json_response(f'{{"availability":[{",".join(rows)}],"nextCursor":null}}')

    @app.get("/v1/orders/{record_id}")
    async def order(record_id: str) -> Response:
        if record_id not in view.orders:
            raise ProblemError(404, f"there is no order {record_id}")
        version = view.orders.edit(record_id)["version"]
        return json_response(view.orders.text(record_id), headers={"ETag": f'"v{version}"'})

    @app.patch("/v1/orders/{record_id}/lines/{line_no}")
    async def change_line(
        request: Request,
        record_id: str,
        line_no: int,
        change: LineChange,
        if_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        if record_id not in view.orders:
            raise ProblemError(404, f"there is no order {record_id}")
        document = view.orders.edit(record_id)
        lines = [line for line in document["lines"] if line["lineNo"] == line_no]
        if not lines:
            raise ProblemError(404, f"order {record_id} has no line {line_no}")
        if if_match is None:
            raise ProblemError(428, "changing a line needs If-Match with the order's ETag")
        if if_match not in (f'"v{document["version"]}"', "*"):
            raise ProblemError(412, f'order {record_id} is at version "v{document["version"]}"')
        before = view.orders.edit(record_id)
        _apply(document, lines[0], change)
        restate(document)
        view.touch(document, clock.now())
        etag = {"ETag": f'"v{document["version"]}"'}
        return applied(request, 200, f"{record_id}/{line_no}", before, document, etag)

    return app


def _apply(order: Document, line: Document, change: LineChange) -> None:
    """Change a line as far as its state allows. Raises ProblemError."""
    given = change.model_fields_set
    if not given:
        raise ProblemError(422, "the change is empty")
    for name in given & {"unitPrice", "qty"}:
        if getattr(change, name) is None:
            raise ProblemError(422, f"{name} can't be cleared")
        if line["status"] != "PLACED" and line["status"] != "ACCEPTED":
            raise ProblemError(422, f"{name} of a line that is {line['status']} can't change")
    if (
        "deliveredAt" in given
        and change.deliveredAt is not None
        and line["status"]
        in (
            "PLACED",
            "ACCEPTED",
            "CANCELLED",
        )
    ):
        raise ProblemError(422, f"a line that is {line['status']} can't have been delivered")
    if (
        "cancelledAt" in given
        and change.cancelledAt is not None
        and line["status"]
        in (
            "SHIPPED",
            "DELIVERED",
        )
    ):
        raise ProblemError(422, f"a line that is {line['status']} can't be cancelled any more")
    if change.unitPrice is not None:
        line["unitPrice"] = f"{change.unitPrice:.2f}"
    if change.qty is not None:
        line["qty"] = change.qty
    if "deliveredAt" in given:
        line["deliveredAt"] = _moment(change.deliveredAt)
        if change.deliveredAt is not None:
            line["status"] = "DELIVERED"
        elif line["status"] == "DELIVERED":
            line["status"] = "SHIPPED"
    if "cancelledAt" in given:
        line["cancelledAt"] = _moment(change.cancelledAt)
        if change.cancelledAt is not None:
            line["status"] = "CANCELLED"
            release(line, clock.now())
        elif line["status"] == "CANCELLED":
            line["status"] = "ACCEPTED" if order["acceptedAt"] is not None else "PLACED"
            if order["acceptedAt"] is not None:
                reserve(line, RESERVED, clock.now())


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else clock.iso_utc(moment.astimezone(UTC).timestamp())


def _position(updated_after: str | None, cursor: str | None) -> tuple[str, str]:
    """The (updatedAt, id) after which a page begins; a cursor goes before ``updatedAfter``."""
    if cursor is not None:
        try:
            updated_at, record_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        except (binascii.Error, ValueError, TypeError):
            raise ProblemError(400, "the cursor is not one of ours") from None
        return str(updated_at), str(record_id)
    if updated_after is None:
        return "", ""
    try:
        # Strictly after: the greatest id of that millisecond.
        return clock.iso_utc(clock.parse_iso(updated_after)), "\U0010ffff" * 40
    except ValueError:
        raise ProblemError(
            400, f"updatedAfter {updated_after!r} is not an ISO-8601 time with an offset"
        ) from None


def _encode_cursor(position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(to_json(list(position)).encode()).decode()
