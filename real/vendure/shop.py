"""Drives Vendure as its people do: a shop set up, orders placed, settled, shipped, paid back.

Amounts are whole minor units (cents), as Vendure keeps them; ids are Vendure's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from real.processes import RealSystemError
from real.vendure.graphql import ERROR, GraphQL
from real.vendure.server import Access

COUNTRY = "US"
SHIPPING_CENTS = 900
SETTLED_AT_ONCE, AUTHORISED_ONLY = "card", "on-account"
FULFILMENT_HANDLER = "manual-fulfillment"
PAGE = 1000


@dataclass(frozen=True)
class Item:
    """What the shop sells."""

    sku: str
    name: str
    price_cents: int


@dataclass(frozen=True)
class OrderLine:
    """One line of an order; ``number`` is its rank by creation, from 1."""

    id: str
    number: int
    sku: str
    quantity: int
    unit_price_cents: int


@dataclass(frozen=True)
class Order:
    """An order as it stands now. Payments and fulfilments map their ids to their states."""

    id: str
    code: str
    state: str
    updated_at: str
    lines: tuple[OrderLine, ...]
    payments: Mapping[str, str]
    fulfilments: Mapping[str, str]


class Shop:
    """The shop's staff (Admin API) and its customers (Shop API). Raises RealSystemError for
    everything that Vendure refuses."""

    def __init__(self, access: Access) -> None:
        self.url = access.url
        self._admin = GraphQL(access.url, "admin-api")
        self._admin.log_in(access.user, access.password)
        self._variants: dict[str, str] = {}
        self._locations: dict[str, str] = {}
        self._shipping_method: str | None = None

    def __enter__(self) -> Shop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._admin.close()

    # ---- the shop itself -------------------------------------------------------------------

    def set_up(self, locations: Sequence[str]) -> None:
        """Country, tax, shipping, payment and stock locations; the first location is the default
        one, from which Vendure ships first. Does nothing in a shop that has them."""
        if COUNTRY in self._named("countries", "code"):
            return
        zone = self._create("createZone", "CreateZoneInput", {"name": COUNTRY})
        country = self._create(
            "createCountry",
            "CreateCountryInput",
            {"code": COUNTRY, "enabled": True, "translations": _translated(name="United States")},
        )
        self._admin.run(
            "mutation($zone: ID!, $members: [ID!]!) {"
            " addMembersToZone(zoneId: $zone, memberIds: $members) { id } }",
            zone=zone,
            members=[country],
        )
        category = self._create(
            "createTaxCategory", "CreateTaxCategoryInput", {"name": "Standard", "isDefault": True}
        )
        self._create(
            "createTaxRate",
            "CreateTaxRateInput",
            {"name": "8 %", "enabled": True, "value": 8, "categoryId": category, "zoneId": zone},
        )
        channel = self._admin.run("{ activeChannel { id } }")["activeChannel"]["id"]
        self._admin.run(
            "mutation($input: UpdateChannelInput!) {"
            f" updateChannel(input: $input) {{ __typename {ERROR} }} }}",
            input={
                "id": channel,
                "defaultTaxZoneId": zone,
                "defaultShippingZoneId": zone,
                "pricesIncludeTax": False,
                "trackInventory": True,
            },
        )
        self._create(
            "createShippingMethod",
            "CreateShippingMethodInput",
            {
                "code": "ground",
                "fulfillmentHandler": FULFILMENT_HANDLER,
                "checker": _operation("default-shipping-eligibility-checker", orderMinimum=0),
                "calculator": _operation(
                    "default-shipping-calculator",
                    rate=SHIPPING_CENTS,
                    includesTax="auto",
                    taxRate=0,
                ),
                "translations": _translated(name="Ground", description=""),
            },
        )
        for code in (SETTLED_AT_ONCE, AUTHORISED_ONLY):
            self._create(
                "createPaymentMethod",
                "CreatePaymentMethodInput",
                {
                    "code": code,
                    "enabled": True,
                    "handler": _operation(
                        "dummy-payment-handler", automaticSettle=code == SETTLED_AT_ONCE
                    ),
                    "translations": _translated(name=code, description=""),
                },
            )
        self._set_up_locations(locations)

    def add_items(self, items: Sequence[Item], stock: Mapping[str, int]) -> None:
        """Add items that the shop does not have, each with ``stock`` (location name to quantity)
        on hand."""
        known = self._variant_ids()
        category = self._admin.run("{ taxCategories { items { id } } }")["taxCategories"]["items"]
        for item in items:
            if item.sku in known:
                continue
            product = self._create(
                "createProduct",
                "CreateProductInput",
                {
                    "enabled": True,
                    "translations": _translated(
                        name=item.name, slug=item.sku.lower(), description=""
                    ),
                },
            )
            created = self._admin.run(
                "mutation($input: [CreateProductVariantInput!]!) {"
                " createProductVariants(input: $input) { id } }",
                input=[
                    {
                        "productId": product,
                        "sku": item.sku,
                        "price": item.price_cents,
                        "taxCategoryId": category[0]["id"],
                        "trackInventory": "TRUE",
                        "translations": _translated(name=item.name),
                        "stockLevels": [
                            {"stockLocationId": self._location(name), "stockOnHand": quantity}
                            for name, quantity in stock.items()
                        ],
                    }
                ],
            )
            known[item.sku] = created["createProductVariants"][0]["id"]

    def set_price(self, sku: str, price_cents: int) -> None:
        """Change what new orders pay."""
        self._update_variant(sku, {"price": price_cents})

    def set_stock(self, sku: str, location: str, quantity: int) -> None:
        """Set the quantity on hand."""
        level = {"stockLocationId": self._location(location), "stockOnHand": quantity}
        self._update_variant(sku, {"stockLevels": [level]})

    def stock(self, sku: str, location: str) -> int:
        """The quantity on hand now."""
        found = self._admin.run(
            "query($id: ID!) { productVariant(id: $id) {"
            " stockLevels { stockLocationId stockOnHand } } }",
            id=self._variant(sku),
        )
        levels = found["productVariant"]["stockLevels"]
        wanted = self._location(location)
        return sum(level["stockOnHand"] for level in levels if level["stockLocationId"] == wanted)

    def delete_item(self, sku: str) -> None:
        """Take an item out of the shop."""
        self._admin.run(
            "mutation($id: ID!) { deleteProductVariant(id: $id) { result } }",
            id=self._variant(sku),
        )
        self._variants.pop(sku, None)

    def create_customer(self, email: str, first_name: str, last_name: str) -> str:
        """A registered customer; placing an order with an unknown address makes one, too."""
        return self._create(
            "createCustomer",
            "CreateCustomerInput",
            {"emailAddress": email, "firstName": first_name, "lastName": last_name},
            error=True,
        )

    def delete_customer(self, customer_id: str) -> None:
        """Forget a customer; the orders stay."""
        self._admin.run("mutation($id: ID!) { deleteCustomer(id: $id) { result } }", id=customer_id)

    def variant_id(self, sku: str) -> str:
        """Vendure's own id of an item."""
        return self._variant(sku)

    def create_limited_key(self, permissions: Sequence[str]) -> str:
        """An API key that may do only what ``permissions`` name."""
        code = "limited-" + "-".join(permissions).lower()
        role = self._create(
            "createRole",
            "CreateRoleInput",
            {"code": code, "description": code, "permissions": list(permissions)},
        )
        created = self._admin.run(
            "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey } }",
            input={"roleIds": [role], "translations": _translated(name=code)},
        )
        key: str = created["createApiKey"]["apiKey"]
        return key

    # ---- orders ----------------------------------------------------------------------------

    def place_order(
        self,
        lines: Sequence[tuple[str, int]],
        customer_email: str,
        settled: bool = True,
        reference: str | None = None,
    ) -> Order:
        """A customer buys ``lines`` (sku, quantity) in the web shop.

        The payment is settled at once or, for customers on account, only authorised.
        ``reference`` goes to the unique custom field ``externalReference``.
        """
        first, *others = [
            f'addItemToOrder(productVariantId: "{self._variant(sku)}", quantity: {quantity})'
            f" {{ __typename {ERROR} }}"
            for sku, quantity in lines
        ]
        more = "\n".join(f"item{number}: {line}" for number, line in enumerate(others, start=2))
        with GraphQL(self.url, "shop-api") as customer:
            # The first item makes the basket, and with it the session that the rest needs.
            customer.run(f"mutation {{ {first} }}")
            placed = customer.run(
                _CHECKOUT % more,
                customer={"emailAddress": customer_email, "firstName": "A", "lastName": "Buyer"},
                address={
                    "streetLine1": "1 Main Street",
                    "city": "Reno",
                    "postalCode": "89501",
                    "countryCode": COUNTRY,
                },
                shipping=[self._shipping()],
                payment={
                    "method": SETTLED_AT_ONCE if settled else AUTHORISED_ONLY,
                    "metadata": {},
                },
            )["addPaymentToOrder"]
        if reference is not None:
            self.set_reference(placed["id"], reference)
        return self.order(placed["id"])

    def set_reference(self, order_id: str, reference: str) -> None:
        """Put an outside system's own reference on an order; no two orders may have one."""
        self._admin.run(
            "mutation($input: UpdateOrderInput!) { setOrderCustomFields(input: $input) { id } }",
            input={"id": order_id, "customFields": {"externalReference": reference}},
        )

    def order(self, order_id: str) -> Order:
        """An order as it stands now."""
        found = self._admin.run(f"query($id: ID!) {{ order(id: $id) {{ {_ORDER} }} }}", id=order_id)
        if found["order"] is None:
            raise RealSystemError(f"Vendure has no order {order_id}")
        return _order(found["order"])

    def orders(self) -> list[Order]:
        """All placed orders, the first one first."""
        found: list[Order] = []
        while True:
            page = self._admin.run(
                f"query($options: OrderListOptions) {{ orders(options: $options) {{"
                f" items {{ {_ORDER} }} }} }}",
                options={
                    "take": PAGE,
                    "skip": len(found),
                    "sort": {"id": "ASC"},
                    "filter": {"orderPlacedAt": {"isNull": False}},
                },
            )["orders"]["items"]
            found += [_order(item) for item in page]
            if len(page) < PAGE:
                return found

    def settle_payments(self, order_id: str) -> None:
        """Take the money of every authorised payment."""
        for payment, state in self.order(order_id).payments.items():
            if state == "Authorized":
                self._admin.run(
                    f"mutation($id: ID!) {{ settlePayment(id: $id) {{ __typename {ERROR} }} }}",
                    id=payment,
                )

    def move_order(self, order_id: str, state: str) -> None:
        """Put an order into another state, for example ``Modifying`` as a clerk who opens it."""
        self._admin.run(
            "mutation($id: ID!, $state: String!) { transitionOrderToState(id: $id, state: $state)"
            f" {{ __typename {ERROR} }} }}",
            id=order_id,
            state=state,
        )

    def cancel(
        self, order_id: str, quantities: Mapping[str, int] | None = None, reason: str = ""
    ) -> None:
        """Cancel some of an order (line id to quantity), or all of it."""
        lines = None if quantities is None else _line_inputs(quantities)
        self._admin.run(
            "mutation($input: CancelOrderInput!) {"
            f" cancelOrder(input: $input) {{ __typename {ERROR} }} }}",
            input={
                "orderId": order_id,
                "lines": lines,
                "reason": reason,
                "cancelShipping": lines is None,
            },
        )

    def fulfil(
        self, order_id: str, tracking_code: str, quantities: Mapping[str, int] | None = None
    ) -> str:
        """Make a fulfilment of some of an order (line id to quantity) or of all of it, waiting to
        be shipped; returns its id."""
        if quantities is None:
            quantities = {line.id: line.quantity for line in self.order(order_id).lines}
        made = self._admin.run(
            "mutation($input: FulfillOrderInput!) { addFulfillmentToOrder(input: $input)"
            f" {{ ... on Fulfillment {{ id }} {ERROR} }} }}",
            input={
                "lines": _line_inputs(quantities),
                "handler": _operation(
                    FULFILMENT_HANDLER, method="Ground", trackingCode=tracking_code
                ),
            },
        )
        fulfilment: str = made["addFulfillmentToOrder"]["id"]
        return fulfilment

    def move_fulfilment(self, fulfilment_id: str, state: str) -> None:
        """Say that a fulfilment is ``Shipped``, ``Delivered`` or ``Cancelled``."""
        self._admin.run(
            "mutation($id: ID!, $state: String!) {"
            " transitionFulfillmentToState(id: $id, state: $state)"
            f" {{ __typename {ERROR} ... on FulfillmentStateTransitionError"
            " { transitionError } } }",
            id=fulfilment_id,
            state=state,
        )

    def refund(self, order_id: str, amount_cents: int, reason: str, settled: bool = True) -> str:
        """Give money back out of the order's first payment; returns the refund's id."""
        payment = next(iter(self.order(order_id).payments))
        made = self._admin.run(
            "mutation($input: RefundOrderInput!) {"
            f" refundOrder(input: $input) {{ ... on Refund {{ id state }} {ERROR} }} }}",
            # Deprecated, but without them 3.7 fails on a column of its own that may not be null.
            input={
                "paymentId": payment,
                "amount": amount_cents,
                "reason": reason,
                "shipping": 0,
                "adjustment": 0,
            },
        )["refundOrder"]
        if settled and made["state"] != "Settled":
            self._admin.run(
                "mutation($input: SettleRefundInput!) {"
                f" settleRefund(input: $input) {{ __typename {ERROR} }} }}",
                input={"id": made["id"], "transactionId": f"refund-{made['id']}"},
            )
        refund: str = made["id"]
        return refund

    def add_note(self, order_id: str, text: str) -> None:
        """Write a note that only staff can see."""
        self._admin.run(
            "mutation($input: AddNoteToOrderInput!) { addNoteToOrder(input: $input) { id } }",
            input={"id": order_id, "note": text, "isPublic": False},
        )

    def notes(self, order_id: str) -> list[str]:
        """The notes on an order, the first one first."""
        found = self._admin.run(
            "query($id: ID!, $options: HistoryEntryListOptions) { order(id: $id) {"
            " history(options: $options) { items { data } } } }",
            id=order_id,
            options={
                "take": PAGE,
                "sort": {"id": "ASC"},
                "filter": {"type": {"eq": "ORDER_NOTE"}},
            },
        )
        return [entry["data"]["note"] for entry in found["order"]["history"]["items"]]

    # ---- shared ----------------------------------------------------------------------------

    def _create(
        self, mutation: str, kind: str, content: Mapping[str, Any], error: bool = False
    ) -> str:
        # Only unions may be asked for errors.
        selection = f"{{ ... on Customer {{ id }} {ERROR} }}" if error else "{ id }"
        made = self._admin.run(
            f"mutation($input: {kind}!) {{ {mutation}(input: $input) {selection} }}", input=content
        )
        identity: str = made[mutation]["id"]
        return identity

    def _update_variant(self, sku: str, change: Mapping[str, Any]) -> None:
        self._admin.run(
            "mutation($input: UpdateProductVariantInput!) {"
            " updateProductVariant(input: $input) { id } }",
            input={"id": self._variant(sku), **change},
        )

    def _set_up_locations(self, names: Sequence[str]) -> None:
        existing = iter(self._named("stockLocations", "name").values())
        for name in names:
            first = next(existing, None)
            if first is None:
                self._create("createStockLocation", "CreateStockLocationInput", {"name": name})
            else:
                self._admin.run(
                    "mutation($input: UpdateStockLocationInput!) {"
                    " updateStockLocation(input: $input) { id } }",
                    input={"id": first, "name": name},
                )

    def _named(self, plural: str, field: str) -> dict[str, str]:
        found = self._admin.run(
            f"{{ {plural}(options: {{take: {PAGE}}}) {{ items {{ id {field} }} }} }}"
        )
        return {item[field]: item["id"] for item in found[plural]["items"]}

    def _variant_ids(self) -> dict[str, str]:
        if not self._variants:
            self._variants = self._named("productVariants", "sku")
        return self._variants

    def _variant(self, sku: str) -> str:
        known = self._variant_ids()
        if sku not in known:
            raise RealSystemError(f"the shop has no item {sku}")
        return known[sku]

    def _location(self, name: str) -> str:
        if not self._locations:
            self._locations = self._named("stockLocations", "name")
        if name not in self._locations:
            raise RealSystemError(f"the shop has no stock location {name}")
        return self._locations[name]

    def _shipping(self) -> str:
        if self._shipping_method is None:
            methods = self._named("shippingMethods", "code")
            self._shipping_method = next(iter(methods.values()))
        return self._shipping_method


_CHECKOUT = f"""
mutation(
  $customer: CreateCustomerInput!, $address: CreateAddressInput!,
  $shipping: [ID!]!, $payment: PaymentInput!
) {{
  %s
  setCustomerForOrder(input: $customer) {{ __typename {ERROR} }}
  setOrderShippingAddress(input: $address) {{ __typename {ERROR} }}
  setOrderShippingMethod(shippingMethodId: $shipping) {{ __typename {ERROR} }}
  transitionOrderToState(state: "ArrangingPayment") {{ __typename {ERROR} }}
  addPaymentToOrder(input: $payment) {{ ... on Order {{ id }} {ERROR} }}
}}
"""

_ORDER = """
id code state updatedAt
lines { id createdAt quantity unitPrice productVariant { sku } }
payments { id state }
fulfillments { id state }
"""


def _order(found: Mapping[str, Any]) -> Order:
    lines = sorted(found["lines"], key=lambda line: (line["createdAt"], int(line["id"])))
    return Order(
        id=found["id"],
        code=found["code"],
        state=found["state"],
        updated_at=found["updatedAt"],
        lines=tuple(
            OrderLine(
                line["id"],
                number,
                line["productVariant"]["sku"],
                line["quantity"],
                line["unitPrice"],
            )
            for number, line in enumerate(lines, start=1)
        ),
        payments={payment["id"]: payment["state"] for payment in found["payments"]},
        fulfilments={one["id"]: one["state"] for one in found["fulfillments"] or ()},
    )


def _line_inputs(quantities: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"orderLineId": line, "quantity": quantity}
        for line, quantity in quantities.items()
        if quantity > 0
    ]


def _translated(**texts: str) -> list[dict[str, str]]:
    return [{"languageCode": "en", **texts}]


def _operation(code: str, **arguments: Any) -> dict[str, Any]:
    """A configurable operation: its arguments are JSON, but texts stand as they are."""
    return {
        "code": code,
        "arguments": [
            {"name": name, "value": value if isinstance(value, str) else json.dumps(value)}
            for name, value in arguments.items()
        ],
    }
