"""What a book is worth in a state of the market, also when quotes or closes are missing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.execution_gateway.book import Position
from apps.execution_gateway.valuation import equity_at, loss_ratio, price, value
from apps.vocabulary import Side
from tests.apps.execution_gateway.books import a_book, an_order
from tests.apps.markets import TUESDAY, market


@pytest.mark.parametrize(
    ("equity", "start", "ratio"),
    [
        (95, 100, "0.05"),
        (94, 100, "0.06"),
        (100, 100, "0"),
        (150, 100, "0"),
        (0, 100, "1"),
        (-50, 100, "1.5"),
        (-1, 0, "1"),
        (-20, -10, "1"),
        (0, 0, "0"),
        (5, -10, "0"),
    ],
)
def test_the_loss_ratio_is_the_loss_over_start_of_day_equity(equity: int, start: int, ratio: str) -> None:
    assert loss_ratio(Decimal(equity), Decimal(start)) == Decimal(ratio)


def test_a_valuation_has_gross_and_net_exposure_and_a_p_and_l_of_each_symbol() -> None:
    held = {"AAPL": Position(10, Decimal(90)), "MSFT": Position(-4, Decimal(210))}
    book = a_book(held, cash=1200, initial_cash=Decimal(1000), realized=Decimal(-5))

    valuation = value(book, market({"AAPL": 100, "MSFT": 200, "XOM": 1}))

    assert valuation.values == {"AAPL": 1000, "MSFT": -800}
    assert valuation.unrealized_by_symbol == {"AAPL": 100, "MSFT": 40}
    assert [valuation.gross, valuation.net, valuation.equity] == [1800, 200, 1400]
    assert [valuation.unrealized, valuation.total] == [140, 135]
    assert valuation.partial == ()


def test_a_holding_is_valued_at_its_quote_else_at_its_previous_close_else_at_the_last_price_that_was_stored() -> None:
    book = a_book({symbol: Position(10, Decimal(90), Decimal(70)) for symbol in ("AAPL", "MSFT", "XOM")}, cash=0)
    state = market({"AAPL": 100}, previous={"AAPL": 99, "MSFT": 80})

    valuation = value(book, state)

    assert valuation.values == {"AAPL": 1000, "MSFT": 800, "XOM": 700}
    assert valuation.partial == ("MSFT", "XOM")
    assert valuation.equity == 2500
    assert [price(book, state, symbol) for symbol in ("AAPL", "MSFT", "XOM", "IBM")] == [100, 80, 70, None]


def test_a_symbol_that_is_only_in_open_orders_has_its_quote_else_its_close_else_the_dearest_price_of_its_orders() -> (
    None
):
    book = a_book(
        {},
        an_order("XOM", limit=48, arrival=47, worst_price=Decimal(48)),
        an_order("XOM", arrival=46, worst_price=Decimal("46.46")),
        an_order("IBM", Side.SELL, limit=130, arrival=120),
    )

    assert price(book, market({"XOM": 51}, previous={"XOM": 52}), "XOM") == 51
    assert price(book, market({}, previous={"XOM": 52}), "XOM") == 52
    assert [price(book, market({}), symbol) for symbol in ("XOM", "IBM", "AAPL")] == [48, 120, None]


def test_a_loss_that_is_known_in_part_counts() -> None:
    book = a_book({"AAPL": Position(100, Decimal(100), Decimal(100)), "XOM": Position(1, Decimal(50), Decimal(50))})

    before, after = value(book, market({"AAPL": 100})), value(book, market({"AAPL": 25}))

    assert before.partial == after.partial == ("XOM",)
    assert before.equity - after.equity == 7500


def test_the_time_of_a_valuation_is_the_time_of_the_oldest_quote_that_it_uses() -> None:
    old, state = market({"AAPL": 100, "XOM": 50}, age=100), market({"AAPL": 100, "MSFT": 200})
    state.quotes["XOM"] = old.quotes["XOM"]

    assert value(a_book({"AAPL": 1, "XOM": 1}), state).quoted_at == old.at
    assert value(a_book({"AAPL": 1}), state).quoted_at == state.at
    assert value(a_book(), state).quoted_at == state.at  # it uses no quote
    assert value(a_book({"IBM": 1}), state).quoted_at == state.at


def test_a_valuation_says_of_which_book_and_of_which_state_it_is() -> None:
    book, state = a_book({"AAPL": 1}), market({"AAPL": 100}, date=TUESDAY)

    valuation = value(book, state)

    assert valuation.book is book
    assert (valuation.trading_date, valuation.market_at) == (TUESDAY, state.at)


def test_equity_at_the_closes_takes_the_last_stored_price_of_a_symbol_without_one() -> None:
    book = a_book(
        {"AAPL": Position(10, Decimal(90), Decimal(70)), "XOM": Position(-5, Decimal(50), Decimal(40))}, cash=1
    )

    assert equity_at(book, {"AAPL": Decimal(100), "IBM": Decimal(1)}) == 1 + 1000 - 200
    assert equity_at(book, {}) == 1 + 700 - 200
