"""The state of the market: session, last quotes, previous closes, and its form as JSON. Does no input or output."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from decimal import Decimal

FUTURE_SECONDS = 5.0
"""How far a time in a state may be ahead of the clock of this machine. Clocks of two machines differ a little."""
HIGHEST_PRICE = Decimal(10) ** 9
"""No price is as high. One that is would not fit into sums in cents."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A price in dollars, and the time of its tick in unix seconds."""

    price: Decimal
    at: float


@dataclass(frozen=True, slots=True)
class MarketState:
    """The market at one moment, as the market data service publishes it. `at` is when, in unix seconds."""

    at: float
    trading_date: dt.date
    open: bool
    finished: bool
    previous_closes: dict[str, Decimal]
    quotes: dict[str, Quote]

    def to_json(self) -> str:
        """The state as text, for `from_json`."""
        return json.dumps(
            {
                "at": self.at,
                "trading_date": self.trading_date.isoformat(),
                "open": self.open,
                "finished": self.finished,
                "previous_closes": {symbol: str(close) for symbol, close in self.previous_closes.items()},
                "quotes": {symbol: [str(quote.price), quote.at] for symbol, quote in self.quotes.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> MarketState:
        """Reads what `to_json` wrote. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            return cls(
                at=_time(fields["at"]),
                trading_date=iso_date(fields["trading_date"]),
                open=_boolean(fields["open"]),
                finished=_boolean(fields["finished"]),
                previous_closes={symbol: _price(close) for symbol, close in fields["previous_closes"].items()},
                quotes={symbol: Quote(_price(price), _time(at)) for symbol, (price, at) in fields["quotes"].items()},
            )
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    @property
    def latest(self) -> float:
        """The latest time in it. Normally that is `at`, because a quote is older than the state that has it."""
        return max([self.at, *(quote.at for quote in self.quotes.values())])


def iso_date(value: object) -> dt.date:
    """Reads a date like 2020-03-09. Raises ValueError for anything else, also for other forms of ISO 8601."""
    if isinstance(value, str) and (date := dt.date.fromisoformat(value)).isoformat() == value:
        return date
    raise ValueError(f"{value!r} is not a date like 2020-03-09")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is neither true nor false")


def _price(value: object) -> Decimal:
    if isinstance(value, str) and (price := Decimal(value)).is_finite() and 0 < price < HIGHEST_PRICE:
        return price
    raise ValueError(f"{value!r} is not a price")


def _time(value: object) -> float:
    # json.loads reads NaN and Infinity, and True is an int.
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{value!r} is not a time in unix seconds")
