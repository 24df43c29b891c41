"""The company that both databases begin with: places, items, parties, stock; the ERP's books."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from real.tryton.rpc import Tryton

CURRENCY = "USD"
FIRST_DAY, LAST_DAY = (1, 1), (12, 31)
PAYMENT_DAYS = 90  # a due date in the past would make posting an invoice ask a person
CONNECTOR_GROUPS = ("Sales", "Stock", "Stock Force Assignment", "Purchase", "Accounting")


@dataclass(frozen=True)
class Item:
    """An item of the catalogue; ``pack`` is how many units a case holds."""

    sku: str
    name: str
    price: Decimal
    cost: Decimal
    pack: int = 1


@dataclass(frozen=True)
class Catalogue:
    """What a story gives the company: items, customers and suppliers (code to name), and how many
    of each item lie in each warehouse at the beginning."""

    items: tuple[Item, ...]
    customers: Mapping[str, str]
    suppliers: Mapping[str, str]
    opening_stock: Mapping[str, int]


def set_up(tryton: Tryton, catalogue: Catalogue, today: date) -> None:
    """Make the company in a database that holds the modules and nothing else; the ERP, which is the
    one that sells, also gets its books."""
    sells = _has(tryton, "sale")
    company = _company(tryton)
    tryton.refresh()
    if sells:
        _books(tryton, company, today)
    _warehouses(tryton)
    _parties(tryton, catalogue)
    _items(tryton, catalogue, sells)
    if _has(tryton, "stock_package_shipping"):
        _carrier(tryton)
    _opening_stock(tryton, catalogue, today - timedelta(days=1))


def _has(tryton: Tryton, module: str) -> bool:
    return bool(tryton.search("ir.module", ("name", "=", module), ("state", "=", "activated")))


def add_users(tryton: Tryton, password: str) -> dict[str, str]:
    """The connector's user and one without any right, each with a REST key; keys by login."""
    company = tryton.search("company.company")[0]
    groups = tryton.search("res.group", ("name", "in", list(CONNECTOR_GROUPS)))
    rights = {"connector": groups, "nobody": []}
    users = tryton.create(
        "res.user",
        *(
            {
                "name": login,
                "login": login,
                "password": password,
                "companies": [("add", [company])],
                "company": company,
                "groups": [("add", held)],
            }
            for login, held in rights.items()
        ),
    )
    ids = tryton.create(
        "res.user.application", *({"user": user, "application": "rest"} for user in users)
    )
    rows = tryton.read("res.user.application", ids, "key")
    return {login: row["key"] for login, row in zip(rights, rows, strict=True)}


def prefix_numbers(tryton: Tryton, prefixes: Mapping[str, str]) -> None:
    """Let documents carry a prefix, by the name of their sequence: people tell them apart by it."""
    for name, prefix in prefixes.items():
        for model in ("ir.sequence", "ir.sequence.strict"):
            ids = tryton.search(model, ("name", "=", name))
            if ids:
                tryton.write(model, ids, {"prefix": prefix})


def _company(tryton: Tryton) -> int:
    currency = tryton.create(
        "currency.currency",
        {"name": "US Dollar", "code": CURRENCY, "symbol": "$", "numeric_code": "840"},
    )[0]
    tryton.create(
        "currency.currency.rate",
        {"currency": currency, "date": date(2020, 1, 1), "rate": Decimal(1)},
    )
    party = tryton.create("party.party", {"name": "Northwind Distribution"})[0]
    company = tryton.create("company.company", {"party": party, "currency": currency})[0]
    users = tryton.search("res.user", ("login", "=", "admin"))
    tryton.write("res.user", users, {"companies": [("add", [company])], "company": company})
    return company


def _books(tryton: Tryton, company: int, today: date) -> None:
    template = tryton("model.ir.model.data.get_id", "account.account_template_root_en")
    tryton.wizard(
        "account.create_chart",
        [
            ("account", {}),
            ("create_account", {"account": {"account_template": template, "company": company}}),
        ],
    )
    accounts = {
        kind: tryton.search("account.account", (f"type.{kind}", "=", True), ("closed", "!=", True))[
            0
        ]
        for kind in ("receivable", "payable", "revenue", "expense")
    }
    tryton.wizard(
        "account.create_chart",
        [
            ("account", {}),
            (
                "create_properties",
                {
                    "account": {"account_template": template, "company": company},
                    "properties": {
                        "company": company,
                        "account_receivable": accounts["receivable"],
                        "account_payable": accounts["payable"],
                    },
                },
            ),
        ],
    )
    _fiscal_year(tryton, company, today)
    term = tryton.create(
        "account.invoice.payment_term",
        {
            "name": f"{PAYMENT_DAYS} days",
            "lines": [
                (
                    "create",
                    [
                        {
                            "type": "remainder",
                            "relativedeltas": [("create", [{"days": PAYMENT_DAYS}])],
                        }
                    ],
                )
            ],
        },
    )[0]
    tryton.create(
        "product.category",
        {
            "name": "Goods",
            "accounting": True,
            "account_expense": accounts["expense"],
            "account_revenue": accounts["revenue"],
        },
    )
    tryton.write("account.configuration", [1], {"default_customer_payment_term": term})
    # Posting an invoice also draws its printed form, which costs as much again and nobody reads.
    form = tryton.search("ir.action.report", ("report_name", "=", "account.invoice"))
    plain = {"__class__": "bytes", "base64": base64.b64encode(b"$invoice.number").decode()}
    tryton.write(
        "ir.action.report", form, {"template_extension": "txt", "report_content_custom": plain}
    )


def _fiscal_year(tryton: Tryton, company: int, today: date) -> None:
    """One year of account from the beginning of last year to the end of the next: a snapshot of
    the database stays good for a while."""
    types = {
        row["name"]: row["id"]
        for row in tryton.find(
            "ir.sequence.type", ["name"], ("name", "in", ["Account Move", "Invoice"])
        )
    }
    moves, invoices = tryton.create(
        "ir.sequence.strict",
        {"name": "Moves", "sequence_type": types["Account Move"], "company": company},
        {"name": "Invoices", "sequence_type": types["Invoice"], "company": company},
    )
    year = tryton.create(
        "account.fiscalyear",
        {
            "name": "Books",
            "company": company,
            "start_date": date(today.year - 1, *FIRST_DAY),
            "end_date": date(today.year + 1, *LAST_DAY),
            "move_sequence": moves,
            "invoice_sequences": [
                (
                    "create",
                    [
                        {
                            "company": company,
                            "out_invoice_sequence": invoices,
                            "out_credit_note_sequence": invoices,
                            "in_invoice_sequence": invoices,
                            "in_credit_note_sequence": invoices,
                        }
                    ],
                )
            ],
        },
    )
    tryton("model.account.fiscalyear.create_period", year)


def _warehouses(tryton: Tryton) -> None:
    """EAST is Tryton's own first warehouse under another code; WEST is made like it."""
    places = {
        row["code"]: row["id"]
        for row in tryton.find(
            "stock.location", ["code"], ("code", "in", ["WH", "IN", "OUT", "STO", "LF"])
        )
    }
    tryton.write("stock.location", [places["WH"]], {"code": "EAST", "name": "East"})
    lost = places.get("LF") or tryton.search("stock.location", ("type", "=", "lost_found"))[0]
    tryton.write("stock.location", [places["WH"]], {"lost_found_location": lost})
    inbound, outbound, storage, missing = tryton.create(
        "stock.location",
        *(
            {"name": f"West {name}", "code": f"W-{code}", "type": kind}
            for name, code, kind in (
                ("input", "IN", "storage"),
                ("output", "OUT", "storage"),
                ("storage", "STO", "storage"),
                ("lost and found", "LF", "lost_found"),
            )
        ),
    )
    # Without a lost-and-found place of its own no inventory of a warehouse can be confirmed.
    tryton.create(
        "stock.location",
        {
            "name": "West",
            "code": "WEST",
            "type": "warehouse",
            "input_location": inbound,
            "output_location": outbound,
            "storage_location": storage,
            "lost_found_location": missing,
        },
    )


def _parties(tryton: Tryton, catalogue: Catalogue) -> None:
    tryton.create(
        "party.party",
        *(
            {
                "name": name,
                "code": code,
                "addresses": [("create", [{"street": "1 Main Street", "city": "Springfield"}])],
            }
            for code, name in [*catalogue.customers.items(), *catalogue.suppliers.items()]
        ),
    )


def _items(tryton: Tryton, catalogue: Catalogue, sells: bool) -> None:
    unit = tryton.find("product.uom", ["category"], ("name", "=", "Unit"))[0]
    packs = sorted({item.pack for item in catalogue.items if item.pack > 1})
    cases = dict(
        zip(
            packs,
            tryton.create(
                "product.uom",
                *(
                    {
                        "name": f"Case of {pack}",
                        "symbol": f"cs{pack}",
                        "category": unit["category"],
                        "factor": float(pack),
                        "rate": round(1 / pack, 12),
                        "digits": 0,
                        "rounding": 1.0,
                    }
                    for pack in packs
                ),
            ),
            strict=True,
        )
    )
    trade: dict[str, Any] = {}
    if sells:
        goods = tryton.search("product.category", ("name", "=", "Goods"))[0]
        trade = {
            "salable": True,
            "purchasable": True,
            "purchase_uom": unit["id"],
            "account_category": goods,
        }
    tryton.create(
        "product.template",
        *(
            {
                "name": item.name,
                "type": "goods",
                "default_uom": unit["id"],
                "list_price": item.price,
                **trade,
                **({"sale_uom": cases.get(item.pack, unit["id"])} if sells else {}),
                "products": [("create", [{"suffix_code": item.sku, "cost_price": item.cost}])],
            }
            for item in catalogue.items
        ),
    )


def _carrier(tryton: Tryton) -> None:
    """Packing asks who will carry it away."""
    unit = tryton.search("product.uom", ("name", "=", "Unit"))[0]
    template = tryton.create(
        "product.template",
        {
            "name": "Freight",
            "type": "service",
            "default_uom": unit,
            "list_price": Decimal(9),
            "products": [("create", [{}])],
        },
    )
    product = tryton.read("product.template", template, "products")[0]["products"][0]
    party = tryton.create("party.party", {"name": "Parcel Service", "code": "CARRIER"})[0]
    tryton.create("carrier", {"party": party, "carrier_product": product})


def _opening_stock(tryton: Tryton, catalogue: Catalogue, day: date) -> None:
    """Received under one reference in both systems: a count would be one that the other lacks."""
    products = {row["code"]: row["id"] for row in tryton.find("product.product", ["code"])}
    costs = {item.sku: item.cost for item in catalogue.items}
    unit = tryton.search("product.uom", ("name", "=", "Unit"))[0]
    company = tryton.find("company.company", ["party", "currency"])[0]
    address = tryton.create(
        "party.address",
        {"party": company["party"], "street": "1 Dock Street", "city": "Springfield"},
    )[0]
    outside = tryton.search("stock.location", ("type", "=", "supplier"))[0]
    received: list[dict[str, Any]] = []
    for code, quantity in catalogue.opening_stock.items():
        place = tryton.find(
            "stock.location", ["input_location", "storage_location"], ("code", "=", code)
        )[0]
        received.append(
            {
                "reference": f"OPENING-{code}",
                "supplier": company["party"],
                "contact_address": address,
                "warehouse": place["id"],
                "warehouse_input": place["input_location"],
                "warehouse_storage": place["storage_location"],
                "effective_date": day,
                "incoming_moves": [
                    (
                        "create",
                        [
                            {
                                "product": products[sku],
                                "quantity": float(quantity),
                                "unit": unit,
                                "unit_price": cost,
                                "currency": company["currency"],
                                "from_location": outside,
                                "to_location": place["input_location"],
                            }
                            for sku, cost in costs.items()
                        ],
                    )
                ],
            }
        )
    shipments = tryton.create("stock.shipment.in", *received)
    for button in ("receive", "do"):
        tryton.click("stock.shipment.in", button, shipments)
