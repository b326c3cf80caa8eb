"""The clock and the prices of the replay."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.market_data_service.closes import BadCloses, Closes
from apps.market_data_service.replay import Replay, ReplayPoint
from apps.market_data_service.settings import Settings

DATES = tuple(dt.date(2020, 3, day) for day in (2, 3, 4, 5))
CLOSES = Closes(
    ("AAPL", "XOM"),
    DATES,
    tuple((Decimal(aapl), Decimal(xom)) for aapl, xom in ((100, 50), (110, 50), (90, 55), (90, "0.0003"))),
)


def replay(start: dt.date | None = None, end: dt.date | None = None, day: float = 30) -> Replay:
    return Replay(CLOSES, start, end, day)


def at(seconds: float, date: dt.date = DATES[1]) -> ReplayPoint:
    return ReplayPoint(date, seconds, 0.0)


def test_the_first_row_is_only_the_previous_close() -> None:
    first = replay().first()

    assert first == ReplayPoint(DATES[1], 0.0, 0.0)
    assert replay().previous_closes(first) == {"AAPL": 100, "XOM": 50}
    assert replay(DATES[2]).first().trading_date == DATES[2]
    assert replay(DATES[2]).previous_closes(replay(DATES[2]).first()) == {"AAPL": 110, "XOM": 50}


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        (DATES[0], None, "REPLAY_START=2020-03-02 is not a trading date that can be replayed"),
        (dt.date(2020, 3, 7), None, "REPLAY_START=2020-03-07"),
        (None, dt.date(2020, 3, 7), "REPLAY_END=2020-03-07"),
        (None, DATES[0], "REPLAY_END=2020-03-02"),
        (DATES[3], DATES[2], "REPLAY_END=2020-03-04 is before REPLAY_START=2020-03-05"),
    ],
)
def test_a_date_that_cannot_be_replayed_is_refused_and_the_error_names_the_possible_dates(
    start: dt.date | None, end: dt.date | None, what: str
) -> None:
    with pytest.raises(BadCloses) as error:
        replay(start, end)

    assert what in str(error.value)
    assert "before" in str(error.value) or "the file has 2020-03-03 to 2020-03-05" in str(error.value)


@pytest.mark.parametrize(("day", "session"), [(12, 2), (30, 20), (100, 90), (200, 180), (3600, 3240)])
def test_the_last_ten_seconds_or_more_of_a_day_are_closed(day: float, session: float) -> None:
    clock = replay(day=day)

    assert clock.session_seconds == session
    assert clock.is_open(at(0))
    assert clock.is_open(at(session))
    assert not clock.is_open(at(session + 0.001))


def test_prices_move_on_a_straight_line_from_the_previous_close_to_the_close() -> None:
    clock = replay()

    assert clock.prices(at(0)) == {"AAPL": 100, "XOM": 50}
    assert clock.prices(at(5)) == {"AAPL": Decimal("102.5"), "XOM": 50}
    assert clock.prices(at(10, DATES[2])) == {"AAPL": 100, "XOM": Decimal("52.5")}
    assert clock.prices(at(20)) == {"AAPL": 110, "XOM": 50}
    assert clock.prices(at(29)) == {"AAPL": 110, "XOM": 50}


def test_every_price_on_the_line_is_positive() -> None:
    clock = replay(day=3600)

    assert all(clock.prices(at(seconds, DATES[3]))["XOM"] > 0 for seconds in range(0, 3240, 3))


def test_the_clock_stops_at_each_close_and_open_and_returns_the_rest_of_the_time() -> None:
    clock = replay()

    assert clock.after(at(3), 2) == (at(5), 0.0)
    assert clock.after(at(19.5), 0.5) == (at(20), 0.0)
    assert clock.after(at(19.5), 0.75) == (at(20), 0.25)
    assert clock.after(at(20), 0.25) == (at(20.25), 0.0)
    assert clock.after(at(29.5), 0.75) == (at(0, DATES[2]), 0.25)
    assert clock.after(at(25), 100) == (at(0, DATES[2]), 95)


@pytest.mark.parametrize(
    ("before", "seconds", "day", "now"),
    [
        (3600, 312.7, 3600, 312.7),
        (3600, 0.0, 12, 0.0),
        (3600, 324.0, 12, 0.2),
        (3600, 3240.0, 12, 2.0),
        (3600, 3420.0, 12, 7.0),
        (3600, 3600.0, 12, 12.0),
        (12, 1.0, 3600, 1620.0),
        (12, 2.0, 3600, 3240.0),
        (12, 11.0, 3600, 3564.0),
    ],
)
def test_a_moment_is_the_same_part_of_the_session_or_of_the_closed_time_in_a_day_of_another_length(
    before: float, seconds: float, day: float, now: float
) -> None:
    assert replay(day=day).same_moment(seconds, before) == pytest.approx(now)


LENGTHS = st.floats(12, 86_400)


@given(before=LENGTHS, day=LENGTHS, part=st.floats(0, 1))
def test_in_a_day_of_another_length_the_market_is_open_or_closed_as_before_and_within_the_day(
    before: float, day: float, part: float
) -> None:
    earlier, clock = replay(day=before), replay(day=day)
    point = at(before * part)
    moved = at(clock.same_moment(point.seconds, before))

    # The first microseconds after the close may be the close itself.
    if abs(point.seconds - earlier.session_seconds) > 1e-6 or point.seconds == earlier.session_seconds:
        assert clock.is_open(moved) is earlier.is_open(point)
    assert 0 <= moved.seconds <= day
    assert clock.after(moved, 0.5)[1] <= 0.5


@given(st.lists(st.floats(0.001, 3.0), min_size=60, max_size=200))
def test_every_open_and_every_close_is_played_however_long_the_steps_are(steps: list[float]) -> None:
    clock = replay(day=12)
    place, seen, played = clock.first(), [clock.first()], 0.0

    for step in steps:
        left = step
        played += step
        while left > 0 and not clock.is_finished(place):
            before = place
            place, left = clock.after(place, left)
            seen.append(place)
            assert place.trading_date >= before.trading_date
            assert place.trading_date != before.trading_date or place.seconds >= before.seconds

    for date in {place.trading_date for place in seen}:
        assert at(0, date) in seen
    for place in seen:
        if place.seconds > clock.session_seconds:  # closed, so the close was played before, at its price
            close = at(clock.session_seconds, place.trading_date)
            assert close in seen
            assert clock.prices(close) == CLOSES.of(DATES.index(place.trading_date))
            assert clock.is_open(close)
    # Two whole days and the last session take 26 s. Steps that add up to about 26 s may end before or after it.
    assert clock.is_finished(place) if played > 26.001 else played > 25.999 or not clock.is_finished(place)


def test_after_the_last_day_the_market_stays_closed() -> None:
    clock = replay(end=DATES[2])
    place = at(19.9, DATES[2])
    assert not clock.is_finished(place)

    place, left = clock.after(place, 1.0)
    assert (place, clock.is_finished(place)) == (at(20, DATES[2]), False)  # the last tick of the session is the close
    place, left = clock.after(place, left)
    assert clock.is_finished(place)
    assert clock.after(place, 1000) == (place, 0.0)
    assert not clock.is_open(place)
    assert clock.prices(place) == CLOSES.of(2)


def test_a_day_must_be_long_enough_for_the_closed_period() -> None:
    with pytest.raises(ValueError, match="replay_day_seconds"):
        Settings(replay_day_seconds=11)
