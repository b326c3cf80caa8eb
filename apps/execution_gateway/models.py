"""The requests and answers of the API."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, model_validator

from apps.inputs import Price, Shares, Symbol, Text
from apps.vocabulary import BreakerState, Cancellation, OrderStatus, OrderType, Side

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


class Reason(BaseModel):
    """Why an order or a change was not taken. If the outcome is not known: the order's id, and where to ask."""

    reason: str
    message: str
    order_id: UUID | None = None
    ask: str | None = None


class Refusal(BaseModel):
    """The answer to an order that was not taken, or whose outcome is not known."""

    detail: Reason


class HeldPosition(BaseModel):
    """Signed shares, and their average cost in dollars."""

    shares: int
    average_cost: Decimal


class PositionsAnswer(BaseModel):
    """The positions of one version of the book, which was booked at this time in unix seconds."""

    version: int
    booked_at: float
    positions: dict[str, HeldPosition]


class LimitsAnswer(BaseModel):
    """What an order may lead to, in dollars.

    `cash` is what open buys have not reserved. A market order to buy needs `cost_per_dollar` of it for each dollar at
    the quote, and `cost_per_share` for each share.
    """

    position: str
    order_size: str
    gross_exposure: str
    cash: str
    cost_per_dollar: str
    cost_per_share: str


class BookAnswer(PositionsAnswer):
    """The book. `waiting` are the shares in open orders. `market_at` and `equity` are null while they are not known."""

    market_at: float | None
    trading_date: dt.date | None
    cash: str
    equity: str | None
    breaker: BreakerState
    waiting: dict[str, dict[Side, int]]
    limits: LimitsAnswer


class PnlAnswer(BaseModel):
    """Profit and loss in dollars. `without_quote` are the symbols that are valued at an older price."""

    realized: str
    unrealized: str
    total: str
    daily: str
    equity: str
    cash: str
    start_of_day_equity: str
    daily_loss_ratio: str
    trading_date: dt.date
    without_quote: list[str]
    version: int
    booked_at: float
    quoted_at: float


class BreakerAnswer(BaseModel):
    """The state of the breaker, and why, by whom and when it was last changed."""

    state: BreakerState
    reason: str | None
    by: str | None
    at: dt.datetime | None


class TripAnswer(BreakerAnswer):
    """How far a trip has come. With 503, `detail` says what is not done yet."""

    stored: bool
    venue_halted: bool
    detail: str | None = None


class BreakerNow(BreakerAnswer):
    """The breaker, and whether its trip was asked for, is stored, and is confirmed by the venue."""

    trip_asked: bool
    stored: bool
    venue_halted: bool


class MarkAnswer(BaseModel):
    """The high-water mark before and after its reset, in dollars."""

    before: str
    after: str


class TradingDateAnswer(BaseModel):
    """The trading date of the desk now."""

    trading_date: dt.date
