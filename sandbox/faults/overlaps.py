"""Faults that belong together: two or three on one object, or several of one root cause."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE
from sandbox.faults.finance import unbilled
from sandbox.faults.identity import under_second_number
from sandbox.faults.inventory import adjustment_unposted, posted_twice
from sandbox.faults.kind import Kind
from sandbox.faults.order import changed_in_oms, repriced_in_erp, shipped_elsewhere
from sandbox.faults.shipment import delivery_kept_back, unposted, unscanned
from sandbox.faults.supplier import NEEDS, dearer_and_short
from sandbox.faults.transport import unreleased
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene
from sandbox.truth import Truth

IN_ONE_RUN = 4
"""Orders of one root cause."""


def price_and_quantity(scene: Scene) -> list[Truth]:
    order, placed = scene.order(RECENT)
    at = scene.write.booked(order, placed) + scene.rng.uniform(45 * MINUTE, 4 * HOUR)
    line = scene.rng.choice(order.lines)
    later = at + scene.rng.uniform(MINUTE, HOUR)
    return [repriced_in_erp(scene, order, line, at), changed_in_oms(scene, order, line, later)]


def price_and_unposted(scene: Scene) -> list[Truth]:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    at = order.find("order_accepted").seen["erp"] + MINUTE
    price = repriced_in_erp(scene, order, scene.rng.choice(order.lines), at)
    # The OMS takes no other price for what has shipped.
    price.attempt, price.correction, price.after = price.correction, None, None
    price.states = ("refused",)
    return [price, unposted(order)]


def price_and_release_lost(scene: Scene) -> list[Truth]:
    order, placed = scene.order(RECENT)
    at = scene.write.released(order, placed, pace=0.2) + scene.rng.uniform(MINUTE, HOUR)
    line = scene.rng.choice(order.lines)
    return [repriced_in_erp(scene, order, line, at), unreleased(order)]


def unbilled_and_not_told(scene: Scene) -> list[Truth]:
    order = _delivered(scene)
    return [unbilled(order), delivery_kept_back(order)]


def customer_and_unbilled(scene: Scene) -> list[Truth]:
    order = _delivered(scene)
    return [under_second_number(order), unbilled(order)]


def customer_unbilled_and_not_told(scene: Scene) -> list[Truth]:
    order = _delivered(scene)
    return [under_second_number(order), unbilled(order), delivery_kept_back(order)]


def address_and_unscanned(scene: Scene) -> list[Truth]:
    order, placed = scene.order(OLD)
    write = scene.write
    write.invoice(order, write.ship(order, write.packed(order, placed)))
    return [shipped_elsewhere(order), unscanned(order)]


def missing_and_doubled(scene: Scene) -> list[Truth]:
    """Of two breakages one was posted twice and the other never: the balance is right."""
    position = scene.free_position()
    qty = -scene.rng.randrange(1, 5)
    ref = scene.numbers.next("adjustment")
    return [
        adjustment_unposted(scene, "I1", position, qty, "DMG"),
        posted_twice(scene, "stock_adjusted", "701", position, qty, ref, reason="DMG"),
    ]


def releases_lost(scene: Scene) -> list[Truth]:
    """The ERP released several orders in one run, and its message never arrived."""
    orders = _of_one_day(scene, RECENT)
    booked = max(scene.write.booked(order, placed, pace=0.2) for order, placed in orders)
    at = booked + 40 * MINUTE
    for number, (order, _) in enumerate(orders):
        scene.write.handed_over(order, at + number)
    return [unreleased(order) for order, _ in orders]


def deliveries_kept_back(scene: Scene) -> list[Truth]:
    """A driver's scanner told the carrier of its deliveries at the end of the tour, all at once,
    and the carrier's message of that never reached the OMS."""
    write = scene.write
    orders = _of_one_day(scene, OLD)
    left = {}
    for order, placed in orders:
        left[order.order] = write.ship(order, write.packed(order, placed, pace=0.2), pace=0.2)
        write.invoice(order, left[order.order], pace=0.2)
    # The longest way at this pace takes less than eleven hours.
    told = max(left.values()) + 15 * HOUR
    for number, (order, _) in enumerate(orders):
        delivered = told - scene.rng.uniform(HOUR, 3 * HOUR)
        write.carry(order, left[order.order], pace=0.2, delivered=delivered)
        order.all("parcel_scanned")[-1].seen = {"carrier": told + number, "oms": told + HOUR}
    return [delivery_kept_back(order) for order, _ in orders]


def _of_one_day(scene: Scene, age: str) -> list[tuple[Order, float]]:
    """Fresh orders, and when each is placed: within hours of one another."""
    orders = [scene.order(age) for _ in range(IN_ONE_RUN)]
    first = min(placed for _, placed in orders)
    return [(order, first + scene.rng.uniform(0, 3 * HOUR)) for order, _ in orders]


def _delivered(scene: Scene) -> Order:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    return order


# Named by the fault types on one object, or by the type and how often it comes of one cause.
OVERLAPS = (
    Kind("O5-O9", "One line with another price and another quantity", price_and_quantity, True),
    Kind("O5-H2", "One line with another price, shipped and not posted", price_and_unposted, True),
    Kind("O5-T1", "One line with another price, its release lost", price_and_release_lost, True),
    Kind("O5-H7", "Another address, and never scanned", address_and_unscanned, undated=True),
    Kind("F1-H9", "Not invoiced, and its delivery not told", unbilled_and_not_told),
    Kind("M8-F1", "Under a second customer, and not invoiced", customer_and_unbilled),
    Kind(
        "M8-F1-H9",
        "Under a second customer, not invoiced, its delivery not told",
        customer_unbilled_and_not_told,
    ),
    Kind("P3-P6", "One line acknowledged dearer and received short", dearer_and_short, needs=NEEDS),
    Kind(
        "I1-I2",
        "Of two equal breakages one is posted twice and the other never",
        missing_and_doubled,
        takes_free_stock=True,
    ),
    Kind("T1x4", "Released in one run that never reached the WMS", releases_lost, one_cause=True),
    Kind(
        "H9x4",
        "Delivered on one tour, of which the OMS was never told",
        deliveries_kept_back,
        one_cause=True,
    ),
)
