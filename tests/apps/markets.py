"""Builds states of the market for tests."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from decimal import Decimal

from apps.market import MarketState, Quote

MONDAY = dt.date(2020, 3, 9)
TUESDAY = dt.date(2020, 3, 10)


def market(
    prices: Mapping[str, object],
    *,
    date: dt.date = MONDAY,
    is_open: bool = True,
    previous: Mapping[str, object] | None = None,
    age: float = 0.0,
    finished: bool = False,
) -> MarketState:
    """A state with these prices. They ticked, and it was published, `age` seconds ago.

    The previous closes are the same unless given.
    """
    at = time.time() - age
    return MarketState(
        at=at,
        trading_date=date,
        open=is_open,
        finished=finished,
        previous_closes={symbol: Decimal(str(price)) for symbol, price in (previous or prices).items()},
        quotes={symbol: Quote(Decimal(str(price)), at) for symbol, price in prices.items()},
    )
