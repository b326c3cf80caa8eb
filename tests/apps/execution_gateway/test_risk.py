"""Each risk check at its boundary: the last value that passes, and the first that does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.execution_gateway.book import Book, Position
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.risk import check, cost
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.vocabulary import OrderStatus, OrderType, Rejection, Side
from tests.apps.execution_gateway.conftest import order
from tests.apps.markets import market

MARKET = market({"AAPL": 100, "MSFT": 200, "XOM": 50})
NOW = MARKET.quotes["AAPL"].at
FREE: dict[str, Any] = {"slippage_bps": Decimal(0), "fee_per_share": Decimal(0)}


def resting(
    symbol: str, side: Side, qty: int, *, limit: object = None, filled: int = 0, arrival: object = 100
) -> Order:
    return Order(
        id=uuid4(),
        client_order_id=None,
        symbol=symbol,
        side=side,
        qty=qty,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else Decimal(str(limit)),
        status=OrderStatus.PARTLY_FILLED if filled else OrderStatus.ACCEPTED,
        filled_qty=filled,
        reason=None,
        arrival_price=Decimal(str(arrival)),
        trading_date=MARKET.trading_date,
        created_at=dt.datetime.now(dt.UTC),
    )


def holding(shares: Mapping[str, int] | None = None, *open_orders: Order, cash: object = 10_000_000) -> Holdings:
    positions = {symbol: Position(count, Decimal(1)) for symbol, count in (shares or {}).items()}
    return Holdings(Book(Decimal(0), Decimal(str(cash)), Decimal(0), positions), open_orders)


def verdict(
    request: OrderRequest,
    holdings: Holdings | None = None,
    *,
    state: MarketState | None = MARKET,
    now: float = NOW,
    tripped: bool | None = False,
    **limits: Any,
) -> Rejection | Decimal:
    """The quote at arrival, or why the order is refused."""
    try:
        return check(request, holdings or holding(), state, now, tripped, Settings(**{**FREE, **limits}))
    except Rejected as refusal:
        return refusal.reason


def test_an_order_that_passes_every_check_gets_the_quote_at_arrival() -> None:
    assert verdict(order("AAPL")) == 100


def test_unknown_symbol() -> None:
    assert verdict(order("TSLA")) is Rejection.UNKNOWN_SYMBOL


def test_market_closed() -> None:
    assert verdict(order(), state=market({"AAPL": 100}, is_open=False)) is Rejection.MARKET_CLOSED


def test_stale_quote() -> None:
    assert verdict(order(), now=NOW + 5) == 100
    assert verdict(order(), now=NOW + 5.001) is Rejection.STALE_QUOTE
    assert verdict(order(), now=NOW + 6, stale_quote_seconds=6) == 100
    assert verdict(order(), state=None) is Rejection.STALE_QUOTE


def test_order_size_limit() -> None:
    assert verdict(order(qty=2000)) == 100
    assert verdict(order(qty=2001)) is Rejection.ORDER_SIZE_LIMIT
    assert verdict(order(side="sell", qty=2001), holding({"AAPL": 5000})) is Rejection.ORDER_SIZE_LIMIT


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_price_collar(side: str) -> None:
    def limit(price: str) -> Rejection | Decimal:
        return verdict(order(side=side, order_type="limit", limit_price=price), holding({"AAPL": 100}))

    assert [limit("110"), limit("90")] == [100, 100]
    assert [limit("110.0001"), limit("89.9999")] == [Rejection.PRICE_COLLAR, Rejection.PRICE_COLLAR]


def test_position_limit_counts_the_position_and_open_orders_of_the_same_side() -> None:
    held = holding({"AAPL": 1500}, resting("AAPL", Side.BUY, 300, filled=100))

    assert verdict(order(qty=300), held) == 100
    assert verdict(order(qty=301), held) is Rejection.POSITION_LIMIT
    assert verdict(order(qty=300), held, position_limit=199_999) is Rejection.POSITION_LIMIT


def test_position_limit_applies_to_short_positions_too() -> None:
    assert verdict(order(side="sell", qty=2000), allow_short=True) == 100
    assert verdict(order(side="sell", qty=2000), allow_short=True, position_limit=199_999) is Rejection.POSITION_LIMIT


def test_gross_exposure_limit_counts_absolute_position_values() -> None:
    held = holding({"MSFT": -250, "XOM": 1000, "GONE": 7})  # 50 000 + 50 000 dollars, and a position without a quote

    assert verdict(order(qty=1000), held, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


def test_gross_exposure_limit_counts_the_open_orders_of_other_symbols() -> None:
    held = holding(
        {"MSFT": 100},
        resting("MSFT", Side.BUY, 200, limit=190, filled=50),  # 250 MSFT: 50 000 dollars
        resting("XOM", Side.SELL, 1000, limit=55),  # 1 000 XOM short: 50 000 dollars
    )

    assert verdict(order(qty=1000), held, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


def test_an_order_that_reduces_a_position_passes_even_if_a_limit_is_exceeded() -> None:
    held = holding({"AAPL": 1900, "XOM": -1900})
    low: dict[str, Any] = {"position_limit": 1, "gross_exposure_limit": 1}

    assert verdict(order(side="sell", qty=1900), held, **low) == 100
    assert verdict(order("XOM", "buy", 1900), held, **low) == 50


def test_insufficient_shares() -> None:
    held = holding({"AAPL": 100}, resting("AAPL", Side.SELL, 50, limit=105, filled=10), resting("AAPL", Side.BUY, 99))

    assert verdict(order(side="sell", qty=60), held) == 100
    assert verdict(order(side="sell", qty=61), held) is Rejection.INSUFFICIENT_SHARES
    assert verdict(order(side="sell", qty=61), held, allow_short=True) == 100
    assert verdict(order(side="sell", qty=1), holding({"AAPL": -5})) is Rejection.INSUFFICIENT_SHARES


def test_insufficient_cash_counts_slippage_fee_and_rounding() -> None:
    costs: dict[str, Any] = {"slippage_bps": Decimal(10), "fee_per_share": Decimal("0.01")}
    needed = Decimal("1001.1") + Decimal("0.005")  # 10 x (100.10 + 0.01), and half a cent for rounding

    assert verdict(order(), holding(cash=needed), **costs) == 100
    assert verdict(order(), holding(cash=needed - Decimal("0.0001")), **costs) is Rejection.INSUFFICIENT_CASH


def test_insufficient_cash_reserves_the_cash_of_open_buys() -> None:
    limits = Settings(**FREE)
    waiting = (
        resting("MSFT", Side.BUY, 50, limit=190, filled=10),  # 40 x 190
        resting("XOM", Side.BUY, 100, arrival=50),  # a market order that fills in parts
        resting("MSFT", Side.SELL, 50, limit=210),  # a sell brings no cash before it is filled
    )
    needed = cost(40, Decimal(190), limits) + cost(100, Decimal(50), limits) + cost(10, Decimal(100), limits)

    assert verdict(order(), holding({"MSFT": 50}, *waiting, cash=needed)) == 100
    assert (
        verdict(order(), holding({"MSFT": 50}, *waiting, cash=needed - Decimal("0.01"))) is Rejection.INSUFFICIENT_CASH
    )


def test_a_limit_order_needs_cash_at_its_limit_price() -> None:
    limits = Settings(**FREE)
    request = order(order_type="limit", limit_price="105")

    assert verdict(request, holding(cash=cost(10, Decimal(105), limits))) == 100
    assert verdict(request, holding(cash=cost(10, Decimal(105), limits) - 1)) is Rejection.INSUFFICIENT_CASH


def test_breaker_tripped_and_breaker_unknown_refuse_orders_that_add_risk() -> None:
    assert verdict(order(), tripped=True) is Rejection.BREAKER_TRIPPED
    assert verdict(order(), tripped=None) is Rejection.BREAKER_UNKNOWN


@pytest.mark.parametrize("tripped", [True, None])
def test_an_order_that_reduces_a_position_passes_the_breaker(tripped: bool | None) -> None:
    held = holding({"AAPL": 10, "XOM": -10})

    assert verdict(order(side="sell", qty=10), held, tripped=tripped) == 100
    assert verdict(order("XOM", "buy", 10), held, tripped=tripped) == 50


@pytest.mark.parametrize(
    ("held", "waiting", "side", "qty", "adds"),
    [
        (0, 0, Side.BUY, 1, True),
        (10, 0, Side.BUY, 1, True),
        (10, 0, Side.SELL, 10, False),
        (10, 0, Side.SELL, 11, True),  # crosses zero
        (10, 0, Side.SELL, 25, True),
        (10, 10, Side.SELL, 1, True),  # another sell order is open
        (10, 4, Side.SELL, 6, False),
        (-10, 0, Side.SELL, 1, True),
        (-10, 0, Side.BUY, 10, False),
        (-10, 0, Side.BUY, 11, True),
        (-10, 10, Side.BUY, 1, True),
    ],
)
def test_an_order_adds_risk_if_it_raises_the_absolute_position_or_crosses_zero(
    held: int, waiting: int, side: Side, qty: int, adds: bool
) -> None:
    holdings = holding({"AAPL": held} if held else {}, *([resting("AAPL", side, waiting)] if waiting else []))

    assert holdings.adds_risk("AAPL", side, qty) is adds


def test_the_breaker_is_checked_before_the_limits() -> None:
    assert verdict(order(qty=5000), tripped=True) is Rejection.BREAKER_TRIPPED
    assert verdict(order("TSLA"), tripped=True) is Rejection.UNKNOWN_SYMBOL
