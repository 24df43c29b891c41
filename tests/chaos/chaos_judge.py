"""The judge of a story: the systems' own ledger against what the outbox says of itself.

The ledger holds every write that had an effect: its key (None: a person), the record before and
after, and when. Nothing here asks the engine what it believes, but to compare it with that.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from chaos_people import AUTHORITY, DONE_BY_HAND, OTHER_VALUE, People

from writeback.model import Correction
from writeback.states import State

Effect = Mapping[str, Any]
Proposal = Mapping[str, Any]

PROPERTIES = {
    "lost": "every correction that nobody overtook had its effect and is proved, and none is stuck",
    "doubled": "one key has at most one effect, and one fact is created once",
    "false": "an effect is what was proposed, and no older than a lease when its source moved on",
    "overwritten": "an effect replaces the value that the correction expected, never a person's",
    "disagrees": "the state of a correction says what the ledger says",
    "broken": "no process ends by an error or hangs, and the audit chain is whole",
}
APPLIED = frozenset({State.ACCEPTED, State.VERIFIED, State.UNPROVEN, State.MOOT, State.REVERTED})
UNFINISHED = frozenset({State.READY, State.SENDING, State.UNKNOWN, State.AWAITING_APPROVAL})
# Engine time from the first look at the source to the end of the lease, and on the way after it.
LONGEST_OLD_READ = 180.0 + 60.0


@dataclass
class Verdict:
    """``broken``: (property, what) of each violation; ``overtaken``: effects, of a correction or of
    its undo, of which the engine does not know, because a person changed the record after the
    effect and before it was read back."""

    broken: list[tuple[str, str]] = field(default_factory=list)
    effects: int = 0
    overtaken: int = 0
    states: Counter[str] = field(default_factory=Counter)


def judge(
    corrections: Sequence[Correction],
    proposals: Mapping[str, Proposal],
    ledger: Sequence[Effect],
    people: People,
    engine_time: Callable[[float], float],
    moved: Set[str] = frozenset(),
) -> Verdict:
    """``proposals`` by object id; ``engine_time``: of a real moment, in seconds; ``moved``: object
    ids of stock that others moved after its correction was proposed."""
    verdict = Verdict()
    by_key: dict[str, list[Effect]] = defaultdict(list)
    for effect in ledger:
        if effect["idempotency_key"] is not None:
            by_key[effect["idempotency_key"]].append(effect)
    per_object: Counter[str] = Counter()
    known: set[str] = set()

    def broken(name: str, correction: Correction, what: str) -> None:
        told = f"{correction.kind} {correction.object_id} ({correction.state}): {what}"
        verdict.broken.append((name, told))

    for correction in corrections:
        verdict.states[correction.state] += 1
        proposal = proposals[correction.object_id]
        undo_key = f"{correction.idempotency_key}-undo"
        known |= {correction.idempotency_key, undo_key}
        effects, undone = by_key[correction.idempotency_key], by_key[undo_key]
        per_object[correction.object_id] += len(effects)
        verdict.effects += len(effects) + len(undone)
        if len(effects) > 1 or len(undone) > 1:
            broken("doubled", correction, f"{len(effects)} effects, {len(undone)} of its undo")
        _compare_states(correction, effects, undone, people, verdict, broken)
        for effect in effects:
            if not _replaces_the_expected(proposal, effect, "before", "old_"):
                broken("overwritten", correction, f"it replaced {effect['before']}")
            if not _replaces_the_expected(proposal, effect, "after", ""):
                broken("false", correction, f"it left {effect['after']}")
            moved_on = people.done.get((AUTHORITY, correction.object_id))
            applied = datetime.fromisoformat(effect["applied_at"]).timestamp()
            if moved_on and engine_time(applied) > engine_time(moved_on) + LONGEST_OLD_READ:
                late = engine_time(applied) - engine_time(moved_on)
                broken("false", correction, f"applied {late:.0f} s after its source moved on")
            by_hand = DONE_BY_HAND in people.touched(correction.object_id)
            if by_hand and _stood_beside_a_persons(effect, undone, ledger):
                broken("doubled", correction, "a person had done it already, or did it again")
        if people.touched(correction.object_id) or (
            correction.object_id in moved and _gave_way(correction, effects)
        ):
            continue
        if not _settled_well(correction, effects):
            broken("lost", correction, f"{len(effects)} effects: {correction.state_reason}")
    for object_id, count in per_object.items():
        if count > 1:
            verdict.broken.append(("doubled", f"{object_id}: {count} effects in all generations"))
    for key in by_key.keys() - known:
        verdict.broken.append(("false", f"an effect under a key that no correction has: {key}"))
    return verdict


def _compare_states(
    correction: Correction,
    effects: Sequence[Effect],
    undone: Sequence[Effect],
    people: People,
    verdict: Verdict,
    broken: Callable[[str, Correction, str], None],
) -> None:
    state = correction.state
    if state in UNFINISHED:
        broken("lost", correction, f"it never came to rest: {correction.state_reason}")
        return
    if bool(undone) != (state is State.REVERTED):
        # Taken back, the answer lost, and a person's value there when it was looked at again.
        if undone and OTHER_VALUE in people.touched(correction.object_id):
            verdict.overtaken += 1
        else:
            broken("disagrees", correction, f"{len(undone)} effects of its undo")
    if state in APPLIED and not effects:
        broken("disagrees", correction, "the ledger knows no effect of it")
    if state not in APPLIED and effects:
        if OTHER_VALUE in people.touched(correction.object_id):
            verdict.overtaken += 1
        else:
            broken("disagrees", correction, "the ledger knows an effect of it")


def _stood_beside_a_persons(
    effect: Effect, undone: Sequence[Effect], ledger: Sequence[Effect]
) -> bool:
    """Whether a document of ours stood at the same time as the one of the same fact that a person
    made. Once ours is taken back, a person may make it anew: chaos seed 3 once did."""
    taken_back = undone[0]["seq"] if undone else math.inf
    return any(
        row["seq"] < taken_back
        for row in ledger
        if row["idempotency_key"] is None
        and row["kind"] == effect["kind"]
        and row["after"]["ship_ref"] == effect["after"]["ship_ref"]
    )


def _settled_well(correction: Correction, effects: Sequence[Effect]) -> bool:
    """Of one whose object no person touched: done and proved, or taken back, or tried again by a
    person after its attempts were spent."""
    if correction.state in (State.VERIFIED, State.REVERTED):
        return len(effects) == 1
    return correction.state is State.DEAD and not effects


def _gave_way(correction: Correction, effects: Sequence[Effect]) -> bool:
    """Of one whose record others changed: left alone, for the next pass to propose anew."""
    return correction.state is State.SUPERSEDED and not effects


def _replaces_the_expected(proposal: Proposal, effect: Effect, side: str, prefix: str) -> bool:
    """Whether the record held, ``before`` or ``after`` the effect, what the payload says."""
    payload, record = proposal["payload"], effect[side]
    created = effect["before"] is None
    if side == "before" and created:
        return proposal["kind"].startswith(("create_", "post_", "adjust_stock"))
    match proposal["kind"]:
        case "update_price":
            line = _line(record, "lineNo", payload["line_record"])
            return _same(line["unitPrice"], payload[f"{prefix}unit_price"])
        case "update_quantity":
            line = _line(record, "pos", payload["line_record"])
            return _same(line["ord_qty"], payload[f"{prefix}quantity"])
        case "set_pack":
            return _same(record["CasePack"], payload[f"{prefix}pack_quantity"])
        case "adjust_fulfilment":
            return all(
                _same(_line(record, "pos", li["line_record"])["qty"], li[f"{prefix}quantity"])
                for li in payload["lines"]
            )
        case "set_delivered":
            held = _line(record, "lineNo", payload["line_record"])["deliveredAt"]
            return (held is None) == (side == "before")
        case "cancel_line":
            held = _line(record, "pos", payload["line_record"])["stat"]
            return (held == 90) == (side == "after")
        case "cancel_order":
            return (record["stat"] == 90) == (side == "after")
        case "reverse_fulfilment" | "void_invoice":
            return (record["stat"] == "P") == (side == "before")
        case "post_movement" | "adjust_stock":
            wanted = payload.get("quantity", payload.get("quantity_delta"))
            return record["item_no"] == payload["target_item"] and _same(record["qty"], wanted)
        case "create_order":
            return record["ext_ref"] == payload["order_number"]
        case "create_warehouse_order":
            return record["HostOrder"] == payload["host_order"]
        case "create_fulfilment" | "create_invoice":
            return record["ship_ref"] == payload["document"]
        case "create_credit":
            return record["rma_no"] == payload["document"]
    raise AssertionError(proposal["kind"])


def _line(record: Mapping[str, Any], name: str, value: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(li for li in record["lines"] if str(li[name]) == str(value))
    return found


def _same(held: Any, wanted: Any) -> bool:
    return Decimal(str(held)) == Decimal(str(wanted))
