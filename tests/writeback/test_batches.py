"""Several corrections in one request: each has its own outcome, and one spoils it for nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx
import pytest
from engine_under_test import Engine
from fake_target import FakeTarget, World
from samples import invoice, quantity_change

from connectors.base import BatchTarget, CorrectionRequest, Outcome, Result
from connectors.corrections import judge_items

KEYS = ["a", "b", "c"]


class BatchingTarget(FakeTarget):
    """Takes three quantities at once. ``silent``: positions of items that it leaves out of its
    answer, although it did them."""

    def __init__(self, world: World, silent: Sequence[int] = ()) -> None:
        super().__init__(world)
        self.silent = silent
        self.sizes: list[int] = []
        self.whole: Outcome | None = None

    batches: Mapping[str, int] = {"update_quantity": 3}

    def apply(self, request: CorrectionRequest) -> Outcome:
        self.sizes.append(1)
        return super().apply(request)

    def apply_batch(self, requests: Sequence[CorrectionRequest]) -> Mapping[str, Outcome]:
        self.sizes.append(len(requests))
        if self.whole is not None:
            return dict.fromkeys((r.idempotency_key for r in requests), self.whole)
        told = {r.idempotency_key: self.world.apply(r) for r in requests}
        for position in self.silent:
            del told[requests[position].idempotency_key]
        return told


@pytest.fixture
def target(engine: Engine) -> BatchingTarget:
    engine.target = BatchingTarget(engine.world)
    assert isinstance(engine.target, BatchTarget)
    return engine.target


def test_each_item_of_a_partly_applied_batch_has_its_own_outcome(
    engine: Engine, target: BatchingTarget
) -> None:
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    engine.world.inject("status_422", "status_503")
    report = engine.deliver()
    assert target.sizes == [3]
    assert (report.sent, report.refused, report.postponed, report.accepted) == (3, 1, 1, 1)
    assert engine.states() == ["refused", "ready", "accepted"]
    # The rest is tried again under the same key, and alone.
    engine.clock.advance(60)
    assert engine.deliver().accepted == 1
    assert target.sizes == [3, 1]
    requests = engine.world.requests()
    assert requests[1] == requests[3] and len(engine.world.effects()) == 2


def test_an_item_that_the_answer_does_not_mention_is_unknown_and_read(
    engine: Engine, target: BatchingTarget
) -> None:
    target.silent = [1]
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    engine.deliver()
    assert engine.states() == ["accepted", "unknown", "accepted"]
    assert "says nothing of this item" in engine.store.list(state="unknown")[0].state_reason
    engine.clock.advance(60)
    engine.deliver()
    assert engine.states() == ["accepted"] * 3
    assert len(engine.world.requests()) == 3


def test_only_one_kind_and_no_more_than_the_target_takes_go_together(
    engine: Engine, target: BatchingTarget
) -> None:
    engine.propose(*[quantity_change(n) for n in (1, 2, 3, 4, 5)], invoice(6))
    assert engine.deliver().accepted == 6
    assert sorted(target.sizes) == [1, 2, 3]


def test_a_request_that_fails_whole_counts_once_for_the_breaker(
    engine: Engine, target: BatchingTarget
) -> None:
    target.whole = Outcome(Result.RETRY, "unavailable")
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    assert engine.deliver().postponed == 3
    assert engine.store.breaker("erp") == (1, None)


def test_what_may_not_go_stays_behind_and_the_others_go(
    engine: Engine, target: BatchingTarget
) -> None:
    """Somebody changed the second line since it was loaded."""
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    engine.world.set_line("E500002/10", 9)
    report = engine.deliver()
    assert (target.sizes, report.accepted, report.superseded) == ([2], 2, 1)


def test_a_connector_that_breaks_leaves_all_of_them_unknown(
    engine: Engine, target: BatchingTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_requests: Sequence[CorrectionRequest]) -> Mapping[str, Outcome]:
        raise KeyError("items")

    monkeypatch.setattr(target, "apply_batch", broken)
    engine.propose(*[quantity_change(n) for n in (1, 2)])
    assert engine.deliver().unknown == 2


# ---- answers ------------------------------------------------------------------------------------


def judged(status: int, body: object, **more: object) -> Mapping[str, Outcome]:
    answer = httpx.Response(status, json=body, **more)  # type: ignore[arg-type]
    return judge_items(answer, KEYS, lambda item: str(item["id"]))


def test_items_are_known_by_their_key_in_any_order() -> None:
    told = judged(
        207,
        {
            "items": [
                {"key": "c", "status": 429, "retry_after": 30},
                {"key": "zzz", "status": 201},
                {"key": "a", "status": 201, "id": 7},
                {"key": "b", "status": 422, "title": "no", "detail": "no such item"},
                {"key": "a", "status": 201, "id": 7},
                "nonsense",
            ]
        },
    )
    assert set(told) == set(KEYS)
    assert (told["a"].result, told["a"].target_record_id) == (Result.OK, "7")
    assert (told["b"].result, told["b"].message) == (Result.REFUSED, "no: no such item")
    assert (told["c"].result, told["c"].retry_after_seconds) == (Result.RETRY, 30)


@pytest.mark.parametrize(
    "items",
    [
        [{"key": "b", "status": 201}],
        [{"key": "a", "status": 201}, {"key": "a", "status": 422}, {"key": "b", "status": 201}],
        [{"key": "a", "status": "created"}, {"key": "b", "status": 201}],
        [{"key": "a", "status": 0}, {"key": "b", "status": 201}],
    ],
    ids=["missing", "contradicting", "not a status", "no status"],
)
def test_what_is_not_clearly_told_is_not_told(items: list[object]) -> None:
    assert set(judged(207, {"items": items})) == {"b"}


@pytest.mark.parametrize("body", [{}, {"items": None}, [], "ok"])
def test_a_yes_without_items_tells_nothing(body: object) -> None:
    assert judged(200, body) == {}


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        (503, Result.RETRY, "unavailable"),
        (502, Result.UNKNOWN, "http_502"),
        (400, Result.RETRY, "batch_refused"),
        (401, Result.RETRY, "batch_refused"),
    ],
)
def test_an_answer_about_the_whole_request_holds_for_all(
    status: int, result: Result, code: str
) -> None:
    told = judged(status, {"title": "no"})
    assert {(outcome.result, outcome.code) for outcome in told.values()} == {(result, code)}
    assert set(told) == set(KEYS)
