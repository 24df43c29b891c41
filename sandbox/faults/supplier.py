"""Faults of suppliers: answers, notices, receipts and invoices of purchase orders."""

from __future__ import annotations

from sandbox.buying import Bought, Buyer, Lines
from sandbox.catalogue import SUPPLIERS
from sandbox.clock import DAY, HOUR
from sandbox.faults.kind import DISTURBED_HOURS, Kind
from sandbox.scene import Scene, on_one_day
from sandbox.truth import Truth
from sandbox.x12 import BROKEN

NEEDS = ("purchasing", "suppliers")

LONG_AGO = (12 * DAY, 30 * DAY)
"""How long ago what must have come by now was ordered."""

AGAIN = 90.0
"""Seconds after which an order is sent once more."""


def not_answered(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    _come_and_billed(buyer, bought)
    return _truth(
        "P1",
        bought,
        bought.at,
        [("P01", bought.number)],
        suppliers="never answered",
        wms="all of it came",
        real="ordered, and it came",
    )


def answered_short(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    granted = [line | {"qty": line["qty"] - scene.rng.randrange(1, 6)} for line in bought.lines]
    at = buyer.answer(bought, bought.at + 2 * HOUR, granted)
    _come_and_billed(buyer, bought, granted, granted, granted)
    expected = [("P02", name) for name in bought.objects()]
    return _truth(
        "P2",
        bought,
        at,
        expected,
        suppliers=_quantities(granted),
        wms=_quantities(granted),
        real="less was granted than ordered",
    )


def answered_late(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    buyer.answer(bought, bought.at + scene.rng.uniform(30 * HOUR, 60 * HOUR))
    _come_and_billed(buyer, bought)
    return _truth(
        "P2",
        bought,
        bought.at,
        [("P01", bought.number)],
        suppliers="answered days later",
        wms="all of it came",
        real="ordered, and it came",
    )


def answered_dearer(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    truth = _dearer(buyer, bought, scene.rng.choice(bought.lines))
    _come_and_billed(buyer, bought)
    return truth


def _dearer(buyer: Buyer, bought: Bought, line: dict[str, int]) -> Truth:
    """The supplier answers with a higher price of one line."""
    cost = line["cost"] + buyer.scene.rng.randrange(5, 60)
    told, dearer = _but(bought, line, cost=cost)
    at = buyer.answer(bought, bought.at + 2 * HOUR, told)
    return _truth(
        "P3",
        bought,
        at,
        [("P02P", bought.object(line))],
        suppliers=f"{dearer['cost']} cents",
        wms="all of it came",
        real=f"ordered at {line['cost']} cents",
    )


def never_announced(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    buyer.answer(bought, bought.at + 2 * HOUR)
    expected = [("P09", name) for name in bought.objects()]
    return _truth(
        "P4",
        bought,
        bought.promised + DAY,
        expected,
        suppliers="answered, never announced",
        wms="nothing came",
        real="nothing came",
    )


def announced_late(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    buyer.answer(bought, bought.at + 2 * HOUR)
    notice = buyer.announce(bought, bought.promised + 3 * DAY)
    received = buyer.receive(bought, notice, bought.promised + 4 * DAY)
    buyer.bill(bought, received + 6 * HOUR)
    expected = [("P09", name) for name in bought.objects()]
    return _truth(
        "P4",
        bought,
        bought.promised + DAY,
        expected,
        suppliers="announced days late",
        wms="came days late",
        real="came days late",
    )


def announced_too_much(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    line = scene.rng.choice(bought.lines)
    told, more = _but(bought, line, qty=line["qty"] + scene.rng.randrange(1, 9))
    _come_and_billed(buyer, bought, announced=told)
    expected = [("P03R", bought.object(line))]
    return _truth(
        "P5",
        bought,
        bought.at + DAY,
        expected,
        suppliers=str(more["qty"]),
        wms=str(line["qty"]),
        real=str(line["qty"]),
    )


def received_short(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    return _short(buyer, bought, scene.rng.choice(bought.lines))


def _short(buyer: Buyer, bought: Bought, line: dict[str, int]) -> Truth:
    """Of one line less comes than was announced, and only what came is paid for."""
    came, less = _but(bought, line, qty=line["qty"] - buyer.scene.rng.randrange(1, 6))
    _come_and_billed(buyer, bought, came=came, billed=came)
    return _truth(
        "P6",
        bought,
        bought.at + DAY,
        [("P03R", bought.object(line))],
        suppliers=str(line["qty"]),
        wms=str(less["qty"]),
        real=str(less["qty"]),
    )


def dearer_and_short(scene: Scene) -> list[Truth]:
    """One line of an order: answered at a higher price, and received short."""
    buyer, bought = _order(scene)
    line = scene.rng.choice(bought.lines)
    dearer = _dearer(buyer, bought, line)
    dearer.values["wms"] = "a part of it came"
    return [dearer, _short(buyer, bought, line)]


def received_over(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    line = scene.rng.choice(bought.lines)
    came, more = _but(bought, line, qty=line["qty"] + scene.rng.randrange(1, 9))
    received, _ = _come_and_billed(buyer, bought, came=came)
    expected = [("P03", bought.object(line))]
    return _truth(
        "P6",
        bought,
        received,
        expected,
        suppliers=str(line["qty"]),
        wms=str(more["qty"]),
        real=str(more["qty"]),
    )


def received_damaged(scene: Scene) -> Truth:
    """What is refused at the dock never enters the stock, and nobody pays for it."""
    buyer, bought = _answered(scene)
    line = scene.rng.choice(bought.lines)
    refused = scene.rng.randrange(1, 6)
    came, _ = _but(bought, line, qty=line["qty"] - refused, refused=refused)
    _come_and_billed(buyer, bought, came=came, billed=came)
    expected = [("P03R", bought.object(line))]
    good = str(line["qty"] - refused)
    return _truth(
        "P6",
        bought,
        bought.at + DAY,
        expected,
        suppliers=str(line["qty"]),
        wms=f"{good} good, {refused} damaged",
        real=good,
    )


def ordered_twice(scene: Scene) -> Truth:
    buyer = Buyer(scene)
    first = buyer.order(on_one_day(scene.now - scene.rng.uniform(*LONG_AGO), AGAIN))
    second = buyer.order(first.at + AGAIN, like=first)
    for bought in (first, second):
        buyer.answer(bought, bought.at + 2 * HOUR)
        _come_and_billed(buyer, bought)
    expected = [("P04", second.number)]
    return _truth(
        "P7",
        second,
        second.at,
        expected,
        suppliers=[first.number, second.number],
        wms="both came",
        real="one was wanted",
        first_purchase=first.number,
    )


def billed_too_much(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    line = scene.rng.choice(bought.lines)
    told, more = _but(bought, line, qty=line["qty"] + scene.rng.randrange(1, 9))
    _, billed = _come_and_billed(buyer, bought, billed=told)
    expected = [("P05", bought.object(line))]
    return _truth(
        "P8",
        bought,
        billed,
        expected,
        suppliers=str(more["qty"]),
        wms=str(line["qty"]),
        real=str(line["qty"]),
    )


def billed_dearer(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    line = scene.rng.choice(bought.lines)
    cost = line["cost"] + line["cost"] * scene.rng.randrange(3, 10) // 100 + 1
    # Billed in two parts, of which the first is right: a look at that one alone sees nothing.
    part = line["qty"] // 2
    first, _ = _but(bought, line, qty=part)
    dearer = line | {"qty": line["qty"] - part, "cost": cost}
    _, billed = _come_and_billed(buyer, bought, billed=first)
    buyer.bill(bought, billed + HOUR, [dearer])
    expected = [("P05P", bought.object(line))]
    return _truth(
        "P8",
        bought,
        billed + HOUR,
        expected,
        suppliers=f"{cost} cents",
        wms="all of it came",
        real=f"ordered at {line['cost']} cents",
    )


def billed_twice(scene: Scene) -> Truth:
    buyer, bought = _answered(scene)
    _, billed = _come_and_billed(buyer, bought)
    again = billed + scene.rng.uniform(HOUR, DAY)
    buyer.bill(bought, again)
    expected = [("P05", name) for name in bought.objects()]
    return _truth(
        "P8", bought, again, expected, suppliers="billed twice", wms="came once", real="came once"
    )


def billed_unseen(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    # Promised for later, so that nothing but the invoice is out of time.
    bought.promised = scene.now + 10 * DAY
    buyer.answer(bought, bought.at + 2 * HOUR)
    billed = bought.at + 2 * DAY
    buyer.bill(bought, billed)
    expected = [("P05", name) for name in bought.objects()]
    return _truth(
        "P8", bought, billed, expected, suppliers="billed", wms="nothing came", real="nothing came"
    )


def answer_told_again(scene: Scene) -> Truth:
    buyer = Buyer(scene)
    bought = buyer.order(scene.now - scene.rng.uniform(*LONG_AGO), of=_not_yet_replayed(scene))
    buyer.answer(bought, bought.at + 2 * HOUR)
    _come_and_billed(buyer, bought)
    buyer.answer_again(bought, scene.now)
    truth = _truth(
        "T6",
        bought,
        scene.now,
        [("D02R", _feed(bought))],
        suppliers="the file whole once more",
        wms="all of it came",
        real="answered once",
    )
    truth.keys["feed"] = _feed(bought)
    truth.passes = True
    return truth


def answer_in_a_broken_envelope(scene: Scene) -> Truth:
    buyer, bought = _order(scene)
    wrong = scene.rng.choice(BROKEN)
    buyer.answer(bought, bought.at + 2 * HOUR, broken=wrong)
    _come_and_billed(buyer, bought)
    buyer.answer_again(bought, scene.now + DISTURBED_HOURS * HOUR)
    truth = _truth(
        "S9",
        bought,
        scene.now,
        [("D02", _feed(bought))],
        suppliers=f"a wrong {wrong}",
        wms="all of it came",
    )
    truth.keys["feed"] = _feed(bought)
    truth.passes = True
    truth.values["real"] = "answered in time; the supplier sends it well hours later"
    return truth


def _not_yet_replayed(scene: Scene) -> str:
    """A supplier of whom no file came again so far: one replay more of a feed opens nothing new."""
    fresh = [one for one in SUPPLIERS if f"replays of {one}" not in scene.used]
    supplier = scene.rng.choice(fresh or SUPPLIERS)
    scene.used.add(f"replays of {supplier}")
    return supplier


def _feed(bought: Bought) -> str:
    """The feed of what the supplier sends, as rules name it."""
    return f"suppliers_{bought.supplier.lower()}.interchanges"


def _order(scene: Scene) -> tuple[Buyer, Bought]:
    buyer = Buyer(scene)
    return buyer, buyer.order(scene.now - scene.rng.uniform(*LONG_AGO))


def _answered(scene: Scene) -> tuple[Buyer, Bought]:
    buyer, bought = _order(scene)
    buyer.answer(bought, bought.at + 2 * HOUR)
    return buyer, bought


def _but(bought: Bought, line: dict[str, int], **changed: int) -> tuple[Lines, dict[str, int]]:
    """The lines with one of them changed, and that one."""
    other = line | changed
    return [other if one is line else one for one in bought.lines], other


def _come_and_billed(
    buyer: Buyer,
    bought: Bought,
    announced: Lines | None = None,
    came: Lines | None = None,
    billed: Lines | None = None,
) -> tuple[float, float]:
    """Announced, received and billed in time, with other lines than were ordered where named.
    Returns when the last of it came and when it was billed."""
    notice = buyer.announce(bought, bought.at + DAY, announced)
    received = buyer.receive(bought, notice, bought.at + 36 * HOUR, came)
    return received, buyer.bill(bought, received + 6 * HOUR, billed)


def _quantities(lines: Lines) -> list[str]:
    return [str(line["qty"]) for line in lines]


def _truth(
    kind: str, bought: Bought, since: float, expected: list[tuple[str, str]], **values: object
) -> Truth:
    return Truth(
        kind=kind,
        systems=["suppliers", "wms"],
        keys=bought.keys(),
        since=since,
        expected=expected,
        values={"ordered": _quantities(bought.lines), **values},
    )


KINDS = (
    Kind("P1", "Purchase order never answered", not_answered, needs=NEEDS),
    Kind("P2", "Answered for less than was ordered", answered_short, needs=NEEDS),
    Kind("P2L", "Answered days late", answered_late, needs=NEEDS),
    Kind("P3", "Answered at a higher price", answered_dearer, needs=NEEDS),
    Kind("P4", "Promised, never announced", never_announced, needs=NEEDS),
    Kind("P4L", "Announced days late", announced_late, needs=NEEDS),
    Kind("P5", "Announced more than came", announced_too_much, needs=NEEDS),
    Kind("P6", "Received short", received_short, needs=NEEDS),
    Kind("P6O", "Received more than was announced", received_over, needs=NEEDS),
    Kind("P6D", "A part damaged and refused at the dock", received_damaged, needs=NEEDS),
    Kind("P7", "Purchase order sent twice", ordered_twice, needs=NEEDS),
    Kind("P8", "Billed more than came", billed_too_much, needs=NEEDS),
    Kind("P8P", "Second of two invoices at a higher price", billed_dearer, needs=NEEDS),
    Kind("P8D", "Billed twice", billed_twice, needs=NEEDS),
    Kind("P8N", "Billed, nothing came", billed_unseen, needs=NEEDS),
    Kind(
        "T6",
        "A supplier's file comes whole once more",
        answer_told_again,
        undated=True,
        needs=NEEDS,
    ),
    Kind(
        "S9",
        "A supplier's answer in an envelope whose counts or numbers are wrong",
        answer_in_a_broken_envelope,
        undated=True,
        needs=NEEDS,
        mixed=False,
    ),
)
