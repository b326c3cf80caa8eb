"""The replay's clock: from a place in it to the next one, and the prices at a place. No input or output.

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
class Place:
    """A trading date, how many seconds of its day have passed, and when its last tick was (unix seconds)."""

    trading_date: dt.date
    seconds: float
    last_tick: float


class Replay:
    """Where a place is in the day, and what comes next."""

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

    def first(self) -> Place:
        """The first open."""
        return Place(self.start, 0.0, 0.0)

    def is_open(self, place: Place) -> bool:
        """In the session, its last moment included: that is the tick of the close."""
        return place.seconds <= self.session_seconds

    def is_finished(self, place: Place) -> bool:
        """The last session has ended: nothing comes any more."""
        return place.trading_date == self.end and not self.is_open(place)

    def after(self, place: Place, elapsed: float) -> tuple[Place, float]:
        """The place that many seconds later, but never past a close or an open; and the seconds that are left."""
        if self.is_finished(place):
            return place, 0.0
        now = place.seconds + elapsed
        if place.seconds < self.session_seconds <= now:
            return replace(place, seconds=self.session_seconds), now - self.session_seconds
        if now >= self.day_seconds and place.trading_date != self.end:
            tomorrow = self.closes.dates[self._index[place.trading_date] + 1]
            return Place(tomorrow, 0.0, place.last_tick), now - self.day_seconds
        return replace(place, seconds=now), 0.0

    def previous_closes(self, place: Place) -> dict[str, Decimal]:
        """The closes of the trading date before."""
        return self.closes.of(self._index[place.trading_date] - 1)

    def prices(self, place: Place) -> dict[str, Decimal]:
        """Every symbol's price: on the line in the session, the close from its last moment on."""
        index = self._index[place.trading_date]
        if place.seconds >= self.session_seconds:
            return self.closes.of(index)
        part = Decimal(str(place.seconds / self.session_seconds))
        return {
            symbol: (before + (close - before) * part).quantize(_CENT_OF_A_CENT)
            for symbol, before, close in zip(
                self.closes.symbols, self.closes.rows[index - 1], self.closes.rows[index], strict=True
            )
        }
