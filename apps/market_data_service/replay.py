"""The clock of the replay, and the prices at each point. Does no input or output.

A day is a session and then a closed period. In the session, every price moves on a straight line from the previous
close to the close. So the highest and lowest value of a constant book are at the open and at the close.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.inputs import TICK
from apps.market_data_service.closes import BadCloses, Closes


@dataclass(frozen=True, slots=True)
class ReplayPoint:
    """A trading date, the seconds since its open, and the time of the last tick in unix seconds."""

    trading_date: dt.date
    seconds: float
    last_tick: float


class Replay:
    """The rules of the replay: when the market is open, which point comes next, and the prices at a point."""

    def __init__(self, closes: Closes, start: dt.date | None, end: dt.date | None, day_seconds: float) -> None:
        """`start` is the second row's date if it is None. Raises `BadCloses` if `start` or `end` cannot be replayed."""
        self.closes = closes
        self._index = {date: index for index, date in enumerate(closes.dates)}
        self.start = closes.dates[1] if start is None else start
        self.end = closes.dates[-1] if end is None else end
        for name, date in (("REPLAY_START", self.start), ("REPLAY_END", self.end)):
            if not self.has(date):
                raise BadCloses(
                    f"{name}={date} is not a trading date that can be replayed: "
                    f"the file has {closes.dates[1]} to {closes.dates[-1]}, without weekends and holidays"
                )
        if self.end < self.start:
            raise BadCloses(f"REPLAY_END={self.end} is before REPLAY_START={self.start}")
        self.day_seconds = day_seconds
        self.session_seconds = _session_seconds(day_seconds)

    def has(self, date: dt.date) -> bool:
        """Whether the file has that trading date and a previous close for it."""
        return self._index.get(date, 0) > 0

    def first(self) -> ReplayPoint:
        """The open of the first date."""
        return ReplayPoint(self.start, 0.0, 0.0)

    def same_moment(self, seconds: float, day_seconds: float) -> float:
        """The seconds since the open that are the same part of the session, or of the closed time, in a day of another
        length: the market is open or closed as before, at the same prices, and the date still has its close.
        """
        if day_seconds == self.day_seconds:
            return seconds
        session = _session_seconds(day_seconds)
        if seconds <= session:
            return self.session_seconds * (seconds / session)
        part = min((seconds - session) / (day_seconds - session), 1.0)
        return self.session_seconds + (self.day_seconds - self.session_seconds) * part

    def is_open(self, point: ReplayPoint) -> bool:
        """Whether the market is open. The last moment of the session, which is the tick of the close, is included."""
        return point.seconds <= self.session_seconds

    def is_finished(self, point: ReplayPoint) -> bool:
        """Whether the last session has ended. The market stays closed from then on."""
        return point.trading_date == self.end and not self.is_open(point)

    def after(self, point: ReplayPoint, elapsed: float) -> tuple[ReplayPoint, float]:
        """The point that many seconds later, and the seconds that are left over.

        It stops at each close and each open, so that both are played. The rest is for the next call.
        """
        if self.is_finished(point):
            return point, 0.0
        now = point.seconds + elapsed
        if point.seconds < self.session_seconds <= now:
            return replace(point, seconds=self.session_seconds), now - self.session_seconds
        if now >= self.day_seconds and point.trading_date != self.end:
            tomorrow = self.closes.dates[self._index[point.trading_date] + 1]
            return ReplayPoint(tomorrow, 0.0, point.last_tick), now - self.day_seconds
        return replace(point, seconds=now), 0.0

    def previous_closes(self, point: ReplayPoint) -> dict[str, Decimal]:
        """The closes of the previous trading date."""
        return self.closes.of(self._index[point.trading_date] - 1)

    def prices(self, point: ReplayPoint) -> dict[str, Decimal]:
        """The price of every symbol: on the line during the session, and the close at and after its last moment."""
        index = self._index[point.trading_date]
        if point.seconds >= self.session_seconds:
            return self.closes.of(index)
        part = Decimal(str(point.seconds / self.session_seconds))
        return {
            symbol: (before + (close - before) * part).quantize(TICK)
            for symbol, before, close in zip(
                self.closes.symbols, self.closes.rows[index - 1], self.closes.rows[index], strict=True
            )
        }


def _session_seconds(day_seconds: float) -> float:
    # Closed for at least ten seconds, so that an alert of one session can resolve before the next session.
    return day_seconds - max(10.0, day_seconds / 10)
