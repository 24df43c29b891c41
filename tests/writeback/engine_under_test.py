"""An engine with its store, clock and pretend system, as the tests drive it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from fake_target import FakeSource, FakeTarget, ManualClock, World

from registry.systems import Policy
from writeback.dispatch import DeliveryReport, deliver_due
from writeback.model import Correction
from writeback.propose import EnqueueResult, enqueue
from writeback.store import OperationsStore


@dataclass
class Engine:
    """Store, clock and pretend system of one test."""

    store: OperationsStore
    clock: ManualClock
    world: World
    target: FakeTarget
    source: FakeSource
    policy: Policy = field(default_factory=Policy)
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def propose(self, *proposals: dict[str, Any], **options: Any) -> EnqueueResult:
        return enqueue(self.store, proposals, self.policy, self.clock, **options)

    def deliver(self, limit: int = 100) -> DeliveryReport:
        return deliver_due(
            self.store,
            {"erp": self.target},
            {"erp": self.source},
            self.policy,
            self.clock,
            self.rng,
            limit,
        )

    def only(self) -> Correction:
        """The one correction of the test."""
        (correction,) = self.store.list()
        return correction

    def states(self) -> list[str]:
        """States in the order in which the corrections were proposed."""
        return [str(correction.state) for correction in reversed(self.store.list(limit=1000))]
