"""Each risk check at its boundary: the last value that passes, and the first that does not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from apps.execution_gateway.book import Book, Breaker, Position
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.models import OrderRequest
from apps.execution_gateway.reservation import cost, reserved, worst_price
from apps.execution_gateway.risk import check
from apps.market import MarketState
from apps.vocabulary import BreakerState, Cancellation, Rejection, Side
from tests.apps.execution_gateway.books import MARKET, NOW, a_book, an_order, limits
from tests.apps.execution_gateway.conftest import order
from tests.apps.markets import TUESDAY, market

TRIPPED = Breaker(BreakerState.TRIPPED, "why", "ann", dt.datetime.now(dt.UTC))


def verdict(
    request: OrderRequest,
    book: Book | None = None,
    *,
    state: MarketState | None = MARKET,
    now: float | None = None,
    valued_at: float | None = NOW,
    halting: bool = False,
    **changes: Any,
) -> Rejection | Decimal:
    """The quote at arrival, or why the order is refused. It arrives with the state unless `now` is given."""
    if now is None:
        now = NOW if state is None else state.at
        valued_at = now if valued_at == NOW else valued_at
    try:
        return check(request, book or a_book(), state, now, valued_at, halting, limits(**changes))
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


def test_a_quote_may_be_five_seconds_ahead_of_the_clock() -> None:
    assert verdict(order(), now=NOW - 5) == 100
    assert verdict(order(), now=NOW - 5.001) is Rejection.STALE_QUOTE


def test_order_size_limit() -> None:
    assert verdict(order(qty=2000)) == 100
    assert verdict(order(qty=2001)) is Rejection.ORDER_SIZE_LIMIT
    assert verdict(order(side="sell", qty=2001), a_book({"AAPL": 5000})) is Rejection.ORDER_SIZE_LIMIT


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_price_collar(side: str) -> None:
    def limit(price: str) -> Rejection | Decimal:
        return verdict(order(side=side, order_type="limit", limit_price=price), a_book({"AAPL": 100}))

    assert [limit("110"), limit("90")] == [100, 100]
    assert [limit("110.0001"), limit("89.9999")] == [Rejection.PRICE_COLLAR, Rejection.PRICE_COLLAR]


def test_position_limit_counts_the_position_and_open_orders_of_the_same_side() -> None:
    held = a_book({"AAPL": 1500}, an_order("AAPL", Side.BUY, 300, filled=100))

    assert verdict(order(qty=300), held) == 100
    assert verdict(order(qty=301), held) is Rejection.POSITION_LIMIT
    assert verdict(order(qty=300), held, position_limit=199_999) is Rejection.POSITION_LIMIT


def test_position_limit_applies_to_short_positions_too() -> None:
    assert verdict(order(side="sell", qty=2000), allow_short=True) == 100
    assert verdict(order(side="sell", qty=2000), allow_short=True, position_limit=199_999) is Rejection.POSITION_LIMIT


def test_gross_exposure_limit_counts_absolute_position_values() -> None:
    held = a_book({"MSFT": -250, "XOM": 1000})  # 50 000 + 50 000 dollars

    assert verdict(order(qty=1000), held, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


def test_gross_exposure_limit_counts_a_holding_without_a_quote_at_its_last_known_price() -> None:
    held = a_book({"GONE": Position(500, Decimal(300), Decimal(100)), "LATE": Position(-100, Decimal(1), Decimal(1))})
    state = market({"AAPL": 100}, previous={"AAPL": 100, "LATE": 500})  # both are 50 000 dollars

    assert verdict(order(qty=1000), held, state=state, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, state=state, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


def test_gross_exposure_limit_counts_the_open_orders_of_other_symbols() -> None:
    held = a_book(
        {"MSFT": 100},
        an_order("MSFT", Side.BUY, 200, limit=190, filled=50),  # 250 MSFT: 50 000 dollars
        an_order("XOM", Side.SELL, 1000, limit=55),  # 1 000 XOM short: 50 000 dollars
    )

    assert verdict(order(qty=1000), held, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


@pytest.mark.parametrize("waits", [{"limit": 50, "worst_price": Decimal(50)}, {"arrival": 50}])
def test_gross_exposure_limit_counts_an_open_buy_of_a_symbol_without_any_price_at_the_price_of_its_arrival(
    waits: dict[str, Any],
) -> None:
    held = a_book({}, an_order("GONE", Side.BUY, 2000, **waits))  # 100 000 dollars

    assert verdict(order(qty=1000), held, gross_exposure_limit=200_000) == 100
    assert verdict(order(qty=1001), held, gross_exposure_limit=200_000) is Rejection.GROSS_EXPOSURE_LIMIT


def test_an_order_that_reduces_a_position_passes_even_if_a_limit_is_exceeded() -> None:
    held = a_book({"AAPL": 1900, "XOM": -1900})
    low: dict[str, Any] = {"position_limit": 1, "gross_exposure_limit": 1}

    assert verdict(order(side="sell", qty=1900), held, **low) == 100
    assert verdict(order("XOM", "buy", 1900), held, **low) == 50


def test_insufficient_shares() -> None:
    held = a_book({"AAPL": 100}, an_order("AAPL", Side.SELL, 50, limit=105, filled=10), an_order("AAPL", Side.BUY, 99))

    assert verdict(order(side="sell", qty=60), held) == 100
    assert verdict(order(side="sell", qty=61), held) is Rejection.INSUFFICIENT_SHARES
    assert verdict(order(side="sell", qty=61), held, allow_short=True) == 100
    assert verdict(order(side="sell", qty=1), a_book({"AAPL": -5})) is Rejection.INSUFFICIENT_SHARES


def test_insufficient_cash_counts_slippage_the_band_fee_and_rounding() -> None:
    costs: dict[str, Any] = {"slippage_bps": Decimal(10), "fee_per_share": Decimal("0.01")}
    needed = 10 * (Decimal("101.101") + Decimal("0.01")) + Decimal("0.005")  # 100 + 0.1 % + 1 %, and half a cent

    assert verdict(order(), a_book(cash=needed), **costs) == 100
    assert verdict(order(), a_book(cash=needed - Decimal("0.0001")), **costs) is Rejection.INSUFFICIENT_CASH
    assert verdict(order(), a_book(cash="1001.105"), **costs, market_order_band=0) == 100


def test_insufficient_cash_counts_the_rounding_of_the_fee_of_each_part() -> None:
    needed = Decimal(1000) + 4 * Decimal("0.005")

    assert verdict(order(), a_book(cash=needed), market_order_band=0, max_shares_per_tick=3) == 100
    short = a_book(cash=needed - Decimal("0.0001"))
    assert verdict(order(), short, market_order_band=0, max_shares_per_tick=3) is Rejection.INSUFFICIENT_CASH


def test_insufficient_cash_reserves_the_cash_of_open_buys() -> None:
    free = limits(market_order_band=0)
    waiting = (
        an_order("MSFT", Side.BUY, 50, limit=190, filled=10),  # 40 x 190
        an_order("XOM", Side.BUY, 100, arrival=50, worst_price=Decimal(51)),  # a market order that fills in parts
        an_order("MSFT", Side.SELL, 50, limit=210),  # a sell brings no cash before it is filled
    )
    needed = cost(40, Decimal(190), free) + cost(100, Decimal(51), free) + cost(10, Decimal(100), free)
    enough, short = a_book({"MSFT": 50}, *waiting, cash=needed), a_book({"MSFT": 50}, *waiting, cash=needed - 1)

    assert verdict(order(), enough, market_order_band=0) == 100
    assert verdict(order(), short, market_order_band=0) is Rejection.INSUFFICIENT_CASH


def test_a_reservation_is_kept_while_the_cancellation_is_on_its_way() -> None:
    leaving: dict[str, Any] = {"cancelling": Cancellation.CLIENT}
    selling = a_book({"AAPL": 10}, an_order("AAPL", Side.SELL, 10, **leaving))
    buying = a_book({}, an_order("AAPL", Side.BUY, 10, limit=100, **leaving), cash=1500)

    assert verdict(order(side="sell", qty=1), selling) is Rejection.INSUFFICIENT_SHARES
    assert verdict(order(qty=10), buying) is Rejection.INSUFFICIENT_CASH


def test_a_market_buy_may_be_filled_within_the_band_and_a_limit_order_up_to_its_limit() -> None:
    quote, costs = Decimal("33.3333"), limits(slippage_bps=10)

    assert worst_price(order(), quote, costs) == Decimal("33.7003")  # x 1.001 x 1.01, rounded up
    assert worst_price(order(order_type="limit", limit_price="35"), quote, costs) == 35
    assert worst_price(order(side="sell"), quote, costs) is None


def test_the_cash_of_an_open_buy_is_reserved_at_the_dearest_price_that_is_known() -> None:
    free = limits()

    assert reserved(an_order(qty=10, filled=4, worst_price=Decimal(101)), free) == cost(6, Decimal(101), free)
    assert reserved(an_order(qty=10, limit=105), free) == cost(10, Decimal(105), free)
    assert reserved(an_order(qty=10, arrival=99), free) == cost(10, Decimal(99), free)


def test_a_limit_order_needs_cash_at_its_limit_price() -> None:
    free = limits()
    request = order(order_type="limit", limit_price="105")

    assert verdict(request, a_book(cash=cost(10, Decimal(105), free))) == 100
    assert verdict(request, a_book(cash=cost(10, Decimal(105), free) - 1)) is Rejection.INSUFFICIENT_CASH


def test_a_tripped_breaker_and_one_that_is_being_tripped_refuse_orders_that_add_risk() -> None:
    assert verdict(order(), a_book(breaker=TRIPPED)) is Rejection.BREAKER_TRIPPED
    assert verdict(order(), halting=True) is Rejection.BREAKER_TRIPPED


def test_an_order_that_adds_risk_is_refused_when_the_book_was_not_valued_for_10_seconds() -> None:
    assert verdict(order(), valued_at=NOW - 10, stale_quote_seconds=60) == 100
    assert verdict(order(), valued_at=NOW - 10.001, stale_quote_seconds=60) is Rejection.BOOK_UNKNOWN
    assert verdict(order(), valued_at=None) is Rejection.BOOK_UNKNOWN


@pytest.mark.parametrize("valued_at", [NOW, None], ids=["valued", "never valued"])
def test_an_order_that_reduces_a_position_passes_the_breaker_and_a_book_that_is_not_valued(
    valued_at: float | None,
) -> None:
    held = a_book({"AAPL": 10, "XOM": -10}, breaker=TRIPPED)

    assert verdict(order(side="sell", qty=10), held, valued_at=valued_at, halting=True) == 100
    assert verdict(order("XOM", "buy", 10), held, valued_at=valued_at, halting=True) == 50


def test_an_order_of_a_date_that_has_not_begun_in_the_book_is_refused() -> None:
    tuesday = market({"AAPL": 100}, date=TUESDAY)

    assert verdict(order(), state=tuesday) is Rejection.MARKET_CLOSED
    assert verdict(order(), a_book(trading_date=None), state=tuesday) is Rejection.MARKET_CLOSED
    assert verdict(order(), a_book(trading_date=TUESDAY), state=tuesday) == 100


def test_the_breaker_is_checked_before_the_limits() -> None:
    assert verdict(order(qty=5000), a_book(breaker=TRIPPED)) is Rejection.BREAKER_TRIPPED
    assert verdict(order("TSLA"), a_book(breaker=TRIPPED)) is Rejection.UNKNOWN_SYMBOL
