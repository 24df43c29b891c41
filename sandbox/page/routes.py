"""The page over HTTP: one address to look, one to break, two assets. Plain HTML, rendered here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox import clock
from sandbox.decoys import DECOYS
from sandbox.distributor import Distributor
from sandbox.http import json_response
from sandbox.page.breaking import NotHereError, break_order, kinds_for, patient
from sandbox.page.cells import short
from sandbox.page.finding import (
    FEWEST_LETTERS,
    MOST_FOUND,
    injected,
    latest_orders,
    latest_purchases,
    search,
    target_of,
)
from sandbox.page.stock import TrueStock
from sandbox.page.story import Story, item_story, order_story, purchase_story, title_of, truth_rows
from sandbox.problems import ProblemError
from sandbox.scene import NothingLeftError
from sandbox.tables import to_json
from sandbox.world import KINDS

_HERE = Path(__file__).parent
_ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FAMILIES = {
    "T": "Messages between systems",
    "C": "Time",
    "M": "Master data",
    "S": "Codes and formats",
    "O": "Orders",
    "I": "Inventory",
    "H": "Shipping",
    "P": "Suppliers",
    "F": "Invoices and returns",
    "X": "Corrections",
}
"""By the first letter of a kind's name."""
_LABELS = {
    "truth": "Truth",
    "oms": "OMS",
    "erp": "ERP",
    "erp_north": "ERP of the north",
    "wms": "WMS",
    "threepl": "Third-party warehouse",
    "carrier": "Carrier",
    "pushes": "Carrier",
    "suppliers": "Supplier",
}


def add_page(app: FastAPI, distributor: Distributor) -> None:
    """Serve the page from an app."""
    pages = _Pages(distributor)

    @app.get("/")
    async def page(
        find: str = "",
        order: str | None = None,
        item: str | None = None,
        purchase: str | None = None,
        did: str | None = None,
    ) -> Response:
        return pages.show(find, order, item, purchase, did)

    @app.post("/break")
    async def break_something(request: Request) -> Response:
        _refuse_other_sites(request)
        form = parse_qs((await request.body()).decode(errors="replace"))
        return pages.break_it(form.get("kind", [""])[0], form.get("order", [None])[0])

    @app.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise ProblemError(404, f"there is no asset {name}")
        content = (_HERE / "assets" / name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers=_SAFE)

    @app.get("/admin/orders/{number}")
    async def order_as_data(number: str) -> Response:
        distributor.advance()
        return _as_data(order_story(distributor, pages.stock, number), f"order {number}")

    @app.get("/admin/purchases/{number}")
    async def purchase_as_data(number: str) -> Response:
        distributor.advance()
        return _as_data(purchase_story(distributor, number), f"purchase order {number}")

    @app.get("/admin/items/{gtin}")
    async def item_as_data(gtin: str) -> Response:
        distributor.advance()
        return _as_data(item_story(distributor, pages.stock, gtin), f"item {gtin}")


def _as_data(story: Story | None, name: str) -> Response:
    """All that the page tells, as JSON. Raises ProblemError if there is no such thing."""
    if story is None:
        raise ProblemError(404, f"there is no {name}")
    counts = {"wrong": story.wrong, "wrong_beside": story.wrong_beside, "coming": story.coming}
    return json_response(to_json(asdict(story) | counts))


class _Pages:
    """The page's states, rendered."""

    def __init__(self, distributor: Distributor) -> None:
        self.distributor = distributor
        self.stock = TrueStock(distributor.store)
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"moment": _moment, "title_of": title_of}
        self.template = environment.get_template("page.html")

    def show(
        self,
        find: str = "",
        order: str | None = None,
        item: str | None = None,
        purchase: str | None = None,
        did: str | None = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        """The page. Of ``order``, ``item`` and ``purchase`` at most one is looked at; ``did`` is a
        fault just injected."""
        distributor = self.distributor
        distributor.advance()
        story, here = None, []
        if order is not None:
            story = order_story(distributor, self.stock, order)
            found = patient(distributor, order)
            here = [KINDS[name] for name in kinds_for(found) if name in KINDS] if found else []
        elif item is not None:
            story = item_story(distributor, self.stock, item)
        elif purchase is not None:
            story = purchase_story(distributor, purchase)
        wanted = order or item or purchase
        if wanted is not None and story is None:
            status = max(status, 404)
            what = "item" if item else "purchase order" if purchase else "order"
            problem = problem or f"There is no {what} “{wanted}”."
        rows = truth_rows(distributor)
        listed = injected(distributor, rows)
        world = distributor.world
        html = self.template.render(
            find=find,
            hits=search(distributor, find) if find else [],
            fewest=FEWEST_LETTERS,
            most=MOST_FOUND,
            order=order,
            item=item,
            story=story,
            here=here,
            problem=problem,
            did=next((row for row in rows if row["fault_id"] == did), None),
            injected=listed,
            corrected_ids={one.fault_id for one in listed if one.corrected},
            latest=latest_orders(distributor),
            purchases=latest_purchases(distributor),
            families=_families(),
            decoys=DECOYS,
            world=world,
            elsewhere=any(kind.missing(world) for kind in KINDS.values()),
            labels=_LABELS | (story.labels if story else {}),
            counts={
                "Orders": len(distributor.oms.orders),
                "Faults": sum(not row["decoy"] for row in rows),
                "Decoys": sum(row["decoy"] for row in rows),
                "Corrections arrived": len(distributor.store.effects()),
            },
            now=clock.iso_utc(clock.now()),
        )
        return Response(html, status, _SAFE, media_type="text/html")

    def break_it(self, kind: str, order: str | None) -> Response:
        """Inject a kind, on an order or on something fresh, and lead to what it is on."""
        self.distributor.advance()
        if kind not in KINDS:
            return self.show(order=order, problem=f"There is no kind “{kind}”.", status=422)
        try:
            if order is not None:
                row = break_order(self.distributor, kind, order)
            else:
                row, *_ = self.distributor.inject(kind, 1)
        except (NotHereError, NothingLeftError) as error:
            return self.show(order=order, problem=f"Not done: {error}.", status=409)
        target = target_of(row)
        query = {"did": row["fault_id"]} | ({target.kind: target.name} if target else {})
        return Response(None, 303, {**_SAFE, "Location": f"/?{urlencode(query)}"})


def _families() -> list[tuple[str, list[Any]]]:
    """The kinds of faults by family, decoys left out."""
    decoys = {kind.name for kind in DECOYS}
    faults = [kind for kind in KINDS.values() if kind.name not in decoys]
    return [
        (title, members)
        for letter, title in _FAMILIES.items()
        if (members := [kind for kind in faults if kind.name.startswith(letter)])
    ]


def _moment(value: float | str) -> str:
    """``25 Nov 14:02:11`` of a moment or an ISO-8601 text."""
    return short(value if isinstance(value, float) else clock.parse_iso(str(value)))


def _refuse_other_sites(request: Request) -> None:
    """No other site's page may break things in a visitor's sandbox. Raises ProblemError."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ProblemError(403, "only the sandbox's own page may do this")
