"""The replay's clock: from a point in it to the next one, and the prices at a point. No input or output.

A day is a session, in which every price goes on a straight line from the previous close to the close, and then a
closed period. The straight line makes the worst moment of a day known beforehand: it is the open or the close.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.market_data_service.closes import BadCloses, Closes

_CENT_OF_A_CENT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class ReplayPoint:
    """A trading date, how many seconds of its day have passed, and when its last tick was (unix seconds)."""

    trading_date: dt.date
    seconds: float
    last_tick: float


class Replay:
    """Where a point is in the day, and what comes next."""

    def __init__(self, closes: Closes, start: dt.date | None, end: dt.date | None, day_seconds: float) -> None:
        """Raises `BadCloses` when a date to start or end with is not in the file."""
        self.closes = closes
        self._index = {date: index for index, date in enumerate(closes.dates)}
        self.start = closes.dates[1] if start is None else start
        self.end = closes.dates[-1] if end is None else end
        for name, date in (("REPLAY_START", self.start), ("REPLAY_END", self.end)):
            if self._index.get(date, 0) == 0:
                raise BadCloses(
                    f"{name}={date} is not a trading date that can be replayed: "
                    f"the file has {closes.dates[1]} to {closes.dates[-1]}, less weekends and holidays"
                )
        if self.end < self.start:
            raise BadCloses(f"REPLAY_END={self.end} is before REPLAY_START={self.start}")
        self.day_seconds = day_seconds
        # Ten seconds let a rule that fired in one session resolve before the next one; longer days keep a tenth.
        self.session_seconds = day_seconds - max(10.0, day_seconds / 10)

    def first(self) -> ReplayPoint:
        """The first open."""
        return ReplayPoint(self.start, 0.0, 0.0)

    def is_open(self, point: ReplayPoint) -> bool:
        """In the session, its last moment included: that is the tick of the close."""
        return point.seconds <= self.session_seconds

    def is_finished(self, point: ReplayPoint) -> bool:
        """The last session has ended: nothing comes any more."""
        return point.trading_date == self.end and not self.is_open(point)

    def after(self, point: ReplayPoint, elapsed: float) -> tuple[ReplayPoint, float]:
        """The point that many seconds later, but never past a close or an open; and the seconds that are left."""
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
        """The closes of the trading date before."""
        return self.closes.of(self._index[point.trading_date] - 1)

    def prices(self, point: ReplayPoint) -> dict[str, Decimal]:
        """Every symbol's price: on the line in the session, the close from its last moment on."""
        index = self._index[point.trading_date]
        if point.seconds >= self.session_seconds:
            return self.closes.of(index)
        part = Decimal(str(point.seconds / self.session_seconds))
        return {
            symbol: (before + (close - before) * part).quantize(_CENT_OF_A_CENT)
            for symbol, before, close in zip(
                self.closes.symbols, self.closes.rows[index - 1], self.closes.rows[index], strict=True
            )
        }
