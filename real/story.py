"""One consistent story in real systems: orders placed, booked, shipped, invoiced, some returned.

The order numbers are Vendure's codes, the items' SKUs are the same everywhere, and each system is
driven through its own interface, as its own people would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from real.carrier import DELIVERED, ON_ITS_WAY, PICKED_UP, Carrier
from real.partner import Partner, Wanted
from real.tryton import company as books
from real.tryton.people import Line, Office, Order, Warehouse
from real.tryton.server import Database, TrytonServer
from real.vendure import shop as web
from real.vendure.server import Access, VendureServer
from real.vendure.shop import Shop

SUPPLIER = "MOCKEDI"
PLACES = ("EAST", "WEST")
OPENING_UNITS = 1000
SHOP_UNITS = 100_000  # the shop sells what it has; nobody compares its stock
CUSTOMERS = {f"buyer{number:02}@example.com": f"Buyer {number}" for number in range(1, 11)}

# What the supplier sells, at its own prices; the rest comes from elsewhere.
BOUGHT = {
    "WIDGET-001": "12.50",
    "WIDGET-002": "13.75",
    "GEAR-100": "8.90",
    "BRKT-050": "4.15",
    "CABLE-2M": "3.95",
    "CABLE-5M": "6.85",
}
OTHERS = {f"PART-{number:03}": f"{number}.25" for number in range(1, 17)}
COSTS = {sku: Decimal(cost) for sku, cost in {**BOUGHT, **OTHERS}.items()}
PRICES = {sku: cost * 2 for sku, cost in COSTS.items()}
# Nobody buys these in the shop: what their stock is, only the breaks decide.
LEFT_ALONE = tuple(OTHERS)[-4:]
SOLD = tuple(sku for sku in PRICES if sku not in LEFT_ALONE)
CATALOGUE = books.Catalogue(
    items=tuple(books.Item(sku, f"Item {sku}", PRICES[sku], cost) for sku, cost in COSTS.items()),
    customers=CUSTOMERS,
    suppliers={SUPPLIER: "Mock EDI Components"},
    opening_stock=dict.fromkeys(PLACES, OPENING_UNITS),
)

# How far the orders of the story have come, and how many of each.
FATES = {
    "booked": 24,
    "released": 40,
    "in_transit": 60,
    "delivered": 70,
    "returned": 8,
    "cancelled": 8,
}
CHUNK = 35  # orders that go through all stages together, so that no stage is late
PURCHASES = 12
BUSY = 4  # customers in the shop at a time

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[str], None]


@dataclass
class Deal:
    """One order and what each system calls it. Empty until the system has heard of it."""

    placed: web.Order
    customer: str
    warehouse: str
    fate: str
    sale: int = 0
    sale_number: str = ""
    floor_order: int = 0
    shipment: str = ""
    tracking: str = ""
    fulfilment: str = ""
    invoices: tuple[int, ...] = ()

    @property
    def code(self) -> str:
        return self.placed.code

    @property
    def lines(self) -> list[str]:
        """The canonical ids of the order's lines."""
        return [f"{self.code}/{line.number}" for line in self.placed.lines]

    def order(self, reference: str) -> Order:
        """As Tryton's people write it down."""
        return Order(
            reference,
            self.customer,
            self.warehouse,
            tuple(
                Line(line.number, line.sku, line.quantity, Decimal(line.unit_price_cents) / 100)
                for line in self.placed.lines
            ),
        )


@dataclass
class Purchase:
    """One purchase order; ``group`` is the functional group in which it was sent."""

    number: str
    purchase: int
    warehouse: str
    lines: tuple[Line, ...]
    group: str = ""


class Story:
    """The people of the company at their systems. ``deals`` are all orders so far."""

    def __init__(
        self, shop: Shop, office: Office, floor: Warehouse, partner: Partner, carrier: Carrier
    ) -> None:
        self.shop = shop
        self.office = office
        self.floor = floor
        self.partner = partner
        self.carrier = carrier
        self.deals: list[Deal] = []
        self.purchases: list[Purchase] = []
        self._placed = 0

    # ---- what happens to orders, many at a time ---------------------------------------------

    def place(self, fates: Sequence[str]) -> list[Deal]:
        """Customers buy in the shop; the money is settled at once."""
        numbers = range(self._placed, self._placed + len(fates))
        self._placed += len(fates)
        placed = _at_once(self._buy, list(zip(numbers, fates, strict=True)))
        self.deals += placed
        return placed

    def _buy(self, wanted: tuple[int, str]) -> Deal:
        number, fate = wanted
        # Two different items; every third order has a third one.
        picks = [(number + step) % len(SOLD) for step in (0, 7, 13)]
        lines = [
            (SOLD[pick], 2 + (number + position) % 4)
            for position, pick in enumerate(picks[: 3 if number % 3 == 0 else 2])
        ]
        customer = list(CUSTOMERS)[number % len(CUSTOMERS)]
        return Deal(self.shop.place_order(lines, customer), customer, PLACES[number % 2], fate)

    def book(self, deals: Sequence[Deal]) -> None:
        """The office enters the orders as quotations."""
        sales = self.office.book([deal.order(deal.code) for deal in deals])
        for deal, sale, number in zip(deals, sales, self.office.numbers(sales), strict=True):
            deal.sale, deal.sale_number = sale, number

    def confirm(self, deals: Sequence[Deal]) -> None:
        """The office releases orders to be shipped."""
        self.office.confirm([deal.sale for deal in deals])

    def tell_floor(self, deals: Sequence[Deal]) -> None:
        """The warehouse gets the released orders."""
        ids = self.floor.create_orders([deal.order(deal.sale_number) for deal in deals])
        for deal, floor_order in zip(deals, ids, strict=True):
            deal.floor_order = floor_order

    def ship(self, deals: Sequence[Deal]) -> None:
        """The warehouse picks, packs and lets go."""
        shipments = [deal.floor_order for deal in deals]
        for deal in deals:
            deal.tracking = self.carrier.number()
        self.floor.assign(shipments)
        self.floor.pick(shipments)
        self.floor.pack(shipments, {deal.floor_order: deal.tracking for deal in deals})
        self.floor.ship(shipments)
        for deal, number in zip(deals, self.floor.shipment_numbers(shipments), strict=True):
            deal.shipment = number

    def fulfil(self, deals: Sequence[Deal]) -> None:
        """The office posts what the warehouse shipped."""
        waiting = self.office.open_shipments([deal.sale for deal in deals])
        self.office.post_shipments(
            {ids[0]: deal.shipment for deal, ids in zip(deals, waiting, strict=True)}
        )

    def invoice(self, deals: Sequence[Deal]) -> None:
        """The office posts the invoices that Tryton drafted for what was shipped."""
        drafted = self.office.draft_invoices([deal.sale for deal in deals])
        self.office.post_invoices([invoice for some in drafted for invoice in some])
        for deal, some in zip(deals, drafted, strict=True):
            deal.invoices = tuple(some)

    def scan(self, deals: Iterable[Deal], code: str = PICKED_UP) -> None:
        """The carrier scans the packages."""
        for deal in deals:
            self.carrier.scan(deal.tracking, code)

    def tell_shop(self, deals: Sequence[Deal]) -> None:
        """The shop learns that the goods are on their way."""

        def tell(deal: Deal) -> None:
            quantities = {line.id: line.quantity for line in deal.placed.lines}
            deal.fulfilment = self.shop.fulfil(deal.placed.id, deal.tracking, quantities)
            self.shop.move_fulfilment(deal.fulfilment, "Shipped")

        _at_once(tell, deals)

    def deliver(self, deals: Sequence[Deal]) -> None:
        """The goods arrive; shop and carrier both say so."""

        def tell(deal: Deal) -> None:
            self.shop.move_fulfilment(deal.fulfilment, "Delivered")

        self.scan(deals, ON_ITS_WAY)
        _at_once(tell, deals)
        self.scan(deals, DELIVERED)

    def take_back(self, deals: Sequence[Deal]) -> None:
        """Customers send all of it back, and get their money."""
        for deal in deals:
            back = deal.order(f"RMA-{deal.code}")
            self.floor.take_back(back)
            self.office.take_back(back)
            value = sum(line.quantity * line.unit_price_cents for line in deal.placed.lines)
            self.shop.refund(deal.placed.id, value, "sent back")

    def call_off(self, deals: Sequence[Deal]) -> None:
        """Customers cancel what was not released; shop and office both note it."""
        _at_once(lambda deal: self.shop.cancel(deal.placed.id, reason="changed my mind"), deals)
        self.office.cancel([deal.sale for deal in deals])

    # ---- purchases --------------------------------------------------------------------------

    def order_goods(self, lines: Sequence[tuple[str, int]], warehouse: str) -> Purchase:
        """The office orders from the supplier, by EDI."""
        wanted = tuple(
            Line(number, sku, quantity, COSTS[sku])
            for number, (sku, quantity) in enumerate(lines, 1)
        )
        purchase = self.office.buy("", SUPPLIER, warehouse, wanted)
        number = self.office.purchase_number(purchase)
        bought = Purchase(number, purchase, warehouse, wanted)
        bought.group = self.partner.send(
            number,
            warehouse,
            [Wanted(line.number, line.sku, line.quantity, line.price) for line in wanted],
        )
        self.purchases.append(bought)
        return bought

    def receive_goods(self, bought: Purchase) -> None:
        """All the goods come in: the warehouse receives them, the office posts the receipt."""
        self.floor.receive(bought.number, SUPPLIER, bought.warehouse, bought.lines)
        self.office.receive(bought.purchase, bought.number)

    # ---- all of it ---------------------------------------------------------------------------

    def tell(self, progress: Progress) -> None:
        """The whole story, without a fault."""
        fates = _mixed(FATES)
        for start in range(0, len(fates), CHUNK):
            self._chapter(fates[start : start + CHUNK])
            progress(f"{len(self.deals)} orders placed, booked and carried on")
        for number in range(PURCHASES):
            skus = list(BOUGHT)
            picks = (skus[number % len(skus)], skus[(number + 2) % len(skus)])
            self.order_goods([(sku, 10 + number) for sku in picks], PLACES[number % 2])
        self.partner.work()
        for bought in self.purchases:
            self.receive_goods(bought)
        progress(f"{len(self.purchases)} purchase orders answered, announced and received")

    def _chapter(self, fates: Sequence[str]) -> None:
        deals = self.place(fates)
        self.book(deals)
        gone = self._those(deals, "in_transit", "delivered", "returned")
        released = [*self._those(deals, "released"), *gone]
        self.confirm(released)
        self.tell_floor(released)
        self.ship(gone)
        self.fulfil(gone)
        self.invoice(gone)
        self.scan(gone)
        self.tell_shop(gone)
        self.deliver(self._those(deals, "delivered", "returned"))
        self.take_back(self._those(deals, "returned"))
        self.call_off(self._those(deals, "cancelled"))

    @staticmethod
    def _those(deals: Sequence[Deal], *fates: str) -> list[Deal]:
        return [deal for deal in deals if deal.fate in fates]

    def take(self, fate: str) -> Deal:
        """An order that has come so far and that nobody took yet."""
        deal = next(deal for deal in self.deals if deal.fate == fate)
        deal.fate = "taken"
        return deal


@dataclass(frozen=True)
class Systems:
    """The running systems, and where and as whom they are reached."""

    story: Story
    access: Access
    databases: dict[str, Database]
    partner: Partner
    carrier: Carrier


@contextmanager
def started(folder: Path, progress: Progress) -> Iterator[Systems]:
    """All systems with empty books, under one folder; ended when the block ends.

    Raises RealSystemError and real.tryton.server.StartError.
    """
    with ExitStack() as stack:
        progress("starting Vendure (OMS) with its PostgreSQL")
        vendure = VendureServer(folder / "vendure")
        vendure.remove()
        access = vendure.start()
        stack.callback(vendure.stop)
        progress("starting Tryton (ERP and WMS)")
        tryton = TrytonServer(folder / "tryton", CATALOGUE)
        databases = tryton.start()
        stack.callback(tryton.stop)
        progress("starting mock-edi (supplier)")
        partner = stack.enter_context(Partner(folder / "partner"))
        carrier = Carrier(folder / "carrier")
        progress("setting up the shop")
        shop = stack.enter_context(Shop(access))
        shop.set_up(PLACES)
        shop.add_items(
            [web.Item(sku, f"Item {sku}", int(price * 100)) for sku, price in PRICES.items()],
            dict.fromkeys(PLACES, SHOP_UNITS),
        )
        story = Story(
            shop,
            Office(databases["erp"].admin()),
            Warehouse(databases["wms"].admin()),
            partner,
            carrier,
        )
        yield Systems(story, access, databases, partner, carrier)


def _mixed(counts: dict[str, int]) -> list[str]:
    """Every fate spread over the whole, in a fixed order."""
    total = sum(counts.values())
    spread: list[tuple[float, str]] = []
    for fate, count in counts.items():
        spread += [((position + 0.5) * total / count, fate) for position in range(count)]
    return [fate for _, fate in sorted(spread)]


def _at_once(work: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """The results of some work on each thing, done by several people."""
    with ThreadPoolExecutor(BUSY) as people:
        return list(people.map(work, things))
