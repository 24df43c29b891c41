"""The life of a correction: its states, its events and the one table of legal transitions."""

from __future__ import annotations

from enum import StrEnum

from registry.errors import ConfigurationError, TallymanError


class State(StrEnum):
    """Where a correction stands; ``docs/corrections.md`` says what each means to a person."""

    PROPOSED = "proposed"  # computed, not yet judged; never stored longer than a transaction
    AWAITING_APPROVAL = "awaiting_approval"
    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    UNPROVEN = "unproven"
    MOOT = "moot"
    REFUSED = "refused"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    REVERTED = "reverted"


class Event(StrEnum):
    """What may happen to a correction."""

    HOLD = "hold"  # a person must decide before it is sent
    RELEASE = "release"  # nothing (more) holds it back
    REJECT = "reject"  # a person said no
    WITHDRAW = "withdraw"  # the drift is gone from the data, and nothing is under way
    LEASE = "lease"  # a dispatcher took it: from here on it may have been sent
    FIND_STALE = "find_stale"  # the read before sending showed that it no longer applies
    ACCEPT = "accept"  # the target has it, by its answer or by a read
    REFUSE = "refuse"  # the target understood and said no
    LOSE = "lose"  # sent, or perhaps sent, without an answer
    POSTPONE = "postpone"  # certainly not applied: later
    FIND_ABSENT = "find_absent"  # a read showed that the unknown one was not applied
    EXHAUST = "exhaust"  # technical attempts are spent, and it is certainly not applied
    PROVE = "prove"  # a later extraction shows the effect and no open exception
    DISPROVE = "disprove"  # two complete later extractions still show the drift
    FIND_MOOT = "find_moot"  # the drift was never real, or had healed before
    UNDO = "undo"  # a person took it back


# One row an event: the states it may happen in, and the one state it leads to. An event never has
# two outcomes, so that a transition is a single guarded UPDATE.
TRANSITIONS: dict[Event, tuple[frozenset[State], State]] = {
    Event.HOLD: (
        frozenset({State.PROPOSED, State.AWAITING_APPROVAL, State.READY, State.SENDING}),
        State.AWAITING_APPROVAL,
    ),
    Event.RELEASE: (frozenset({State.PROPOSED, State.AWAITING_APPROVAL}), State.READY),
    Event.REJECT: (frozenset({State.AWAITING_APPROVAL, State.READY}), State.REJECTED),
    Event.WITHDRAW: (
        frozenset(
            {
                State.PROPOSED,
                State.AWAITING_APPROVAL,
                State.READY,
                State.REFUSED,
                State.DEAD,
            }
        ),
        State.SUPERSEDED,
    ),
    Event.LEASE: (frozenset({State.READY}), State.SENDING),
    Event.FIND_STALE: (frozenset({State.SENDING, State.UNKNOWN}), State.SUPERSEDED),
    Event.ACCEPT: (frozenset({State.SENDING, State.UNKNOWN}), State.ACCEPTED),
    Event.REFUSE: (frozenset({State.SENDING}), State.REFUSED),
    Event.LOSE: (frozenset({State.SENDING, State.UNKNOWN}), State.UNKNOWN),
    Event.POSTPONE: (frozenset({State.SENDING}), State.READY),
    Event.FIND_ABSENT: (frozenset({State.UNKNOWN}), State.READY),
    Event.EXHAUST: (frozenset({State.SENDING, State.UNKNOWN}), State.DEAD),
    Event.PROVE: (frozenset({State.ACCEPTED, State.UNPROVEN}), State.VERIFIED),
    Event.DISPROVE: (frozenset({State.ACCEPTED}), State.UNPROVEN),
    Event.FIND_MOOT: (frozenset({State.ACCEPTED, State.UNPROVEN}), State.MOOT),
    Event.UNDO: (
        frozenset({State.ACCEPTED, State.VERIFIED, State.UNPROVEN, State.MOOT}),
        State.REVERTED,
    ),
}

# Not sent and nothing under way: a changed or vanished proposal may still change them.
UNSENT = frozenset({State.AWAITING_APPROVAL, State.READY})
# At most one correction of an object may be in one of these: the store has a unique index on it.
IN_FLIGHT = frozenset({State.SENDING, State.UNKNOWN, State.ACCEPTED})
# A person has to do something before these move on.
NEEDS_A_PERSON = frozenset(
    {State.AWAITING_APPROVAL, State.REFUSED, State.UNPROVEN, State.MOOT, State.DEAD}
)
# Nothing happens to these any more.
FINAL = frozenset({State.SUPERSEDED, State.REJECTED, State.REVERTED})


def state_named(name: str) -> State:
    """The state of this name; raises ConfigurationError, which says the states."""
    try:
        return State(name)
    except ValueError:
        known = ", ".join(State)
        raise ConfigurationError(f"no state '{name}'; there are: {known}") from None


class IllegalTransitionError(TallymanError):
    """An event that the table does not allow in the present state."""

    def __init__(self, state: str, event: Event, subject: str = "a correction") -> None:
        allowed = ", ".join(sorted(sources(event)))
        super().__init__(
            f"{subject} is '{state}': '{event}' is possible only from {allowed}. "
            "Look at it again before you decide"
        )
        self.state = state
        self.event = event


def sources(event: Event) -> frozenset[State]:
    """The states in which an event may happen."""
    return TRANSITIONS[event][0]


def destination(event: Event) -> State:
    """The state that an event leads to."""
    return TRANSITIONS[event][1]


def next_state(state: State, event: Event) -> State:
    """The state after an event; raises IllegalTransitionError when the table does not allow it."""
    if state not in sources(event):
        raise IllegalTransitionError(state, event)
    return destination(event)
