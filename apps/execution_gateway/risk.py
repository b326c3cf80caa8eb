"""The risk checks, which decide whether an order may go to the venue. Do no input or output."""

from __future__ import annotations

from decimal import Decimal

from apps.execution_gateway.book import ZERO
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import CENT, TICK, OrderRequest
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.vocabulary import Rejection, Side


def check(
    order: OrderRequest,
    holdings: Holdings,
    market: MarketState | None,
    now: float,
    tripped: bool | None,
    limits: Settings,
) -> Decimal:
    """Returns the quote at arrival, or raises `Rejected`. `tripped` is None if the breaker cannot be read."""
    if market is None:
        raise Rejected(Rejection.STALE_QUOTE, "no quote has arrived yet")
    quote = market.quotes.get(order.symbol)
    if quote is None:
        raise Rejected(Rejection.UNKNOWN_SYMBOL, f"{order.symbol} is not quoted here")
    if holdings.adds_risk(order.symbol, order.side, order.qty):
        check_breaker(tripped)
    if not market.open:
        raise Rejected(Rejection.MARKET_CLOSED, "the market is closed")
    age = now - quote.at
    if age > limits.stale_quote_seconds:
        raise Rejected(Rejection.STALE_QUOTE, f"the last {order.symbol} quote is {age:.1f} s old")
    _check_size(order, holdings, quote.price, market, limits)
    _check_means(order, holdings, quote.price, limits)
    return quote.price


def check_breaker(tripped: bool | None) -> None:
    """For orders that add risk. Raises `Rejected` if the breaker is tripped or cannot be read."""
    if tripped is None:
        raise Rejected(Rejection.BREAKER_UNKNOWN, "the circuit breaker cannot be read, and the order adds risk")
    if tripped:
        raise Rejected(Rejection.BREAKER_TRIPPED, "the circuit breaker is tripped, and the order adds risk")


def _check_size(order: OrderRequest, holdings: Holdings, price: Decimal, market: MarketState, limits: Settings) -> None:
    notional = order.qty * price
    if notional > limits.order_size_limit:
        raise Rejected(Rejection.ORDER_SIZE_LIMIT, f"{notional:.2f} is over the limit of {limits.order_size_limit}")
    if order.limit_price is not None and abs(order.limit_price / price - 1) > limits.price_collar:
        raise Rejected(
            Rejection.PRICE_COLLAR, f"limit_price is more than {limits.price_collar:%} away from the quote of {price}"
        )
    if not holdings.adds_risk(order.symbol, order.side, order.qty):
        return
    after = holdings.shares(order.symbol, order.side) + order.side.sign * order.qty
    if abs(after) * price > limits.position_limit:
        raise Rejected(
            Rejection.POSITION_LIMIT,
            f"the position would be {abs(after) * price:.2f}, the limit is {limits.position_limit}",
        )
    others = sum(
        (
            holdings.most_shares(symbol) * market.quotes[symbol].price
            for symbol in holdings.symbols()
            if symbol != order.symbol and symbol in market.quotes
        ),
        ZERO,
    )
    gross = others + abs(after) * price
    if gross > limits.gross_exposure_limit:
        raise Rejected(
            Rejection.GROSS_EXPOSURE_LIMIT, f"exposure would be {gross:.2f}, the limit is {limits.gross_exposure_limit}"
        )


def _check_means(order: OrderRequest, holdings: Holdings, price: Decimal, limits: Settings) -> None:
    if order.side is Side.SELL:
        shares = holdings.shares(order.symbol, Side.SELL)
        if order.qty > shares and not limits.allow_short:
            raise Rejected(
                Rejection.INSUFFICIENT_SHARES, f"{max(shares, 0)} {order.symbol} can be sold, not {order.qty}"
            )
        return
    free = holdings.book.cash - sum(
        (
            cost(o.remaining, o.limit_price or o.arrival_price or ZERO, limits)
            for o in holdings.open_orders
            if o.side is Side.BUY
        ),
        ZERO,
    )
    needed = cost(order.qty, order.limit_price or price, limits)
    if needed > free:
        raise Rejected(Rejection.INSUFFICIENT_CASH, f"{needed:.2f} dollars are needed, {max(free, ZERO):.2f} are free")


def cost(qty: int, price: Decimal, limits: Settings) -> Decimal:
    """The most that buying can cost at this quote, with slippage and fee, and with the rounding of each part."""
    dearest = (price * (1 + limits.slippage_bps / 10_000)).quantize(TICK)
    parts = -(-qty // limits.max_shares_per_tick)
    return qty * (dearest + limits.fee_per_share) + parts * CENT / 2
