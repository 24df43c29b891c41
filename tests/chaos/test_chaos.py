"""Real processes that die, stop and meet a failing network, judged by the systems' ledger.

``pytest -m chaos -n 0``: some two minutes of two cores.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "connectors"))

import run_chaos
from chaos_people import AUTHORITY, OTHER_VALUE
from chaos_story import PATIENCE, POINTS, Nursery, Round, Sandbox, Story
from toxic_proxy import HTTP_FAULTS, TOXICS

from sandbox.server import running_sandbox
from sandbox.settings import Settings
from writeback.states import State

pytestmark = pytest.mark.chaos


@pytest.mark.timeout(900)
def test_two_hundred_kills_lose_double_and_overwrite_nothing() -> None:
    result = run_chaos.run()
    print(json.dumps(result, indent=2))
    assert result["broken_seeds"] == {}, "run one again: run_chaos.py --stories 1 --first-seed SEED"
    assert result["silent"] == []
    assert sum(result["kills"].values()) >= 200
    assert len(POINTS) >= 25 and len(TOXICS) == 8 and len(HTTP_FAULTS) >= 5
    assert result["effects"] > 300


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    settings = Settings(orders=300, faults_per_kind=0, decoys_per_kind=0, hang_seconds=1)
    with ExitStack() as stack:
        handle = stack.enter_context(running_sandbox(tmp_path / "sandbox", 0, settings))
        nursery = Nursery()
        stack.callback(nursery.close)
        story = Story(1, tmp_path, Sandbox(handle), nursery)
        for proxy in story.proxies.values():
            stack.enter_context(proxy)
        yield story


@pytest.mark.parametrize(
    "point", ["writeback.after_look", "writeback.before_send", "connectors.before_request"]
)
def test_a_dispatcher_that_slept_through_its_lease_sends_nothing_on_what_it_had_read(
    story: Story, point: str
) -> None:
    """Its source moved on, and nobody else took the correction over: only time has passed."""
    story.find_drift("update_price")
    (proposal,) = story.fresh
    sleeper = story.nursery.start(story._life(Round("stop", point)))
    assert story.nursery.wait([sleeper], PATIENCE).get("stopped")
    assert story.people.edit(AUTHORITY, proposal)
    story.jump(200.0)
    os.kill(sleeper, signal.SIGCONT)
    assert story.nursery.wait([sleeper], PATIENCE)["ended"] == 0
    assert ours(story) == []
    story.come_to_rest()
    assert (ours(story), states(story)) == ([], [State.SUPERSEDED])


def test_a_person_who_writes_between_read_and_write_keeps_what_he_wrote(story: Story) -> None:
    for kind in ("update_price", "update_quantity", "set_pack", "adjust_fulfilment"):
        story.fresh.clear()
        story.find_drift(kind)
        (proposal,) = story.fresh
        story._edit_in_push(proposal, OTHER_VALUE)
        assert story._run(story._life()) == [0]
        assert story.people.counts["in_push"] == 1, kind
        story.people.counts.clear()
    assert (ours(story), states(story)) == ([], [State.REFUSED] * 4)


def ours(story: Story) -> list[dict[str, Any]]:
    return [effect for effect in story.sandbox.ledger() if effect["idempotency_key"] is not None]


def states(story: Story) -> list[State]:
    return [correction.state for correction in story.store.list()]
