"""Builds books, orders and executions for tests that start no server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from apps.execution_gateway.book import Book, Position
from apps.execution_gateway.commands import Arrival
from apps.execution_gateway.draft import Draft, waiting
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.vocabulary import OrderStatus, OrderType, Side
from tests.apps.markets import MONDAY, market

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
MARKET = market(PRICES)
NOW = MARKET.at


def limits(**changes: Any) -> Settings:
    """Settings with neither slippage nor fee."""
    return Settings(**{"slippage_bps": Decimal(0), "fee_per_share": Decimal(0), **changes})


def an_order(
    symbol: str = "AAPL",
    side: Side = Side.BUY,
    qty: int = 10,
    *,
    limit: object = None,
    filled: int = 0,
    arrival: object = 100,
    status: OrderStatus | None = None,
    **more: Any,
) -> Order:
    """A stored order of Monday. It rests at the venue unless `status` is given."""
    fields: dict[str, Any] = {
        "id": uuid4(),
        "client_order_id": None,
        "symbol": symbol,
        "side": side,
        "qty": qty,
        "order_type": OrderType.MARKET if limit is None else OrderType.LIMIT,
        "limit_price": None if limit is None else Decimal(str(limit)),
        "status": status or (OrderStatus.PARTLY_FILLED if filled else OrderStatus.ACCEPTED),
        "filled_qty": filled,
        "reason": None,
        "arrival_price": Decimal(str(arrival)),
        "trading_date": MONDAY,
        "created_at": dt.datetime.fromtimestamp(NOW, dt.UTC),
    }
    return Order(**{**fields, **more})


def a_book(
    positions: Mapping[str, Position | int] | None = None,
    *orders: Order,
    cash: object = 10_000_000,
    settings: Settings | None = None,
    **more: Any,
) -> Book:
    """A book of Monday. A position that is a number of shares has a cost and a last price of 1 dollar."""
    by_id = {order.id: order for order in orders}
    fields: dict[str, Any] = {
        "version": 1,
        "initial_cash": Decimal(str(cash)),
        "cash": Decimal(str(cash)),
        "positions": {
            symbol: held if isinstance(held, Position) else Position(held, Decimal(1), Decimal(1))
            for symbol, held in (positions or {}).items()
        },
        "orders": by_id,
        "waiting": waiting(by_id, settings or limits()),
        "trading_date": MONDAY,
        "start_of_day_equity": Decimal(str(cash)),
    }
    return Book(**{**fields, **more})


def a_draft(book: Book | None = None, *, known: Mapping[str, Order] | None = None, **changes: Any) -> Draft:
    """A draft of this book, or of an empty one."""
    return Draft(book or a_book(), limits(**changes), known)


def an_arrival(
    request: OrderRequest,
    *,
    order_id: UUID | None = None,
    at: float = NOW,
    state: MarketState | None = MARKET,
    valued_at: float | None = NOW,
    halting: bool = False,
    unread: bool = False,
) -> Arrival:
    """An order that arrives now, in an open market, at a desk that has just valued its book."""
    return Arrival(order_id or uuid4(), request, at, state, valued_at, halting, unread)


def an_execution(
    order: Order, seq: int = 1, qty: int | None = None, price: object = 100, fee: object = 0, **more: Any
) -> Execution:
    """A fill of this order. All of its rest is filled unless `qty` is given."""
    fields: dict[str, Any] = {
        "seq": seq,
        "order_id": order.id,
        "symbol": order.symbol,
        "side": order.side,
        "qty": order.remaining if qty is None else qty,
        "price": Decimal(str(price)),
        "fee": Decimal(str(fee)),
        "trading_date": MONDAY,
        "at": dt.datetime.fromtimestamp(NOW, dt.UTC),
    }
    return Execution(**{**fields, **more})
