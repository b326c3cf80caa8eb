"""The risk checks, which decide whether an order may go to the venue. Do no input or output."""

from __future__ import annotations

from decimal import Decimal

from apps.execution_gateway.book import ZERO, Book
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.models import OrderRequest
from apps.execution_gateway.reservation import cost, worst_price
from apps.execution_gateway.settings import Settings
from apps.execution_gateway.valuation import price
from apps.market import FUTURE_SECONDS, MarketState
from apps.vocabulary import Rejection, Side

VALUED_SECONDS = 10.0
"""When the book has not been valued for this long, nobody knows the loss, and orders that add risk are refused."""


def check(
    order: OrderRequest,
    book: Book,
    market: MarketState | None,
    now: float,
    valued_at: float | None,
    halting: bool,
    limits: Settings,
) -> Decimal:
    """Returns the quote at arrival, or raises `Rejected`.

    `valued_at` is when the book was last valued, or None if it never was. `halting` says that a trip was asked for,
    which may not be stored yet.
    """
    if market is None:
        raise Rejected(Rejection.STALE_QUOTE, "no quote has arrived yet")
    quote = market.quotes.get(order.symbol)
    if quote is None:
        raise Rejected(Rejection.UNKNOWN_SYMBOL, f"{order.symbol} is not quoted here")
    if book.adds_risk(order.symbol, order.side, order.qty):
        if halting or book.tripped:
            raise Rejected(Rejection.BREAKER_TRIPPED, "the circuit breaker is tripped, and the order adds risk")
        if valued_at is None or now - valued_at > VALUED_SECONDS:
            raise Rejected(Rejection.BOOK_UNKNOWN, f"{_why_unknown(book, market)}, and the order adds risk")
    if not market.open:
        raise Rejected(Rejection.MARKET_CLOSED, "the market is closed")
    if market.trading_date != book.trading_date:
        raise Rejected(Rejection.MARKET_CLOSED, f"the trading date {market.trading_date} has not begun here yet")
    age = now - quote.at
    if age < -FUTURE_SECONDS:
        raise Rejected(Rejection.STALE_QUOTE, f"the last {order.symbol} quote is {-age:.1f} s ahead of the clock")
    if age > limits.stale_quote_seconds:
        raise Rejected(Rejection.STALE_QUOTE, f"the last {order.symbol} quote is {age:.1f} s old")
    _check_size(order, book, quote.price, market, limits)
    _check_means(order, book, quote.price, limits)
    return quote.price


def _why_unknown(book: Book, market: MarketState) -> str:
    unquoted = sorted(book.positions.keys() - market.quotes.keys())
    why = "the book could not be valued for 10 s"
    return f"{why}: the market does not quote {', '.join(unquoted[:5])}" if unquoted else why


def _check_size(order: OrderRequest, book: Book, quote: Decimal, market: MarketState, limits: Settings) -> None:
    notional = order.qty * quote
    if notional > limits.order_size_limit:
        raise Rejected(Rejection.ORDER_SIZE_LIMIT, f"{notional:.2f} is over the limit of {limits.order_size_limit}")
    if order.limit_price is not None and abs(order.limit_price / quote - 1) > limits.price_collar:
        raise Rejected(
            Rejection.PRICE_COLLAR, f"limit_price is more than {limits.price_collar:%} away from the quote of {quote}"
        )
    if not book.adds_risk(order.symbol, order.side, order.qty):
        return
    after = book.shares(order.symbol, order.side) + order.side.sign * order.qty
    if abs(after) * quote > limits.position_limit:
        raise Rejected(
            Rejection.POSITION_LIMIT,
            f"the position would be {abs(after) * quote:.2f}, the limit is {limits.position_limit}",
        )
    others = sum(
        (
            book.most_shares(symbol) * (price(book, market, symbol) or ZERO)
            for symbol in book.symbols()
            if symbol != order.symbol
        ),
        ZERO,
    )
    gross = others + abs(after) * quote
    if gross > limits.gross_exposure_limit:
        raise Rejected(
            Rejection.GROSS_EXPOSURE_LIMIT, f"exposure would be {gross:.2f}, the limit is {limits.gross_exposure_limit}"
        )


def _check_means(order: OrderRequest, book: Book, quote: Decimal, limits: Settings) -> None:
    if order.side is Side.SELL:
        shares = book.shares(order.symbol, Side.SELL)
        if order.qty > shares and not limits.allow_short:
            raise Rejected(
                Rejection.INSUFFICIENT_SHARES, f"{max(shares, 0)} {order.symbol} can be sold, not {order.qty}"
            )
        return
    free = book.free_cash
    dearest = worst_price(order, quote, limits)
    assert dearest is not None
    needed = cost(order.qty, dearest, limits)
    if needed > free:
        raise Rejected(Rejection.INSUFFICIENT_CASH, f"{needed:.2f} dollars are needed, {max(free, ZERO):.2f} are free")
