"""A program of its own: propose and deliver against the pretend system of a folder, then exit.

``python dispatcher_process.py FOLDER STEP...`` with steps ``enqueue:N``, ``deliver``, ``verify``
and ``advance:SECONDS``. The clock file of the folder holds the time at which the program starts.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime
from pathlib import Path

from fake_target import FakeSource, FakeTarget, ManualClock, World, system
from samples import proof, quantity_change

from registry.systems import Policy
from writeback.dispatch import deliver_due
from writeback.propose import enqueue
from writeback.store import OperationsStore
from writeback.verify import apply_proofs


def main(folder: Path, steps: list[str]) -> None:
    clock = ManualClock(datetime.fromisoformat((folder / "clock").read_text(encoding="utf-8")))
    world = World(folder / "world.sqlite", honours_keys=(folder / "honours_keys").exists())
    store = OperationsStore(f"sqlite:///{folder / 'operations.sqlite'}", clock)
    for step in steps:
        if step.startswith("enqueue:"):
            count = int(step.partition(":")[2])
            proposals = [quantity_change(n) for n in range(1, count + 1)]
            enqueue(store, proposals, Policy(), clock)
        elif step == "deliver":
            target, source = FakeTarget(world, system()), FakeSource(world)
            rng = random.SystemRandom()
            deliver_due(store, {"erp": target}, {"erp": source}, Policy(), clock, rng, 1000)
        elif step.startswith("advance:"):
            clock.advance(float(step.partition(":")[2]))
        elif step == "verify":
            keys = [c.correction_key for c in store.list(state="accepted", limit=1000)]
            apply_proofs(store, [proof(key) for key in keys], clock)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
