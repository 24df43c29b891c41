"""The ways in which the story is broken, each by hand through the systems' own interfaces.

A break says what must be found, an exception a rule and object, and what is to become of it: put
right by a correction, left to a person's approval, or shown only, because nothing puts it right.
``real`` asks the real system, in its own interface, whether a correction is really there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from real.carrier import DELIVERED, ON_ITS_WAY
from real.partner import REFUSING, SHORT, SILENT
from real.story import LEFT_ALONE, PRICES, Deal, Story

CORRECTED, APPROVAL, SHOWN = "corrected", "approval", "shown"
Expected = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """A break that was made. ``is_right``: whether the real system shows the corrected state;
    without it there is nothing to be corrected."""

    expected: Expected
    is_right: Callable[[Story], bool] | None = None


@dataclass(frozen=True)
class Break:
    """One way of breaking the story. ``kinds``: the corrections that it leads to."""

    name: str
    title: str
    outcome: str
    make: Callable[[Story], Made]
    kinds: tuple[str, ...] = ()


def _lines(deal: Deal, *rules: str) -> Expected:
    return frozenset((rule, line) for rule in rules for line in deal.lines)


def _one(rule: str, thing: str) -> Expected:
    return frozenset({(rule, thing)})


# ---- what real systems say afterwards ---------------------------------------------------------


def _states(story: Story, model: str, ids: Iterable[int]) -> list[str]:
    return [row["state"] for row in story.office.session.read(model, list(ids), "state")]


def _is_fulfilled(deal: Deal) -> Callable[[Story], bool]:
    def ask(story: Story) -> bool:
        found = story.office.shipments_of([deal.shipment]).get(deal.shipment, [])
        return len(found) == 1 and _states(story, "stock.shipment.out", found) == ["done"]

    return ask


def _is_invoiced(deal: Deal) -> Callable[[Story], bool]:
    def ask(story: Story) -> bool:
        sale = story.office.session.read("sale.sale", [deal.sale], "invoices")[0]
        return _states(story, "account.invoice", sale["invoices"]) == ["posted"]

    return ask


def _agrees(sku: str, warehouse: str) -> Callable[[Story], bool]:
    def ask(story: Story) -> bool:
        return story.office.on_hand(warehouse)[sku] == story.floor.on_hand(warehouse)[sku]

    return ask


# ---- orders -----------------------------------------------------------------------------------


def _absent_in_erp(story: Story) -> Made:
    (deal,) = story.place(["broken"])

    def ask(story: Story) -> bool:
        sales = story.office.sales_of([deal.code]).get(deal.code, [])
        rows = story.office.session.find(
            "sale.line", ["sequence", "quantity", "product.code"], ("sale", "in", sales)
        )
        held = sorted((row["sequence"], row["product."]["code"], row["quantity"]) for row in rows)
        return held == [(line.number, line.sku, line.quantity) for line in deal.placed.lines]

    return Made(_lines(deal, "O02"), ask)


def _twice_in_erp(story: Story) -> Made:
    deal = story.take("booked")
    (twin,) = story.office.book([deal.order(deal.code)])
    return Made(_one("O03", story.office.numbers([twin])[0]))


def _price_differs(story: Story) -> Made:
    deal = story.take("booked")
    _rewrite(story, deal, unit_price=PRICES[deal.placed.lines[0].sku] + 1)
    return Made(_one("O04", deal.lines[0]))


def _quantity_differs(story: Story) -> Made:
    deal = story.take("booked")
    ordered = deal.placed.lines[0].quantity
    _rewrite(story, deal, quantity=float(ordered + 3))

    def ask(story: Story) -> bool:
        wanted = (("sale", "=", deal.sale), ("sequence", "=", 1))
        return bool(
            story.office.session.find("sale.line", ["quantity"], *wanted)[0]["quantity"] == ordered
        )

    return Made(_one("O04", deal.lines[0]), ask)


def _rewrite(story: Story, deal: Deal, **values: object) -> None:
    """Change the first line of a quotation as a clerk does: back to a draft, and quoted again."""
    session = story.office.session
    session.click("sale.sale", "draft", [deal.sale])
    lines = session.search("sale.line", ("sale", "=", deal.sale), ("sequence", "=", 1))
    session.write("sale.line", lines, values)
    session.click("sale.sale", "quote", [deal.sale])


def _cancelled_in_shop(story: Story) -> Made:
    deal = story.take("booked")
    story.shop.cancel(deal.placed.id, reason="changed my mind")

    def ask(story: Story) -> bool:
        sale = story.office.session.read("sale.sale", [deal.sale], "state", "lines")[0]
        lines = story.office.session.read("sale.line", sale["lines"], "quantity")
        return sale["state"] == "cancelled" or all(line["quantity"] == 0 for line in lines)

    return Made(_lines(deal, "O05"), ask)


def _no_warehouse_order(story: Story) -> Made:
    deal = story.take("booked")
    story.confirm([deal])

    def ask(story: Story) -> bool:
        found = story.floor.shipments_of([deal.sale_number]).get(deal.sale_number, [])
        return len(found) == 1

    return Made(_lines(deal, "O06"), ask)


# ---- shipments --------------------------------------------------------------------------------


def _shipped_and_not_posted(story: Story) -> Made:
    deal = story.take("released")
    story.ship([deal])
    story.scan([deal])
    story.tell_shop([deal])

    def ask(story: Story) -> bool:
        return _is_fulfilled(deal)(story) and _is_invoiced(deal)(story)

    return Made(_lines(deal, "S01", "F01"), ask)


def _posted_and_not_shipped(story: Story) -> Made:
    deal = story.take("released")
    ((shipment,),) = story.office.open_shipments([deal.sale])
    story.office.post_shipments({shipment: f"WD-{deal.sale_number}"})
    return Made(_lines(deal, "S03"))


def _other_quantity_posted(story: Story) -> Made:
    deal = story.take("released")
    story.ship([deal])
    story.scan([deal])
    story.tell_shop([deal])
    ((shipment,),) = story.office.open_shipments([deal.sale])
    # The office types one unit more of the first line than the warehouse let go.
    first = deal.placed.lines[0]
    story.office.write_quantity(shipment, first.sku, first.quantity + 1)
    story.office.post_shipments({shipment: deal.shipment})
    story.invoice([deal])
    return Made(_one("S02", deal.lines[0]))


def _no_first_scan(story: Story) -> Made:
    deal = story.take("released")
    story.ship([deal])
    story.fulfil([deal])
    story.invoice([deal])
    story.tell_shop([deal])
    return Made(_one("S04", deal.tracking))


def _delivery_untold(story: Story) -> Made:
    deal = story.take("in_transit")
    story.scan([deal], ON_ITS_WAY)
    story.scan([deal], DELIVERED)

    def ask(story: Story) -> bool:
        return story.shop.order(deal.placed.id).state == "Delivered"

    return Made(_lines(deal, "S05"), ask)


# ---- invoices ---------------------------------------------------------------------------------


def _not_invoiced(story: Story) -> Made:
    deal = story.take("released")
    story.ship([deal])
    story.fulfil([deal])
    story.scan([deal])
    story.tell_shop([deal])
    return Made(_lines(deal, "F01"), _is_invoiced(deal))


def _invoiced_twice(story: Story) -> Made:
    deal = story.take("in_transit")
    again = story.office.invoice_again(deal.invoices[0])
    return Made(_one("F03", story.office.invoice_number(again)))


def _invoiced_before_shipment(story: Story) -> Made:
    deal = story.take("released")
    story.office.invoice_order(deal.sale)
    return Made(_lines(deal, "F02"))


# ---- stock ------------------------------------------------------------------------------------


def _lost_and_not_posted(story: Story) -> Made:
    number = story.floor.adjust("EAST", LEFT_ALONE[0], -7)
    return Made(_one("I11", number), _agrees(LEFT_ALONE[0], "EAST"))


def _found_and_not_posted(story: Story) -> Made:
    story.floor.adjust("WEST", LEFT_ALONE[1], 5, "FOUND-77")
    return Made(_one("I11", "FOUND-77"), _agrees(LEFT_ALONE[1], "WEST"))


def _posted_twice(story: Story) -> Made:
    story.floor.adjust("EAST", LEFT_ALONE[2], -4, "DAMAGE-12")
    for _ in range(2):
        story.office.adjust("EAST", LEFT_ALONE[2], -4, "DAMAGE-12")
    return Made(_one("I12", "DAMAGE-12"), _agrees(LEFT_ALONE[2], "EAST"))


def _counted_in_erp_only(story: Story) -> Made:
    held = story.office.on_hand("WEST")[LEFT_ALONE[3]]
    story.office.count("WEST", {LEFT_ALONE[3]: int(held) - 6})
    return Made(_one("I01", f"{LEFT_ALONE[3]}@WEST"), _agrees(LEFT_ALONE[3], "WEST"))


# ---- suppliers --------------------------------------------------------------------------------


def _answered_short(story: Story) -> Made:
    bought = story.order_goods([("WIDGET-001", 40)], "EAST")
    story.partner.work(SHORT)
    return Made(_one("P02", f"{bought.number}/1"))


def _silent_partner(story: Story) -> Made:
    bought = story.order_goods([("GEAR-100", 20)], "WEST")
    story.partner.work(SILENT)
    return Made(frozenset({("P07", f"PO/{bought.group}"), ("P01", bought.number)}))


def _refused_document(story: Story) -> Made:
    bought = story.order_goods([("CABLE-2M", 30)], "EAST")
    story.partner.work(REFUSING)
    return Made(frozenset({("P07", f"PO/{bought.group}"), ("P01", bought.number)}))


def _announced_short(story: Story) -> Made:
    # A single unit is never cut: of the second line all is announced.
    bought = story.order_goods([("BRKT-050", 50), ("CABLE-5M", 1)], "WEST")
    story.partner.work(SHORT)
    story.receive_goods(bought)
    line = f"{bought.number}/1"
    return Made(frozenset({("P02", line), ("P03", line)}))


# The partner is given a minute to answer, and tells time in minutes: it is broken first.
BREAKS = (
    Break("answered_short", "The supplier grants less than was ordered",
          SHOWN, _answered_short),
    Break("silent_partner", "The supplier answers an order with nothing at all",
          SHOWN, _silent_partner),
    Break("order_rejected", "The supplier's 997 rejects our order",
          SHOWN, _refused_document),
    Break("announced_short", "The supplier grants and announces less than the WMS receives",
          SHOWN, _announced_short),
    Break("order_absent_in_erp", "Placed and paid in Vendure, never booked in the ERP",
          CORRECTED, _absent_in_erp, ("create_order",)),
    Break("order_twice_in_erp", "Booked twice in the ERP",
          APPROVAL, _twice_in_erp, ("cancel_order",)),
    Break("price_differs", "The ERP holds another price than Vendure charged",
          SHOWN, _price_differs, ("update_price",)),
    Break("quantity_differs", "The ERP holds another quantity than was ordered",
          CORRECTED, _quantity_differs, ("update_quantity",)),
    Break("cancelled_in_shop_only", "Cancelled in Vendure, still booked in the ERP",
          CORRECTED, _cancelled_in_shop, ("cancel_line",)),
    Break("no_warehouse_order", "Released by the ERP, never told to the WMS",
          CORRECTED, _no_warehouse_order, ("create_warehouse_order",)),
    Break("shipped_not_posted", "Shipped by the WMS, neither fulfilled nor invoiced in the ERP",
          CORRECTED, _shipped_and_not_posted, ("create_fulfilment", "create_invoice")),
    Break("posted_not_shipped", "Fulfilled in the ERP, never shipped by the WMS",
          APPROVAL, _posted_and_not_shipped, ("reverse_fulfilment",)),
    Break("other_quantity_posted", "The ERP fulfilled one unit more than the WMS shipped",
          SHOWN, _other_quantity_posted, ("adjust_fulfilment",)),
    Break("no_first_scan", "Shipped by the WMS, never scanned by the carrier",
          SHOWN, _no_first_scan),
    Break("delivery_untold", "Delivered by the carrier, unknown to Vendure",
          CORRECTED, _delivery_untold, ("set_delivered",)),
    Break("not_invoiced", "Shipped and fulfilled, the invoice left as a draft",
          CORRECTED, _not_invoiced, ("create_invoice",)),
    Break("invoiced_twice", "Invoiced twice",
          APPROVAL, _invoiced_twice, ("void_invoice",)),
    Break("invoiced_before_shipment", "Invoiced and not shipped",
          APPROVAL, _invoiced_before_shipment, ("void_invoice",)),
    Break("loss_not_posted", "Lost in the warehouse, not posted in the ERP",
          CORRECTED, _lost_and_not_posted, ("post_movement",)),
    Break("find_not_posted", "Found in the warehouse under a reference, not posted in the ERP",
          CORRECTED, _found_and_not_posted, ("post_movement",)),
    Break("adjustment_twice", "Damage posted twice in the ERP",
          CORRECTED, _posted_twice, ("post_movement",)),
    Break("counted_in_erp_only", "A stock count booked in the ERP only",
          CORRECTED, _counted_in_erp_only, ("adjust_stock",)),
)  # fmt: skip
