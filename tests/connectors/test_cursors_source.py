"""Where reading goes on: no record is passed over, whatever the source's clock or order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.cursors import (
    LOCAL_FORMAT,
    FeedPosition,
    epoch_milliseconds,
    instant,
    is_ambiguous,
    iso_milliseconds,
    latest,
    local_floor,
    local_naive,
)

ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
NEW_YORK = ZoneInfo("America/New_York")
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
around_the_change = st.datetimes(
    datetime(2026, 11, 1, 3), datetime(2026, 11, 1, 9), timezones=st.just(UTC)
)


def told(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a source in the zone writes for a moment: whole seconds, no offset."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


@settings(max_examples=500, deadline=None)
@given(
    written=st.one_of(moments, around_the_change),
    later=st.timedeltas(timedelta(0), timedelta(hours=5)),
    settle=st.integers(0, 7200),
    lateness=st.floats(0, 1),
    name=st.sampled_from(ZONES),
)
def test_what_is_written_or_shown_after_the_cursor_is_read(written, later, settle, lateness, name):
    zone = ZoneInfo(name)
    cursor = told(written, zone)
    # A record of an earlier moment may be shown late, by at most the settle window.
    other = written + later - timedelta(seconds=int(settle * lateness))
    floor = local_floor(cursor, timedelta(seconds=settle), zone)
    assume(told(written, zone) == cursor)
    assert told(other, zone) >= floor


@settings(max_examples=300, deadline=None)
@given(written=moments, name=st.sampled_from(ZONES))
def test_the_floor_is_never_far_below(written, name):
    zone = ZoneInfo(name)
    cursor = told(written, zone)
    assert cursor - local_floor(cursor, timedelta(seconds=60), zone) <= timedelta(
        hours=2, minutes=2
    )


def test_the_repeated_hour_is_read_from_before_its_beginning():
    assert is_ambiguous(datetime(2026, 11, 1, 1, 30), NEW_YORK)
    assert not is_ambiguous(datetime(2026, 11, 1, 2, 0), NEW_YORK)
    assert not is_ambiguous(datetime(2026, 3, 8, 2, 30), NEW_YORK)  # this hour does not exist
    floor = local_floor(datetime(2026, 11, 1, 1, 30), timedelta(seconds=60), NEW_YORK)
    assert floor == datetime(2026, 11, 1, 0, 29)


def test_the_skipped_hour_does_not_shorten_the_overlap():
    # Sixty seconds before 03:00:30 it was 01:59:30.
    floor = local_floor(datetime(2026, 3, 8, 3, 0, 30), timedelta(seconds=60), NEW_YORK)
    assert floor == datetime(2026, 3, 8, 1, 59, 30)


def test_a_record_dated_in_the_future_does_not_move_the_cursor():
    now = datetime(2026, 11, 21, tzinfo=UTC)
    normal, typo = now - timedelta(minutes=1), datetime(2031, 1, 1, tzinfo=UTC)
    assert latest([normal, typo, None], now) == normal
    assert latest([typo], now) is None


def test_times_of_other_forms_are_no_times():
    assert instant("2026-11-21T09:00:00+02:00") == datetime(2026, 11, 21, 7, tzinfo=UTC)
    for text in ("2026-11-21T09:00:00", "soon", None, 5, "0001-01-01T00:00:00+14:00"):
        assert instant(text) is None
    for text in ("2026-11-21T09:00:00", "2026-11-21", None, 5):
        assert local_naive(text) is None
    for value in (None, "5", True, 10**30):
        assert epoch_milliseconds(value) is None


@given(moments)
def test_written_cursors_read_back(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert instant(iso_milliseconds(moment)) == moment
    second = moment.replace(microsecond=0, tzinfo=None)
    assert local_naive(second.strftime(LOCAL_FORMAT)) == second


@pytest.mark.parametrize(
    "ages, expected",
    [
        ([600, 500, 400], "3"),  # all settled
        ([600, 30, 20], "1"),  # the second is young
        ([600, 30, 500], "1"),  # and stays unread although an old one follows
        ([600, -90_000, 500], "3"),  # a date in the future says nothing
        ([600, None, 500], "3"),  # nor does none
        ([], "0"),
    ],
)
def test_a_feed_is_read_again_from_the_first_young_record(ages, expected):
    now = datetime(2026, 11, 21, tzinfo=UTC)
    position = FeedPosition(0, floor=now - timedelta(seconds=60), now=now)
    for number, age in enumerate(ages):
        position.see(number, None if age is None else now - timedelta(seconds=age))
        position.reach(number + 1)
    assert str(position) == expected
