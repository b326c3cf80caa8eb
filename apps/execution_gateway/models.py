"""The requests and answers of the API."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, model_validator

from apps.inputs import Price, Shares, Symbol, Text
from apps.vocabulary import Cancellation, OrderStatus, OrderType, Side

OPEN = (OrderStatus.PENDING, OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED)
RESTING = (OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED)
"""OPEN: the order may still be filled. RESTING: in addition, the venue has confirmed the order."""

CENT = Decimal("0.01")
"""Money is rounded to this."""


class OrderRequest(BaseModel):
    """A new order, in whole shares and dollars. The same `client_order_id` again gets the first order."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    side: Side
    qty: Shares
    order_type: OrderType = OrderType.MARKET
    limit_price: Price | None = None
    client_order_id: Text | None = None

    @model_validator(mode="after")
    def limit_price_goes_with_limit_orders(self) -> Self:
        """Refuses a market order with a limit price: one of the two must be a mistake."""
        if (self.order_type is OrderType.LIMIT) != (self.limit_price is not None):
            raise ValueError("limit_price is needed for a limit order, and only there")
        return self


class Order(BaseModel):
    """A stored order."""

    id: UUID
    client_order_id: str | None
    symbol: str
    side: Side
    qty: int
    order_type: OrderType
    limit_price: Decimal | None
    status: OrderStatus
    filled_qty: int
    reason: str | None
    message: str | None = None
    """Why the order was refused, as a sentence."""
    arrival_price: Decimal | None
    worst_price: Decimal | None = None
    """The dearest price at which a buy is filled: cash is reserved for it. None for a sell without a limit."""
    trading_date: dt.date | None
    cancelling: Cancellation | None = None
    """Why the rest of the order is to be cancelled. The order stays open until its last fills are booked."""
    created_at: dt.datetime

    @property
    def remaining(self) -> int:
        """Shares that may still be filled."""
        return self.qty - self.filled_qty


class BreakerChange(BaseModel):
    """A request to trip or reset the breaker: why, and by whom."""

    model_config = ConfigDict(extra="forbid")

    reason: Text
    by: Text


class HighWaterMarkReset(BreakerChange):
    """A request to set the high-water mark to the present equity: why, and by whom."""


class TradingDateReset(BreakerChange):
    """A request to go to the trading date of the market data service: why, and by whom."""
