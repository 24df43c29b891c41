"""Retry decisions are pure: schedule, jitter, Retry-After, cap."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Outcome, Result
from writeback.decide import (
    RetrySchedule,
    after_absent,
    after_failed_read,
    after_failure,
    after_send,
)
from writeback.states import Event

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SCHEDULE = RetrySchedule()


def wait(seconds_from: float, seconds_to: float, due: datetime | None) -> bool:
    assert due is not None
    return seconds_from <= (due - NOW).total_seconds() <= seconds_to


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_delays_follow_the_published_schedule_within_the_jitter(failures: int, seed: int) -> None:
    base = SCHEDULE.delays_seconds[min(failures, len(SCHEDULE.delays_seconds)) - 1]
    delay = SCHEDULE.delay(failures, random.Random(seed))
    assert 0.8 * base <= delay <= 1.2 * base


@given(st.floats(0, 1e9), st.integers(1, 9), st.integers(0, 2**32))
def test_retry_after_is_never_undercut_and_never_parks_for_ever(
    demanded: float, failures: int, seed: int
) -> None:
    delay = SCHEDULE.delay(failures, random.Random(seed), demanded)
    assert delay >= min(demanded, SCHEDULE.max_retry_after_seconds)
    assert delay <= 1.2 * max(SCHEDULE.max_retry_after_seconds, 3600)


@pytest.mark.parametrize("attempts", range(1, 15))
def test_a_technical_no_is_tried_until_the_cap(attempts: int) -> None:
    outcome = Outcome(Result.RETRY, "unavailable")
    decision = after_send(outcome, attempts, NOW, random.Random(1), SCHEDULE)
    if attempts < SCHEDULE.max_attempts:
        assert decision.event is Event.POSTPONE
        assert decision.next_attempt_at is not None and decision.next_attempt_at > NOW
    else:
        assert decision.event is Event.EXHAUST
        assert "unavailable" in decision.reason


def test_an_unknown_one_waits_as_long_as_its_target_asked() -> None:
    outcome = Outcome(Result.UNKNOWN, "locked", retry_after_seconds=900)
    decision = after_send(outcome, 1, NOW, random.Random(1), SCHEDULE)
    assert decision.event is Event.LOSE
    assert wait(900, 1080, decision.next_attempt_at)


@given(st.integers(1, 100))
def test_a_refusal_is_never_retried(attempts: int) -> None:
    outcome = Outcome(Result.REFUSED, "http_422", "credit limit")
    decision = after_send(outcome, attempts, NOW, random.Random(1), SCHEDULE)
    assert (decision.event, decision.next_attempt_at) == (Event.REFUSE, None)
    assert decision.reason == "http_422: credit limit"


@given(st.integers(1, 100))
def test_an_unknown_one_is_looked_at_later_and_never_called_dead(attempts: int) -> None:
    outcome = Outcome(Result.UNKNOWN, "no_answer")
    sent = after_send(outcome, attempts, NOW, random.Random(1), SCHEDULE)
    assert sent.event is Event.LOSE
    assert sent.next_attempt_at is not None and sent.next_attempt_at > NOW
    read = after_failed_read("timeout", attempts, NOW, random.Random(1), SCHEDULE)
    assert read.event is Event.LOSE


def test_absent_after_the_last_attempt_is_dead_and_before_it_is_sent_again() -> None:
    last = SCHEDULE.max_attempts
    assert after_absent("absent", last, NOW, SCHEDULE).event is Event.EXHAUST
    again = after_absent("absent", last - 1, NOW, SCHEDULE)
    assert (again.event, again.next_attempt_at) == (Event.FIND_ABSENT, NOW)


def test_a_failed_check_counts_like_a_failed_send() -> None:
    decision = after_failure("down", 1, NOW, random.Random(1), SCHEDULE)
    assert decision.event is Event.POSTPONE and wait(8, 12, decision.next_attempt_at)


def test_retry_after_of_the_answer_is_used() -> None:
    outcome = Outcome(Result.RETRY, "rate_limited", retry_after_seconds=100)
    decision = after_send(outcome, 1, NOW, random.Random(1), SCHEDULE)
    assert wait(100, 120, decision.next_attempt_at)
    assert NOW + timedelta(seconds=100) <= (decision.next_attempt_at or NOW)
