"""What the people at the ERP and in the warehouse do, over Tryton's own interface.

Every method takes as many documents as a caller has: one call is one transaction, and twenty
shipments in one cost little more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from real.tryton.rpc import Tryton

SHIPMENT, RETURN = "stock.shipment.out", "stock.shipment.out.return"


@dataclass(frozen=True)
class Line:
    """A line of an order; ``number`` is the one that the customer's system gave it."""

    number: int
    sku: str
    quantity: int
    price: Decimal = Decimal(0)


@dataclass(frozen=True)
class Order:
    """An order to be booked, or one for the warehouse: then ``reference`` is the host's number."""

    reference: str
    customer: str
    warehouse: str
    lines: tuple[Line, ...]


class Company:
    """What both databases know by code: items, parties, warehouses."""

    def __init__(self, session: Tryton) -> None:
        self.session = session

    @cached_property
    def products(self) -> dict[str, int]:
        return {row["code"]: row["id"] for row in self.session.find("product.product", ["code"])}

    @cached_property
    def unit(self) -> int:
        return self.session.search("product.uom", ("name", "=", "Unit"))[0]

    @cached_property
    def parties(self) -> dict[str, int]:
        return {row["code"]: row["id"] for row in self.session.find("party.party", ["code"])}

    @cached_property
    def addresses(self) -> dict[int, int]:
        rows = self.session.find("party.address", ["party"])
        return {row["party"]: row["id"] for row in rows}

    @cached_property
    def warehouses(self) -> dict[str, dict[str, Any]]:
        places = ["code", "input_location", "output_location", "storage_location"]
        rows = self.session.find(
            "stock.location",
            [*places, "lost_found_location"],
            ("type", "=", "warehouse"),
        )
        return {row["code"]: row for row in rows}

    @cached_property
    def customer_location(self) -> int:
        return self.session.search("stock.location", ("type", "=", "customer"))[0]

    def on_hand(self, warehouse: str) -> dict[str, Decimal]:
        """Units of each item in a warehouse now, by SKU."""
        rows = self.session(
            "model.product.product.search_read",
            [("type", "=", "goods")],
            0,
            None,
            None,
            ["code", "quantity"],
            locations=[self.warehouses[warehouse]["id"]],
            with_childs=True,
        )
        return {row["code"]: Decimal(str(row["quantity"])) for row in rows}

    # ---- stock -----------------------------------------------------------------------------

    def count(self, warehouse: str, counted: Mapping[str, int]) -> str:
        """Count items in the storage of a warehouse and set them so; the number of the count."""
        count = self.session.create(
            "stock.inventory",
            {
                "location": self.warehouses[warehouse]["storage_location"],
                "lines": [
                    (
                        "create",
                        [
                            {"product": self.products[sku], "quantity": float(quantity)}
                            for sku, quantity in counted.items()
                        ],
                    )
                ],
            },
        )
        self.session.click("stock.inventory", "confirm", count)
        return str(self.session.read("stock.inventory", count, "number")[0]["number"])

    def adjust(self, warehouse: str, sku: str, change: int, reference: str | None = None) -> str:
        """Lose or find units of an item; the number of the internal shipment."""
        place = self.warehouses[warehouse]
        ends = (place["storage_location"], place["lost_found_location"])
        source, target = ends if change < 0 else ends[::-1]
        shipment = self.session.create(
            "stock.shipment.internal",
            {
                "reference": reference,
                "from_location": source,
                "to_location": target,
                "moves": [
                    (
                        "create",
                        [
                            {
                                "product": self.products[sku],
                                "quantity": float(abs(change)),
                                "unit": self.unit,
                                "from_location": source,
                                "to_location": target,
                            }
                        ],
                    )
                ],
            },
        )
        for button in ("wait", "assign_force", "do"):
            self.session.click("stock.shipment.internal", button, shipment)
        return str(self.session.read("stock.shipment.internal", shipment, "number")[0]["number"])

    # ---- customer shipments ------------------------------------------------------------------

    def shipments_of(self, references: Iterable[str]) -> dict[str, list[int]]:
        """Customer shipments that stand under each reference."""
        found: dict[str, list[int]] = {}
        for row in self.session.find(
            SHIPMENT,
            ["reference"],
            ("reference", "in", list(references)),
            ("state", "!=", "cancelled"),
        ):
            found.setdefault(row["reference"], []).append(row["id"])
        return found

    def assign(self, shipments: Sequence[int]) -> None:
        self.session.click(SHIPMENT, "assign_try", shipments)
        states = self.session.read(SHIPMENT, shipments, "state", "number")
        short = [row["number"] for row in states if row["state"] != "assigned"]
        if short:
            # The button says nothing when there is too little stock.
            raise RuntimeError(f"too little stock for {', '.join(short)}")

    def pick(self, shipments: Sequence[int]) -> None:
        self.session.click(SHIPMENT, "pick", shipments)

    def pack(self, shipments: Sequence[int], tracking: Mapping[int, str] | None = None) -> None:
        """Pack each shipment, under its tracking number if there is one."""
        for shipment, number in (tracking or {}).items():
            self.session.write(SHIPMENT, [shipment], {"shipping_reference": number})
        self.session.click(SHIPMENT, "pack", shipments)

    def ship(self, shipments: Sequence[int]) -> None:
        """Let packed shipments leave the building."""
        self.session.click(SHIPMENT, "do", shipments)

    def complete(self, shipments: Sequence[int]) -> None:
        """All the way from waiting to shipped, at once."""
        self.assign(shipments)
        self.pick(shipments)
        self.pack(shipments)
        self.ship(shipments)

    def cancel_shipments(self, shipments: Sequence[int]) -> None:
        self.session.click(SHIPMENT, "cancel", shipments)

    def shipment_numbers(self, shipments: Sequence[int]) -> list[str]:
        return [row["number"] for row in self.session.read(SHIPMENT, shipments, "number")]

    def take_back(self, order: Order) -> str:
        """Receive goods that a customer sends back; the number of the return shipment."""
        place = self.warehouses[order.warehouse]
        customer = self.parties[order.customer]
        returned = self.session.create(
            RETURN,
            {
                "reference": order.reference,
                "customer": customer,
                "contact_address": self.addresses[customer],
                "warehouse": place["id"],
                "warehouse_storage": place["storage_location"],
                "warehouse_input": place["input_location"],
                "incoming_moves": [
                    (
                        "create",
                        [
                            {
                                "product": self.products[line.sku],
                                "quantity": float(line.quantity),
                                "unit": self.unit,
                                "unit_price": line.price,
                                "currency": self.currency,
                                "from_location": self.customer_location,
                                "to_location": place["input_location"],
                            }
                            for line in order.lines
                        ],
                    )
                ],
            },
        )
        self.receive_returns(returned)
        return str(self.session.read(RETURN, returned, "number")[0]["number"])

    def receive_returns(self, returns: Sequence[int]) -> None:
        self.session.click(RETURN, "receive", returns)
        self.session.click(RETURN, "do", returns)

    @cached_property
    def currency(self) -> int:
        return int(self.session.find("company.company", ["currency"])[0]["currency"])


class Warehouse(Company):
    """The WMS: it knows shipments, and nothing of sales."""

    @cached_property
    def carrier(self) -> int:
        return self.session.search("carrier")[0]

    @cached_property
    def supplier_location(self) -> int:
        return self.session.search("stock.location", ("type", "=", "supplier"))[0]

    def create_orders(self, orders: Sequence[Order]) -> list[int]:
        """Release orders to the floor; one shipment each, waiting."""
        ids = self.session.create(SHIPMENT, *(self._shipment(order) for order in orders))
        self.session.click(SHIPMENT, "wait", ids)
        return ids

    def receive(self, reference: str, supplier: str, warehouse: str, lines: Sequence[Line]) -> str:
        """Receive goods from a supplier and put them away; the number of the supplier shipment."""
        shipment = self.unload(reference, supplier, warehouse, lines)
        self.session.click("stock.shipment.in", "do", [shipment])
        return str(self.session.read("stock.shipment.in", [shipment], "number")[0]["number"])

    def unload(self, reference: str, supplier: str, warehouse: str, lines: Sequence[Line]) -> int:
        """Receive goods from a supplier at the dock; the supplier shipment."""
        delivery = self.delivery(reference, supplier, warehouse, lines)
        shipment = self.session.create("stock.shipment.in", delivery)
        self.session.click("stock.shipment.in", "receive", shipment)
        return shipment[0]

    def delivery(
        self, reference: str, supplier: str, warehouse: str, lines: Sequence[Line]
    ) -> dict[str, Any]:
        """A supplier shipment as it is entered."""
        place = self.warehouses[warehouse]
        party = self.parties[supplier]
        return {
            "reference": reference,
            "supplier": party,
            "contact_address": self.addresses[party],
            "warehouse": place["id"],
            "warehouse_input": place["input_location"],
            "warehouse_storage": place["storage_location"],
            "incoming_moves": [
                (
                    "create",
                    [
                        {
                            "product": self.products[line.sku],
                            "quantity": float(line.quantity),
                            "unit": self.unit,
                            "unit_price": line.price,
                            "currency": self.currency,
                            "from_location": self.supplier_location,
                            "to_location": place["input_location"],
                        }
                        for line in lines
                    ],
                )
            ],
        }

    def _shipment(self, order: Order) -> dict[str, Any]:
        place = self.warehouses[order.warehouse]
        customer = self.parties[order.customer]
        return {
            "reference": order.reference,
            "customer": customer,
            "delivery_address": self.addresses[customer],
            "carrier": self.carrier,
            "warehouse": place["id"],
            "warehouse_storage": place["storage_location"],
            "warehouse_output": place["output_location"],
            "outgoing_moves": [
                (
                    "create",
                    [
                        {
                            "product": self.products[line.sku],
                            "quantity": float(line.quantity),
                            "unit": self.unit,
                            "unit_price": line.price,
                            "currency": self.currency,
                            "from_location": place["output_location"],
                            "to_location": self.customer_location,
                        }
                        for line in order.lines
                    ],
                )
            ],
        }


class Office(Company):
    """The ERP: sales, invoices, purchases."""

    def book(self, orders: Sequence[Order]) -> list[int]:
        """Enter orders as quotations, in the order given."""
        ids = self.session.create("sale.sale", *(self.draft(order) for order in orders))
        self.session.click("sale.sale", "quote", ids)
        return ids

    def confirm(self, sales: Sequence[int]) -> None:
        """Confirm quotations; Tryton goes on to processing and makes the customer shipments."""
        self.session.click("sale.sale", "confirm", sales)

    def numbers(self, sales: Sequence[int]) -> list[str]:
        return [row["number"] for row in self.session.read("sale.sale", sales, "number")]

    def sales_of(self, references: Iterable[str]) -> dict[str, list[int]]:
        """Sales under each reference, the eldest first."""
        found: dict[str, list[int]] = {}
        wanted = ("reference", "in", list(references))
        for row in self.session.find("sale.sale", ["reference"], wanted):
            found.setdefault(row["reference"], []).append(row["id"])
        return found

    def cancel(self, sales: Sequence[int]) -> None:
        """Cancel sales that are quotations still."""
        self.session.click("sale.sale", "cancel", sales)

    def open_shipments(self, sales: Sequence[int]) -> list[list[int]]:
        """For each sale its customer shipments that did not leave yet."""
        rows = self.session.read("sale.sale", sales, "shipments")
        every = [shipment for row in rows for shipment in row["shipments"]]
        states = {row["id"]: row["state"] for row in self.session.read(SHIPMENT, every, "state")}
        return [
            [s for s in row["shipments"] if states[s] not in ("done", "cancelled")] for row in rows
        ]

    def ignore_shipments(self, sale: int) -> None:
        """Answer the exception that a cancelled shipment raised: the goods will not go."""
        about = {"active_model": "sale.sale", "active_id": sale, "active_ids": [sale]}
        name = "sale.handle.shipment.exception"
        wizard, start, _end = self.session(f"wizard.{name}.create", **about)
        asked = self.session(f"wizard.{name}.execute", wizard, {}, start, **about)
        moves = asked["view"]["defaults"]["domain_moves"]
        answer = {"domain_moves": moves, "ignore_moves": moves, "recreate_moves": []}
        self.session(f"wizard.{name}.execute", wizard, {"ask": answer}, "handle", **about)
        self.session(f"wizard.{name}.delete", wizard)

    def post_shipments(self, references: Mapping[int, str]) -> None:
        """Complete customer shipments, each under the number that the warehouse gave."""
        for shipment, reference in references.items():
            self.session.write(SHIPMENT, [shipment], {"reference": reference})
        self.complete(list(references))

    def draft_invoices(self, sales: Sequence[int]) -> list[list[int]]:
        """For each sale the invoices that Tryton drafted and nobody posted."""
        rows = self.session.read("sale.sale", sales, "invoices")
        every = [invoice for row in rows for invoice in row["invoices"]]
        states = {
            row["id"]: row["state"] for row in self.session.read("account.invoice", every, "state")
        }
        return [[i for i in row["invoices"] if states[i] == "draft"] for row in rows]

    def post_invoices(self, invoices: Sequence[int]) -> None:
        self.session.click("account.invoice", "post", invoices)

    def invoice_again(self, invoice: int) -> int:
        """Enter and post an invoice a second time, line by line as in the first."""
        header = self.session.read(
            "account.invoice",
            [invoice],
            *("party", "invoice_address", "account", "journal", "currency", "payment_term"),
        )[0]
        lines = self.session.find(
            "account.invoice.line",
            ["product", "quantity", "unit", "unit_price", "account", "origin", "stock_moves"],
            ("invoice", "=", invoice),
        )
        again = self.session.create(
            "account.invoice",
            {
                "type": "out",
                **{name: value for name, value in header.items() if name != "id"},
                "lines": [
                    (
                        "create",
                        [
                            {
                                **{
                                    name: line[name]
                                    for name in (
                                        "product",
                                        "quantity",
                                        "unit",
                                        "unit_price",
                                        "account",
                                        "origin",
                                    )
                                },
                                "type": "line",
                                "stock_moves": [("add", line["stock_moves"])],
                            }
                            for line in lines
                        ],
                    )
                ],
            },
        )
        self.post_invoices(again)
        return again[0]

    def invoice_number(self, invoice: int) -> str:
        return str(self.session.read("account.invoice", [invoice], "number")[0]["number"])

    def invoice_order(self, sale: int) -> int:
        """Enter and post an invoice of a whole sale by hand, whatever was shipped of it."""
        header = self.session.read(
            "sale.sale", [sale], "party", "invoice_address", "currency", "payment_term"
        )[0]
        lines = self.session.find(
            "sale.line", ["product", "quantity", "unit", "unit_price"], ("sale", "=", sale)
        )
        receivable = self.session.search("account.account", ("type.receivable", "=", True))[0]
        revenue = self.session.search(
            "account.account", ("type.revenue", "=", True), ("closed", "!=", True)
        )[0]
        journal = self.session.search("account.journal", ("type", "=", "revenue"))[0]
        invoice = self.session.create(
            "account.invoice",
            {
                "type": "out",
                "journal": journal,
                "account": receivable,
                **{name: value for name, value in header.items() if name != "id"},
                "lines": [
                    (
                        "create",
                        [
                            {
                                "type": "line",
                                "product": line["product"],
                                "quantity": line["quantity"],
                                "unit": line["unit"],
                                "unit_price": line["unit_price"],
                                "account": revenue,
                                "origin": f"sale.line,{line['id']}",
                            }
                            for line in lines
                        ],
                    )
                ],
            },
        )
        self.post_invoices(invoice)
        return invoice[0]

    def write_quantity(self, shipment: int, sku: str, quantity: int) -> None:
        """Write another quantity of an item into a shipment that waits."""
        customer = self.customer_location
        moves = self.session.search(
            "stock.move",
            ("shipment", "=", f"{SHIPMENT},{shipment}"),
            ("product.code", "=", sku),
            ("to_location", "=", customer),
        )
        self.session.write("stock.move", moves, {"quantity": float(quantity)})
        # Tryton makes the moves within the warehouse anew from those to the customer.
        self.session.click(SHIPMENT, "wait", [shipment])

    def credit(self, invoice: int) -> None:
        """Credit a posted invoice in full, which cancels it."""
        self.session.wizard(
            "account.invoice.credit",
            [("start", {}), ("credit", {"start": {"with_refund": True}})],
            active_model="account.invoice",
            active_id=invoice,
            active_ids=[invoice],
        )

    def buy(self, reference: str, supplier: str, warehouse: str, lines: Sequence[Line]) -> int:
        """Order goods from a supplier; the purchase, processing."""
        party = self.parties[supplier]
        purchase = self.session.create(
            "purchase.purchase",
            {
                "reference": reference,
                "party": party,
                "invoice_address": self.addresses[party],
                "warehouse": self.warehouses[warehouse]["id"],
                "lines": [
                    (
                        "create",
                        [
                            {
                                "sequence": line.number,
                                "product": self.products[line.sku],
                                "quantity": float(line.quantity),
                                "unit": self.unit,
                                "unit_price": line.price,
                            }
                            for line in lines
                        ],
                    )
                ],
            },
        )
        self.session.click("purchase.purchase", "quote", purchase)
        self.session.click("purchase.purchase", "confirm", purchase)
        return purchase[0]

    def purchase_number(self, purchase: int) -> str:
        return str(self.session.read("purchase.purchase", [purchase], "number")[0]["number"])

    def receive(self, purchase: int, reference: str) -> str:
        """Receive all that a purchase still waits for; the number of the supplier shipment."""
        bought = self.session.read("purchase.purchase", [purchase], "party", "warehouse")[0]
        place = self.session.read("stock.location", [bought["warehouse"]], "code")[0]["code"]
        moves = self.session.search(
            "stock.move",
            ("origin.purchase.id", "=", purchase, "purchase.line"),
            ("state", "=", "draft"),
        )
        shipment = self.session.create(
            "stock.shipment.in",
            {
                "reference": reference,
                "supplier": bought["party"],
                "contact_address": self.addresses[bought["party"]],
                "warehouse": bought["warehouse"],
                "warehouse_input": self.warehouses[place]["input_location"],
                "warehouse_storage": self.warehouses[place]["storage_location"],
                "incoming_moves": [("add", moves)],
            },
        )
        self.session.click("stock.shipment.in", "receive", shipment)
        self.session.click("stock.shipment.in", "do", shipment)
        return str(self.session.read("stock.shipment.in", shipment, "number")[0]["number"])

    def draft(self, order: Order) -> dict[str, Any]:
        customer = self.parties[order.customer]
        address = self.addresses[customer]
        return {
            "reference": order.reference,
            "party": customer,
            "invoice_address": address,
            "shipment_address": address,
            "warehouse": self.warehouses[order.warehouse]["id"],
            "invoice_method": "fulfillment",
            "shipment_method": "order",
            "lines": [
                (
                    "create",
                    [
                        {
                            "sequence": line.number,
                            "product": self.products[line.sku],
                            "quantity": float(line.quantity),
                            "unit": self.unit,
                            "unit_price": line.price,
                        }
                        for line in order.lines
                    ],
                )
            ],
        }
