"""The transition table: complete, unambiguous, and every state can be reached and left as meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writeback.states import (
    FINAL,
    IN_FLIGHT,
    NEEDS_A_PERSON,
    TRANSITIONS,
    UNSENT,
    Event,
    IllegalTransitionError,
    State,
    destination,
    next_state,
    sources,
)


def test_every_event_has_exactly_one_row() -> None:
    assert set(TRANSITIONS) == set(Event)


@given(st.sampled_from(State), st.sampled_from(Event))
def test_a_transition_is_either_in_the_table_or_raises(state: State, event: Event) -> None:
    if state in sources(event):
        assert next_state(state, event) is destination(event)
    else:
        with pytest.raises(IllegalTransitionError, match=f"'{event}' is possible only from"):
            next_state(state, event)


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_no_walk_leaves_a_final_state_or_sends_without_a_lease(events: list[Event]) -> None:
    state = State.PROPOSED
    for event in events:
        if state not in sources(event):
            continue
        following = next_state(state, event)
        assert state not in FINAL
        if following in IN_FLIGHT and state not in IN_FLIGHT:
            assert (state, following) == (State.READY, State.SENDING) and event is Event.LEASE
        if following is State.VERIFIED:
            assert state in (State.ACCEPTED, State.UNPROVEN)
        state = following


def test_every_state_is_reachable_from_proposed() -> None:
    reached = {State.PROPOSED}
    while True:
        more = {destination(e) for e in Event if sources(e) & reached} | reached
        if more == reached:
            break
        reached = more
    assert reached == set(State)


def test_only_final_states_are_dead_ends() -> None:
    leaving = {state for event in Event for state in sources(event)}
    assert set(State) - leaving == FINAL


def test_an_unknown_one_is_never_sent_without_a_read_first() -> None:
    """The only ways out of unknown are findings of a read."""
    ways = {event for event in Event if State.UNKNOWN in sources(event)}
    assert ways == {
        Event.ACCEPT,
        Event.FIND_ABSENT,
        Event.FIND_STALE,
        Event.EXHAUST,
        Event.LOSE,
    }


def test_groups_of_states_do_not_overlap() -> None:
    assert not UNSENT & IN_FLIGHT
    assert not FINAL & (UNSENT | IN_FLIGHT | NEEDS_A_PERSON)
