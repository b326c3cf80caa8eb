"""The report of a fill by a venue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.vocabulary import Side


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill. The venue gives later fills a higher `seq`."""

    seq: int
    order_id: UUID
    symbol: str
    side: Side
    qty: int
    price: Decimal
    fee: Decimal
    trading_date: dt.date
    at: dt.datetime
