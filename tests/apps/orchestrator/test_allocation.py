"""Computing orders from target weights."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.orchestrator.allocation import WantedOrder, orders_for
from apps.vocabulary import Side

HALF = {"AAPL": Decimal("0.5"), "MSFT": Decimal("0.5")}
PRICES = {"AAPL": Decimal(100), "MSFT": Decimal(300), "XOM": Decimal(50)}
ALL = Decimal(1)


def test_without_positions_it_buys_whole_shares_up_to_the_weight() -> None:
    assert orders_for(HALF, {}, PRICES, Decimal(1000), ALL) == [
        WantedOrder("AAPL", Side.BUY, 5),
        WantedOrder("MSFT", Side.BUY, 1),
    ]


def test_sells_come_first() -> None:
    orders = orders_for(HALF, {"AAPL": 0, "MSFT": 3, "XOM": 4}, PRICES, Decimal(1000), ALL)

    assert orders == [
        WantedOrder("MSFT", Side.SELL, 2),
        WantedOrder("XOM", Side.SELL, 4),
        WantedOrder("AAPL", Side.BUY, 5),
    ]


def test_weights_are_parts_of_the_invested_equity_only() -> None:
    assert orders_for({"AAPL": ALL}, {}, PRICES, Decimal(1000), Decimal("0.98")) == [WantedOrder("AAPL", Side.BUY, 9)]


def test_a_position_on_target_needs_no_order() -> None:
    assert orders_for(HALF, {"AAPL": 5, "MSFT": 1}, PRICES, Decimal(1000), ALL) == []


def test_a_short_position_is_bought_back() -> None:
    assert orders_for({}, {"XOM": -7}, PRICES, Decimal(1000), ALL) == [WantedOrder("XOM", Side.BUY, 7)]


def test_a_symbol_without_a_price_raises() -> None:
    with pytest.raises(KeyError):
        orders_for({"GONE": ALL}, {}, PRICES, Decimal(1000), ALL)


@given(
    shares=st.dictionaries(st.sampled_from(list(PRICES)), st.integers(-500, 500)),
    equity=st.decimals(1, 10_000_000, places=2),
)
def test_the_orders_lead_to_the_targets(shares: dict[str, int], equity: Decimal) -> None:
    for order in orders_for(HALF, shares, PRICES, equity, ALL):
        shares = {**shares, order.symbol: shares.get(order.symbol, 0) + order.side.sign * order.qty}

    assert orders_for(HALF, shares, PRICES, equity, ALL) == []
    for symbol, weight in HALF.items():
        missing = weight * equity - shares.get(symbol, 0) * PRICES[symbol]
        assert 0 <= missing < PRICES[symbol]
