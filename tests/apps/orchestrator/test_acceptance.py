"""The orchestrator's orders against the gateway's own risk checks: none of them is refused."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.execution_gateway import commands
from apps.execution_gateway.book import Book
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.reservation import cost_per_dollar, cost_per_share
from apps.execution_gateway.settings import Settings
from apps.orchestrator.allocation import Holding, Limits, WantedOrder, fitting, orders_for
from apps.vocabulary import OrderStatus, Side
from tests.apps.execution_gateway.books import PRICES, a_book, an_arrival, an_execution, an_order, limits

QUOTES = {symbol: Decimal(price) for symbol, price in PRICES.items()}
SYMBOLS = st.sampled_from(list(PRICES))


def dollars(least: int, most: int) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(Decimal)


SETTINGS = st.builds(
    limits,
    position_limit=dollars(1_000, 100_000),
    order_size_limit=dollars(1_000, 100_000),
    gross_exposure_limit=dollars(1_000, 200_000),
    slippage_bps=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(20)]),
    fee_per_share=st.sampled_from([Decimal(0), Decimal("0.005")]),
    market_order_band=st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.05")]),
)
POSITIONS = st.dictionaries(SYMBOLS, st.integers(-200, 900).filter(bool))
ORDERS = st.lists(
    st.builds(an_order, SYMBOLS, st.sampled_from(Side), st.integers(1, 300), limit=st.just(60), arrival=st.just(60)),
    max_size=3,
)
WEIGHTS = st.dictionaries(SYMBOLS, st.decimals(0, 1, places=3))


def seen_by_a_client(book: Book, settings: Settings) -> tuple[dict[str, Holding], Limits]:
    holdings = {
        symbol: Holding(
            book.positions[symbol].shares if symbol in book.positions else 0,
            book.waiting.shares.get((symbol, Side.BUY), 0),
            book.waiting.shares.get((symbol, Side.SELL), 0),
        )
        for symbol in book.symbols()
    }
    return holdings, Limits(
        settings.position_limit,
        settings.order_size_limit,
        settings.gross_exposure_limit,
        book.free_cash,
        cost_per_dollar(settings),
        cost_per_share(settings),
    )


def place(draft: Draft, orders: Sequence[WantedOrder]) -> list[Order]:
    placed = []
    for order in orders:
        request = OrderRequest(symbol=order.symbol, side=order.side, qty=order.qty)
        one, _ = commands.place(draft, an_arrival(request))
        assert one.status is OrderStatus.PENDING, f"{order}: {one.reason} {one.message}"
        placed.append(one)
    return placed


@given(
    settings=SETTINGS,
    positions=POSITIONS,
    waiting=ORDERS,
    cash=st.integers(0, 150_000),
    weights=WEIGHTS,
    filled=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_no_order_is_refused_whichever_sells_are_filled_when_the_buys_arrive(
    settings: Settings,
    positions: dict[str, int],
    waiting: list[Order],
    cash: int,
    weights: dict[str, Decimal],
    filled: list[bool],
) -> None:
    book = a_book(positions, *waiting, cash=cash, settings=settings)
    draft = Draft(book, settings)
    holdings, now = seen_by_a_client(book, settings)
    plan = orders_for(weights, holdings, QUOTES, Decimal(100_000), Decimal("0.98"), now)
    sells = place(draft, [order for order in plan if order.side is Side.SELL])
    for seq, (order, done) in enumerate(zip(sells, filled, strict=False), 1):
        if done:
            commands.accept(draft, order.id)
            fill = an_execution(order, seq, price=PRICES[order.symbol])
            commands.book_executions(draft, [fill])

    buys = [order for order in plan if order.side is Side.BUY]
    holdings, now = seen_by_a_client(draft.book, settings)
    fits = fitting(buys, holdings, QUOTES, now)
    place(draft, fits)

    before = {order.symbol: order.qty for order in buys}
    assert all(order.qty <= before[order.symbol] for order in fits)


def test_when_all_sells_are_filled_the_whole_plan_fits() -> None:
    settings = limits(gross_exposure_limit=Decimal(40_000))
    book = a_book({"AAPL": 300}, cash=10_000, settings=settings)
    draft = Draft(book, settings)
    holdings, now = seen_by_a_client(book, settings)
    plan = orders_for({"MSFT": Decimal(1)}, holdings, QUOTES, Decimal(40_000), Decimal("0.98"), now)
    (sell,), buys = place(draft, plan[:1]), plan[1:]

    assert plan == [WantedOrder("AAPL", Side.SELL, 300), WantedOrder("MSFT", Side.BUY, 196)]
    holdings, now = seen_by_a_client(draft.book, settings)
    assert fitting(buys, holdings, QUOTES, now) == [WantedOrder("MSFT", Side.BUY, 48)]  # 9,600 of 39,600 dollars

    commands.accept(draft, sell.id)
    commands.book_executions(draft, [an_execution(sell, 1, price=100)])
    holdings, now = seen_by_a_client(draft.book, settings)
    assert fitting(buys, holdings, QUOTES, now) == buys
