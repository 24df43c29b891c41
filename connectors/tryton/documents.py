"""From Tryton's flat records to documents: a header with its lines and what they point to.

A header does not change when one of its lines is written, and a line says only the id of the sale
or shipment that it belongs to. So each document is put together from flat reads, some for a whole
page of documents, which is twenty times as fast as asking for nested records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.tryton.client import MODIFIED, TrytonClient
from connectors.tryton.wire import Row, reference

SHIPMENT = "stock.shipment.out"
RETURN = "stock.shipment.out.return"
RECEIPT = "stock.shipment.in"
CANCELLED = "cancelled"
# The reference of a return shipment that takes a whole fulfilment back, before its number.
REVERSAL = "REVERSAL "
LOG_FIELDS = ("event", "resource", "target", "create_date")
STATE = "state:"
# Buttons whose state Tryton sets without logging the transition.
BUTTONS = {"receive": "received"}

# When the moves of a document cross the walls of a warehouse, as a state of the document.
CROSSING = {
    SHIPMENT: "done",
    RETURN: "received",
    RECEIPT: "received",
    "stock.shipment.in.return": "done",
    "stock.shipment.internal": "done",
    "stock.inventory": "done",
}

# What a line of a sale and of a purchase have in common.
ORDER_LINE_FIELDS = (
    *("type", "sequence", "product.code", "quantity", "unit.symbol", "unit.factor"),
    *("unit_price", MODIFIED),
)
MOVE_FIELDS = (
    *("product.code", "internal_quantity", "from_location", "to_location", "origin", "state"),
    MODIFIED,
)

Document = dict[str, Any]


class Documents:
    """Builds the documents of one extraction. Codes of places are read once."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client

    # ---- what they share -------------------------------------------------------------------

    @cached_property
    def places(self) -> dict[int, Row]:
        """Every location, archived ones too, with its type and the code of its warehouse."""
        rows = self._client.search(
            "stock.location", [], ["code", "type", "parent"], active_test=False
        )
        by_id = {row["id"]: row for row in rows}
        for row in rows:
            place: Row | None = row
            while place is not None and place["type"] != "warehouse":
                place = by_id.get(place["parent"])
            row["warehouse"] = place["code"] if place else None
        return by_id

    def _transitions(self, model: str, ids: Iterable[int]) -> dict[int, dict[str, str]]:
        """When each record last came into each state, and first (``first <state>``)."""
        resources = [f"{model},{record_id}" for record_id in ids]
        rows: list[Row] = []
        for start in range(0, len(resources), 100):
            rows += self._client.search(
                "ir.model.log",
                [
                    ["event", "in", ["transition", "button"]],
                    ["resource", "in", resources[start : start + 100]],
                ],
                LOG_FIELDS,
            )
        times: dict[int, dict[str, str]] = {}
        for row in rows:
            place = reference(row["resource"])
            target = str(row["target"])
            if row["event"] == "button":
                state = BUTTONS.get(target)
            else:
                state = target.removeprefix(STATE) if target.startswith(STATE) else None
            if place is None or state is None:
                continue
            held = times.setdefault(place[1], {})
            held[state] = row["create_date"]
            held.setdefault(f"first {state}", row["create_date"])
        return times

    def _by_id(self, model: str, ids: Iterable[int], fields: Sequence[str]) -> dict[int, Row]:
        wanted = sorted(set(ids))
        return {row["id"]: row for row in self._client.by_ids(model, wanted, fields)}

    def _parts(
        self, model: str, owner: str, owners: Sequence[Any], fields: Sequence[str]
    ) -> dict[Any, list[Row]]:
        """The lines of some documents, by the document."""
        parts: dict[Any, list[Row]] = {}
        for row in self._client.by_ids(model, owners, [owner, *fields], owner):
            parts.setdefault(row[owner], []).append(row)
        return parts

    def _sale_lines(self, origins: Iterable[object]) -> dict[str, Row]:
        """The sale lines among the origins of moves or invoice lines, by that origin."""
        ids = _ids_of("sale.line", origins)
        fields = ["sequence", "sale.number", "sale.reference"]
        return {
            f"sale.line,{line_id}": row
            for line_id, row in self._by_id("sale.line", ids, fields).items()
        }

    # ---- one function an entity ------------------------------------------------------------

    def sales(self, headers: Sequence[Row]) -> list[Document]:
        """Sales with their lines; a line is cancelled with its sale, by a quantity of nothing, or
        by moves that were cancelled and ignored for good."""
        ids = [row["id"] for row in headers]
        times = self._transitions("sale.sale", ids)
        fields = [*ORDER_LINE_FIELDS, "moves_ignored"]
        lines = self._parts("sale.line", "sale", ids, fields)
        ignored = self._ignored_moves(line for some in lines.values() for line in some)
        documents = []
        for header in headers:
            entered = times.get(header["id"], {})
            state = header["state"]
            document = {
                **header,
                "quoted_at": None if state == "draft" else entered.get("first quotation"),
                "confirmed_at": None if _is_draft(state) else entered.get("first confirmed"),
                "processing_at": None if _is_draft(state) else entered.get("first processing"),
                "lines": [
                    _sale_line(line, state, entered, ignored)
                    for line in lines.get(header["id"], [])
                    if line["type"] == "line"
                ],
            }
            documents.append(document)
        return [document for document in documents if document["lines"]]

    def _ignored_moves(self, lines: Iterable[Row]) -> dict[int, str]:
        """When moves that a sale no longer waits for were cancelled, by the sale line."""
        ids = [line["id"] for line in lines if line["moves_ignored"]]
        origins = [f"sale.line,{line_id}" for line_id in ids]
        moves = self._parts("stock.move", "origin", origins, ["state", MODIFIED])
        dropped = {}
        for line_id, origin in zip(ids, origins, strict=True):
            some = moves.get(origin, [])
            if some and all(move["state"] == CANCELLED for move in some):
                dropped[line_id] = max(str(move[MODIFIED]) for move in some)
        return dropped

    def fulfilments(self, headers: Sequence[Row]) -> list[Document]:
        """Customer shipments that are done, as the ERP tells them: with the sale lines behind."""
        documents = self.shipments(headers)
        origins = [line["origin"] for document in documents for line in document["lines"]]
        sale_lines = self._sale_lines(origins)
        reversals = self._reversals([str(document["number"]) for document in documents])
        for document in documents:
            returned = reversals.get(str(document["number"]))
            document["status"] = "returned" if returned else document["state"]
            document["returned_at"] = returned
            for line in document["lines"]:
                line.update(_behind(sale_lines.get(str(line["origin"]))))
        return documents

    def _reversals(self, numbers: Sequence[str]) -> dict[str, str]:
        """When fulfilments were taken back as a whole, by their number."""
        references = [REVERSAL + number for number in numbers]
        rows = [
            row
            for row in self._client.by_ids(RETURN, references, ["reference", "state"], "reference")
            if row["state"] in ("received", "done")
        ]
        times = self._transitions(RETURN, [row["id"] for row in rows])
        return {
            row["reference"].removeprefix(REVERSAL): times[row["id"]]["received"]
            for row in rows
            if "received" in times.get(row["id"], {})
        }

    def shipments(self, headers: Sequence[Row]) -> list[Document]:
        """Customer shipments that are done, with what went to the customer."""
        return self._with_moves(headers, ["done"])

    def warehouse_orders(self, headers: Sequence[Row]) -> list[Document]:
        """Customer shipments as orders to the warehouse, from release on."""
        return self._with_moves(headers, None)

    def _with_moves(self, headers: Sequence[Row], states: Sequence[str] | None) -> list[Document]:
        times = self._transitions(SHIPMENT, [row["id"] for row in headers])
        moves = self._moves(SHIPMENT, headers, "to_location", "customer")
        documents = []
        for header in headers:
            entered = times.get(header["id"], {})
            document = {
                **header,
                "waiting_at": entered.get("first waiting"),
                "assigned_at": entered.get("assigned"),
                "picked_at": entered.get("picked"),
                "packed_at": entered.get("packed"),
                "done_at": entered.get("done"),
                "cancelled_at": _cancelled_at(header, entered),
                "lines": [
                    move
                    for move in moves.get(header["id"], [])
                    if states is None or move["state"] in states
                ],
            }
            _forget_later(document, header["state"])
            documents.append(document)
        return [document for document in documents if document["lines"]]

    def _moves(
        self, model: str, headers: Sequence[Row], end: str, outside: str
    ) -> dict[int, list[Row]]:
        """Moves of shipments of which one end is a place of the outside world, by the shipment;
        the others are within the warehouse."""
        owners = {f"{model},{row['id']}": row["id"] for row in headers}
        moves = self._parts("stock.move", "shipment", list(owners), MOVE_FIELDS)
        return {
            owners[owner]: [row for row in rows if self.places[row[end]]["type"] == outside]
            for owner, rows in moves.items()
        }

    def receipts(self, headers: Sequence[Row]) -> list[Document]:
        """Supplier shipments that were received, be it that they were cancelled since, with what
        came in."""
        times = self._transitions(RECEIPT, [row["id"] for row in headers])
        received = [row for row in headers if "received" in times.get(row["id"], {})]
        moves = self._moves(RECEIPT, received, "from_location", "supplier")
        documents = [
            {
                **header,
                "received_at": times[header["id"]]["received"],
                "cancelled_at": _cancelled_at(header, times[header["id"]]),
                "lines": moves.get(header["id"], []),
            }
            for header in received
        ]
        return [document for document in documents if document["lines"]]

    def invoices(self, headers: Sequence[Row]) -> list[Document]:
        """Customer invoices that were posted, with the sale line and the shipment of each line."""
        ids = [row["id"] for row in headers]
        times = self._transitions("account.invoice", ids)
        lines = self._parts(
            "account.invoice.line",
            "invoice",
            ids,
            ["type", "product.code", "quantity", "unit_price", "origin", "stock_moves", MODIFIED],
        )
        every = [line for some in lines.values() for line in some]
        sale_lines = self._sale_lines(line["origin"] for line in every)
        moves = self._by_id(
            "stock.move", [move for line in every for move in line["stock_moves"]], ["shipment"]
        )
        shipments = self._by_id(
            SHIPMENT,
            _ids_of(SHIPMENT, (move["shipment"] for move in moves.values())),
            ["number", "reference"],
        )
        documents = []
        for header in headers:
            entered = times.get(header["id"], {})
            told = []
            for line in lines.get(header["id"], []):
                if line["type"] != "line":
                    continue
                charged = {
                    place[1]
                    for move in line.pop("stock_moves")
                    if (place := reference(moves[move]["shipment"])) and place[0] == SHIPMENT
                }
                # A line that charges several shipments names none of them.
                one = shipments[charged.pop()] if len(charged) == 1 else {}
                line["shipment.number"] = one.get("number")
                line["shipment.reference"] = one.get("reference")
                line.update(_behind(sale_lines.get(str(line["origin"]))))
                told.append(line)
            document = {
                **header,
                "posted_at": entered.get("posted") or header[MODIFIED],
                "cancelled_at": (
                    entered.get(CANCELLED) or header[MODIFIED]
                    if header["state"] == CANCELLED
                    else None
                ),
                "lines": told,
            }
            documents.append(document)
        return [document for document in documents if document["lines"]]

    def purchases(self, headers: Sequence[Row]) -> list[Document]:
        """Purchases with their lines."""
        ids = [row["id"] for row in headers]
        times = self._transitions("purchase.purchase", ids)
        lines = self._parts("purchase.line", "purchase", ids, ORDER_LINE_FIELDS)
        documents = []
        for header in headers:
            entered = times.get(header["id"], {})
            document = {
                **header,
                "quoted_at": entered.get("first quotation"),
                "confirmed_at": entered.get("first confirmed"),
                "done_at": entered.get("done"),
                "cancelled_at": _cancelled_at(header, entered),
                "lines": [line for line in lines.get(header["id"], []) if line["type"] == "line"],
            }
            documents.append(document)
        return [document for document in documents if document["lines"]]

    def movements(self, headers: Sequence[Row]) -> list[Document]:
        """Moves that crossed the walls of a warehouse: one line for each warehouse concerned."""
        crossing = [
            move
            for move in headers
            if self.places[move["from_location"]]["warehouse"]
            != self.places[move["to_location"]]["warehouse"]
        ]
        causes = self._causes(crossing)
        documents = []
        for move in crossing:
            cause = causes.get(move["id"], {})
            document = {
                **move,
                **cause,
                # The reference is the word of the other side; without one, our own number.
                "document": cause.get("cause.reference") or cause.get("cause.number"),
                "done_at": cause.get("cause.crossed_at") or move[MODIFIED],
                "lines": [],
            }
            ends = {"out": move["from_location"], "in": move["to_location"]}
            for side, end in ends.items():
                other = self.places[ends["in" if side == "out" else "out"]]
                warehouse = self.places[end]["warehouse"]
                if warehouse is not None:
                    quantity = move["internal_quantity"]
                    document["lines"].append(
                        {
                            "posting": f"{move['id']}/{side}",
                            "side": side,
                            "warehouse": warehouse,
                            "quantity": f"-{quantity}" if side == "out" else quantity,
                            "movement_type": other["type"],
                        }
                    )
            documents.append(document)
        return documents

    def _causes(self, moves: Sequence[Row]) -> dict[int, Row]:
        """The shipment or the count that each move belongs to."""
        counted = self._by_id(
            "stock.inventory.line",
            _ids_of("stock.inventory.line", (move["origin"] for move in moves)),
            ["inventory"],
        )
        places: dict[int, tuple[str, int]] = {}
        for move in moves:
            origin, shipment = reference(move["origin"]), reference(move["shipment"])
            if shipment is not None:
                places[move["id"]] = shipment
            elif origin is not None and origin[0] == "stock.inventory.line":
                places[move["id"]] = ("stock.inventory", counted[origin[1]]["inventory"])
        causes: dict[tuple[str, int], Row] = {}
        for model in sorted({place[0] for place in places.values()}):
            ids = {place[1] for place in places.values() if place[0] == model}
            named = ["number"] if model == "stock.inventory" else ["number", "reference"]
            times = self._transitions(model, sorted(ids))
            for record_id, row in self._by_id(model, ids, named).items():
                entered = times.get(record_id, {})
                causes[model, record_id] = {
                    "cause.model": model,
                    "cause.number": row["number"],
                    "cause.reference": row.get("reference"),
                    "cause.crossed_at": entered.get(CROSSING.get(model, "done")),
                }
        return {move_id: causes[place] for move_id, place in places.items() if place in causes}

    def counts(self, headers: Sequence[Row]) -> list[Document]:
        """Stock counts with what was expected and what was found."""
        ids = [row["id"] for row in headers]
        times = self._transitions("stock.inventory", ids)
        lines = self._parts(
            "stock.inventory.line",
            "inventory",
            ids,
            ["product.code", "expected_quantity", "quantity", MODIFIED],
        )
        documents = [
            {
                **header,
                "warehouse": self.places[header["location"]]["warehouse"],
                "done_at": times.get(header["id"], {}).get("done"),
                "lines": lines.get(header["id"], []),
            }
            for header in headers
        ]
        return [document for document in documents if document["lines"]]

    @cached_property
    def _company_currency(self) -> str | None:
        rows = self._client.search(
            "company.company", [["id", "=", self._client.company]], ["currency.code"]
        )
        return rows[0]["currency.code"] if rows else None

    def products(self, headers: Sequence[Row]) -> list[Document]:
        """Items; a price is in the currency of the company."""
        return [{**row, "currency": self._company_currency} for row in self.plain(headers)]

    def plain(self, headers: Sequence[Row]) -> list[Document]:
        """Records without lines. SQLite has no true and false, and tells 1 and 0."""
        return [
            {name: bool(value) if name == "active" else value for name, value in row.items()}
            for row in headers
        ]


def _ids_of(model: str, references: Iterable[object]) -> set[int]:
    places = (reference(value) for value in references)
    return {place[1] for place in places if place is not None and place[0] == model}


def _cancelled_at(header: Row, entered: Mapping[str, str]) -> str | None:
    """When a document was cancelled; none while it stands."""
    return entered.get(CANCELLED) if header["state"] == CANCELLED else None


def _is_draft(state: str) -> bool:
    return state in ("draft", "quotation")


def _sale_line(
    line: Row, state: str, entered: Mapping[str, str], ignored: Mapping[int, str]
) -> Row:
    cancelled_at = None
    if state == CANCELLED:
        cancelled_at = entered.get(CANCELLED)
    elif float(line["quantity"] or 0) == 0:
        cancelled_at = line[MODIFIED]
    else:
        cancelled_at = ignored.get(line["id"])
    shown = {name: value for name, value in line.items() if name not in ("moves_ignored", "type")}
    return {
        **shown,
        "state": CANCELLED if cancelled_at else state,
        "cancelled_at": cancelled_at,
    }


# The states of a shipment in their order: going back forgets those that came later.
_STEPS = ("waiting", "assigned", "picked", "packed", "done")


def _forget_later(document: Document, state: str) -> None:
    if state in _STEPS:
        for step in _STEPS[_STEPS.index(state) + 1 :]:
            document[f"{step}_at"] = None


def _behind(sale_line: Row | None) -> Row:
    """What a line of a shipment or an invoice says of the sale line that it stands for."""
    line = sale_line or {}
    names = {"sale.number": "sale.number", "sale.reference": "sale.reference"}
    return {
        **{target: line.get(name) for target, name in names.items()},
        "sale.sequence": line.get("sequence"),
    }


Builder = Callable[[Documents, Sequence[Row]], list[Document]]
