"""What is true about an injected fault or decoy: the row by which detection is scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import DAY, HOUR, MINUTE, iso_utc

READ_WITHIN = 10 * MINUTE
"""What a feed tells is late from when it was read on; somebody will read it so soon."""

GRACE_SECONDS = {
    "O02": 30 * MINUTE,
    "O03": 0.0,
    "O04": HOUR,
    "O05": 30 * MINUTE,
    "O05S": 0.0,
    "O06": 30 * MINUTE,
    "S01": 30 * MINUTE,
    "S02": 30 * MINUTE,
    "S03": 2 * HOUR,
    "S04": DAY,
    "S05": HOUR,
    "S05D": HOUR,
    "S06": 0.0,
    "S09": HOUR,
    "F01": DAY,
    "F02": 0.0,
    "F03": 0.0,
    "F03P": 0.0,
    "F04P": DAY,
    "F06": 0.0,
    "F05A": 3 * DAY,
    "F05B": 3 * DAY,
    "F05R": 2 * HOUR,
    "I01": HOUR,
    "I10": HOUR,
    "I02": HOUR,
    "I03C": 2 * HOUR,
    "I03S": 2 * HOUR,
    "I04": 30 * MINUTE,
    "I06": 2 * HOUR,
    "I06B": HOUR,
    "I07": HOUR,
    "I07E": HOUR,
    "I08T": 5 * DAY,
    "I11": 2 * HOUR,
    "I11R": 2 * HOUR,
    "I12": 0.0,
    "P01": DAY,
    "P02": HOUR,
    "P02P": HOUR,
    "P03": 4 * HOUR,
    "P03R": 5 * DAY,
    "P04": 0.0,
    "P05": DAY,
    "P05P": HOUR,
    "P09": DAY,
    "M01": 0.0,
    "M02": HOUR,
    # Due when two readings after it was accepted do not show it, and so by no time of day. Waited
    # for, what is mended within hours would be over before anybody looks.
    "C01": 0.0,
    "C02": 0.0,
    "D01": 30 * MINUTE + READ_WITHIN,
    "D02": HOUR + READ_WITHIN,
    "D02R": 0.0,
    "D02S": 0.0,
    "D03": 0.0,
    "D03Q": HOUR + READ_WITHIN,
    "D04": 0.0,
    "D04B": 0.0,
    "D04F": HOUR + READ_WITHIN,
    "O08C": HOUR,
    "F02Q": HOUR,
    "F01D": DAY,
    "F02D": HOUR,
    "O03N": 0.0,
    "O06Q": HOUR,
    "O07": 0.0,
    "O09R": 4 * DAY,
    "O09W": 4 * DAY,
    "O11": 5 * MINUTE,
    "O12": HOUR,
    "S01D": 4 * HOUR,
    "S01I": HOUR,
    "S04L": 2 * DAY,
    "S06T": 0.0,
    "S07": 0.0,
    "S07I": HOUR,
}
"""How long each rule waits, counted from the moment at which the first side was recorded."""


COUNTED_FROM_READING = {
    *("C01", "C02", "M01"),
    *("D01", "D02", "D02R", "D02S", "D03", "D03Q", "D04", "D04B", "D04F"),
    *("I01", "I02", "I06B", "I07", "I07E", "I10"),
    # By the last change of a document, which is the injection of what is injected late.
    "S09",
}
"""Rules about what has no date of its own: it is known from when somebody read it, whatever the
history says, and so it falls due so long after that."""


@dataclass
class Truth:
    """One fault or decoy.

    ``expected`` lists every (rule, object) that must open because of it, the primary one first;
    ``since`` is when the disagreement began on the systems' own word. ``correction`` is the
    expected one, with its payload; ``after`` the state that it leads to, as {system: {entity:
    {field: value}}}, or a list of such fields for several documents. ``attempt``: a correction
    that is sent and may leave nothing behind, or only what ``after`` says; ``states``: how ours may
    end, if not by proof.
    ``passes``: it ends by itself within hours, and what it opened must close then. ``stays``: what
    of ``expected`` its correction does not close. ``behaviours``: how targets must have treated our
    writes, by name, mode and system (disturbances.py).
    """

    kind: str
    systems: list[str]
    keys: dict[str, Any]
    since: float
    expected: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    correction: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    attempt: dict[str, Any] | None = None
    states: tuple[str, ...] = ()
    passes: bool = False
    stays: list[tuple[str, str]] = field(default_factory=list)
    behaviours: list[dict[str, str]] = field(default_factory=list)
    decoy: bool = False
    undetectable: str | None = None

    def row(self, fault_id: str, injected_at: float, cause: str | None = None) -> dict[str, Any]:
        """The row as served. ``expected_by``: when the last of its rules falls due; ``cause``: the
        other fault whose root cause is its own, too."""
        due = [self.since + GRACE_SECONDS[rule] for rule, _ in self.expected]
        return {
            "fault_id": fault_id,
            "fault_type": self.kind,
            "root_cause_id": "cause-" + (cause or fault_id),
            "injected_at": iso_utc(injected_at),
            "decoy": self.decoy,
            "detectable": self.undetectable is None and not self.decoy,
            "reason_undetectable": self.undetectable,
            "systems": self.systems,
            "entity_keys": self.keys,
            "truth": self.values,
            "expected": [{"rule": rule, "object": name} for rule, name in self.expected],
            "expected_by": iso_utc(max(due, default=injected_at)),
            "due_after_reading": max(
                (GRACE_SECONDS[rule] for rule, _ in self.expected if rule in COUNTED_FROM_READING),
                default=None,
            ),
            "expected_correction": self.correction,
            "expected_after_state": self.after,
            "expected_attempt": self.attempt,
            "expected_states": list(self.states),
            "expected_to_close": self.passes,
            "expected_open": [{"rule": rule, "object": name} for rule, name in self.stays],
            "expected_behaviours": self.behaviours,
        }
