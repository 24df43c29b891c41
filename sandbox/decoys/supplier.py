"""Decoys of suppliers: what looks wrong and is not."""

from __future__ import annotations

from sandbox.buying import Buyer
from sandbox.clock import DAY, HOUR
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind
from sandbox.faults.supplier import LONG_AGO, NEEDS
from sandbox.scene import Scene
from sandbox.truth import Truth

PARTS = 3


def blanket_in_parts(scene: Scene) -> Truth:
    buyer = Buyer(scene)
    bought = buyer.order(scene.now - scene.rng.uniform(*LONG_AGO), times=PARTS)
    bought.promised = bought.at + 9 * DAY
    buyer.answer(bought, bought.at + 2 * HOUR)
    part = [line | {"qty": line["qty"] // PARTS} for line in bought.lines]
    for number in range(PARTS):
        sent = bought.at + (1 + 2 * number) * DAY
        notice = buyer.announce(bought, sent, part)
        received = buyer.receive(bought, notice, sent + 12 * HOUR, part)
        buyer.bill(bought, received + 6 * HOUR, part)
    return decoy(
        "P9",
        ["suppliers", "wms"],
        bought.keys(),
        bought.at,
        "a blanket order comes and is billed in equal parts, all of them before the promised day",
    )


def ordered_again(scene: Scene) -> Truth:
    buyer = Buyer(scene)
    first = buyer.order(scene.now - scene.rng.uniform(*LONG_AGO))
    second = buyer.order(first.at + scene.rng.uniform(2 * DAY, 4 * DAY), like=first)
    for bought in (first, second):
        buyer.answer(bought, bought.at + 2 * HOUR)
        notice = buyer.announce(bought, bought.at + DAY)
        received = buyer.receive(bought, notice, bought.at + 36 * HOUR)
        buyer.bill(bought, received + 6 * HOUR)
    return decoy(
        "ordered_again",
        ["suppliers"],
        second.keys() | {"first_purchase": first.objects()},
        second.at,
        "the same goods are needed again, days later",
    )


def billed_within_tolerance(scene: Scene) -> Truth:
    buyer = Buyer(scene)
    bought = buyer.order(scene.now - scene.rng.uniform(*LONG_AGO))
    buyer.answer(bought, bought.at + 2 * HOUR)
    notice = buyer.announce(bought, bought.at + DAY)
    received = buyer.receive(bought, notice, bought.at + 36 * HOUR)
    dearer = [line | {"cost": line["cost"] + line["cost"] // 100} for line in bought.lines]
    buyer.bill(bought, received + 6 * HOUR, dearer)
    return decoy(
        "billed_within_tolerance",
        ["suppliers"],
        bought.keys(),
        received,
        "a price that is up to two per cent off is paid",
    )


KINDS = (
    Kind("P9", "Blanket order in parts", blanket_in_parts, needs=NEEDS),
    Kind("ordered_again", "The same goods ordered again, days later", ordered_again, needs=NEEDS),
    Kind(
        "billed_within_tolerance", "Billed one per cent more", billed_within_tolerance, needs=NEEDS
    ),
)
