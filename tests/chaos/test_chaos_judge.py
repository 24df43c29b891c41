"""The judge of the stories finds what it looks for: each harm, told by a made-up ledger."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "connectors"))

import run_chaos
from chaos_judge import PROPERTIES, Verdict, judge
from chaos_people import AUTHORITY, DONE_BY_HAND, OTHER_VALUE, People
from chaos_story import POINTS, StoryResult
from toxic_proxy import HTTP_FAULTS, TOXICS

from registry.systems import Policy
from reporting.real_processes import section_of, write_section
from writeback.clock import SystemClock
from writeback.model import Correction
from writeback.propose import enqueue
from writeback.states import State
from writeback.store import OperationsStore

PROPOSAL = {
    "rule_id": "chaos",
    "object_id": "line",
    "target_system": "erp",
    "kind": "update_quantity",
    "payload": {"order_record": "E1", "line_record": "10", "quantity": "4", "old_quantity": "5"},
}
APPLIED_AT = "2026-11-21T09:00:00.000Z"
MOMENT = datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()


@pytest.fixture
def correction() -> Correction:
    store = OperationsStore("sqlite://")
    enqueue(store, [PROPOSAL], Policy(), SystemClock())
    return replace(store.list()[0], state=State.VERIFIED)


def effect(key: str | None, before: str = "5.000", after: str = "4.000") -> dict[str, Any]:
    def order(quantity: str) -> dict[str, Any]:
        return {"lines": [{"pos": 10, "ord_qty": quantity}]}

    return {
        "idempotency_key": key,
        "applied_at": APPLIED_AT,
        "before": order(before),
        "after": order(after),
    }


def verdict_of(
    correction: Correction, *effects: dict[str, Any], people: People | None = None
) -> Verdict:
    proposals = {"line": PROPOSAL}
    return judge([correction], proposals, effects, people or People({}), lambda real: real)


def names(verdict: Verdict) -> set[str]:
    return {name for name, _ in verdict.broken}


def test_a_proved_one_with_its_one_effect_is_well(correction: Correction) -> None:
    verdict = verdict_of(correction, effect(correction.idempotency_key), effect(None, "4", "9"))
    assert (verdict.broken, verdict.effects) == ([], 1)


@pytest.mark.parametrize(
    ("state", "effects", "broken"),
    [
        (State.VERIFIED, lambda key: [], {"lost", "disagrees"}),
        (State.VERIFIED, lambda key: [effect(key), effect(key)], {"lost", "doubled"}),
        (State.VERIFIED, lambda key: [effect(key, before="9")], {"overwritten"}),
        (State.VERIFIED, lambda key: [effect(key, after="9")], {"false"}),
        (State.VERIFIED, lambda key: [effect(key), effect("nobody's")], {"false"}),
        (State.VERIFIED, lambda key: [effect(key), effect(f"{key}-undo")], {"disagrees"}),
        (State.REVERTED, lambda key: [effect(key)], {"disagrees"}),
        (State.UNKNOWN, lambda key: [effect(key)], {"lost"}),
        (State.READY, lambda key: [], {"lost"}),
        (State.SUPERSEDED, lambda key: [], {"lost"}),
        (State.REFUSED, lambda key: [], {"lost"}),
        (State.DEAD, lambda key: [effect(key)], {"lost", "disagrees"}),
    ],
)
def test_each_harm_is_found(
    correction: Correction,
    state: State,
    effects: Callable[[str], list[dict[str, Any]]],
    broken: set[str],
) -> None:
    told = effects(correction.idempotency_key)
    assert names(verdict_of(replace(correction, state=state), *told)) == broken


def test_an_effect_long_after_its_source_moved_on_is_false(correction: Correction) -> None:
    people = People({})
    people.done[AUTHORITY, "line"] = MOMENT - 1000
    told = effect(correction.idempotency_key)
    assert names(verdict_of(correction, told, people=people)) == {"false"}
    people.done[AUTHORITY, "line"] = MOMENT - 100
    assert names(verdict_of(correction, told, people=people)) == set()


INVOICE = {
    **PROPOSAL,
    "kind": "create_invoice",
    "payload": {
        "order_record": "E1",
        "document": "SHP-1",
        "lines": [{"line_record": "10", "quantity": "4"}],
    },
}


@pytest.mark.parametrize(
    ("order", "broken"),
    [
        (("person", "ours"), {"doubled"}),
        (("ours", "person"), {"doubled"}),
        (("ours", "person", "undo"), {"doubled"}),
        (("person", "ours", "undo"), {"doubled"}),
        (("ours", "undo", "person"), set()),
    ],
)
def test_a_document_beside_the_one_that_a_person_made_is_doubled(
    order: tuple[str, ...], broken: set[str]
) -> None:
    store = OperationsStore("sqlite://")
    enqueue(store, [INVOICE], Policy(), SystemClock())
    state = State.REVERTED if "undo" in order else State.VERIFIED
    invoiced = replace(store.list()[0], state=state)
    key = invoiced.idempotency_key
    keys = {"person": None, "ours": key, "undo": f"{key}-undo"}
    document = {"ship_ref": "SHP-1"}
    ledger = [
        {
            "seq": seq,
            "kind": f"POST /api/invoices{'/{inv_no}/void' if who == 'undo' else ''}",
            "idempotency_key": keys[who],
            "applied_at": APPLIED_AT,
            "before": document if who == "undo" else None,
            "after": document,
        }
        for seq, who in enumerate(order)
    ]
    people = People({})
    people.done[DONE_BY_HAND, "line"] = MOMENT
    verdict = judge([invoiced], {"line": INVOICE}, ledger, people, lambda real: real)
    assert names(verdict) == broken


def test_who_was_overtaken_by_a_person_after_its_effect_is_counted(correction: Correction) -> None:
    people = People({})
    people.done[OTHER_VALUE, "line"] = MOMENT
    superseded = replace(correction, state=State.SUPERSEDED)
    verdict = verdict_of(superseded, effect(correction.idempotency_key), people=people)
    assert (verdict.broken, verdict.overtaken) == ([], 1)
    undone = effect(f"{correction.idempotency_key}-undo", before="4.000", after="5.000")
    told = (effect(correction.idempotency_key), undone)
    verdict = verdict_of(correction, *told, people=people)
    assert (verdict.broken, verdict.overtaken) == ([], 1)


def test_who_left_stock_alone_that_others_moved_is_not_lost(correction: Correction) -> None:
    superseded = replace(correction, state=State.SUPERSEDED)
    refused = replace(correction, state=State.REFUSED)

    def broken(told: Correction, *effects: dict[str, Any], moved: str) -> set[str]:
        people, proposals = People({}), {"line": PROPOSAL}
        return names(
            judge([told], proposals, effects, people, lambda real: real, frozenset({moved}))
        )

    assert broken(superseded, moved="line") == set()
    assert broken(superseded, moved="another") == {"lost"}
    assert broken(refused, moved="line") == {"lost"}
    told = effect(correction.idempotency_key)
    assert broken(superseded, told, moved="line") == {"lost", "disagrees"}


def a_result() -> StoryResult:
    result = StoryResult(seed=7, broken=[("lost", "one"), ("lost", "two")])
    result.kills = Counter(dict.fromkeys((*POINTS, "at a random moment"), 1))
    result.toxics = Counter(dict.fromkeys((*TOXICS, *HTTP_FAULTS), 1))
    result.figures = Counter(dict.fromkeys((*run_chaos.COUNTED, "effects"), 2))
    return result


def test_what_never_fired_and_what_was_broken_is_told_with_its_seed() -> None:
    result = a_result()
    del result.kills[POINTS[3]], result.toxics["slicer"]
    figures = run_chaos.figures([result], 7, 1.0, 1.0)
    assert figures["silent"] == [POINTS[3], "slicer", "people in push"]
    assert figures["broken_seeds"] == {"7": ["lost: one", "lost: two"]}
    assert figures["lost"] == 1


def test_the_section_is_replaced_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text("# Reliability\n\nOther figures.\n", encoding="utf-8")
    for _ in range(2):
        write_section(
            run_chaos.figures([a_result()], 7, 1.0, 1.0), PROPERTIES, page, "run_chaos.py"
        )
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Reliability\n\nOther figures.\n\n## Real processes\n")
    assert text.count("## Real processes") == 1
    assert all(f"`{name}`" in section_of(text) for name in (*POINTS, *TOXICS, *PROPERTIES))
