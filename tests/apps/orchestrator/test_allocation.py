"""Computing orders from target weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apps.execution_gateway.models import OrderRequest
from apps.inputs import MOST_SHARES
from apps.orchestrator.allocation import MARGIN, Holding, Limits, WantedOrder, fitting, orders_for
from apps.vocabulary import Side

HALF = {"AAPL": Decimal("0.5"), "MSFT": Decimal("0.5")}
PRICES = {"AAPL": Decimal(100), "MSFT": Decimal(300), "XOM": Decimal(50)}
ALL = Decimal(1)
WIDE = Limits(Decimal(10**9), Decimal(10**9), Decimal(10**9), Decimal(10**9))


def orders_to(
    weights: Mapping[str, Decimal], shares: Mapping[str, int], *others: Any, **more: Any
) -> list[WantedOrder]:
    """The orders to these weights from positions without open orders."""
    return orders_for(weights, {symbol: Holding(number) for symbol, number in shares.items()}, *others, **more)


def test_without_positions_it_buys_whole_shares_up_to_the_weight() -> None:
    assert orders_to(HALF, {}, PRICES, Decimal(1000), ALL, WIDE) == [
        WantedOrder("AAPL", Side.BUY, 5),
        WantedOrder("MSFT", Side.BUY, 1),
    ]


def test_sells_come_first() -> None:
    orders = orders_to(HALF, {"AAPL": 0, "MSFT": 3, "XOM": 4}, PRICES, Decimal(1000), ALL, WIDE)

    assert orders == [
        WantedOrder("MSFT", Side.SELL, 2),
        WantedOrder("XOM", Side.SELL, 4),
        WantedOrder("AAPL", Side.BUY, 5),
    ]


def test_weights_are_parts_of_the_invested_equity_only() -> None:
    assert orders_to({"AAPL": ALL}, {}, PRICES, Decimal(1000), Decimal("0.98"), WIDE) == [
        WantedOrder("AAPL", Side.BUY, 9)
    ]


def test_a_position_on_target_needs_no_order() -> None:
    assert orders_to(HALF, {"AAPL": 5, "MSFT": 1}, PRICES, Decimal(1000), ALL, WIDE) == []


def test_a_short_position_is_bought_back() -> None:
    assert orders_to({}, {"XOM": -7}, PRICES, Decimal(1000), ALL, WIDE) == [WantedOrder("XOM", Side.BUY, 7)]


def test_a_symbol_without_a_price_has_no_order_and_stops_no_other() -> None:
    weights = {"AAPL": Decimal("0.5"), "GONE": Decimal("0.5")}

    assert orders_to(weights, {"OLD": 7}, PRICES, Decimal(1000), ALL, WIDE) == [WantedOrder("AAPL", Side.BUY, 5)]


def test_positions_without_a_price_leave_less_room_in_the_gross_exposure() -> None:
    narrow = limits(gross_exposure=1000)

    orders = orders_to({"AAPL": ALL}, {"OLD": 7}, PRICES, Decimal(1000), ALL, narrow, unpriced=Decimal(400))

    assert orders == [WantedOrder("AAPL", Side.BUY, 5)]  # 990 less 400


@pytest.mark.parametrize("equity", ["-1000", "-0.01", "0"])
def test_without_equity_nothing_is_bought_or_sold(equity: str) -> None:
    assert orders_to(HALF, {"AAPL": 5, "XOM": 3}, PRICES, Decimal(equity), ALL, WIDE) == []


def test_a_negative_weight_closes_a_position_and_sells_nothing_short() -> None:
    weights = {"AAPL": Decimal("-0.5"), "MSFT": Decimal("-0.5")}

    assert orders_to(weights, {"AAPL": 5}, PRICES, Decimal(1000), ALL, WIDE) == [WantedOrder("AAPL", Side.SELL, 5)]


def test_what_an_open_order_only_will_buy_is_not_sold_yet() -> None:
    holdings = {"XOM": Holding(5, buying=15), "MSFT": Holding(0, buying=2, selling=1)}

    orders = orders_for({}, holdings, PRICES, Decimal(1000), ALL, WIDE)

    assert orders == [WantedOrder("XOM", Side.SELL, 5)]


def test_no_order_has_more_shares_than_the_gateway_takes() -> None:
    wide = limits(10**12, 10**12, 10**12)

    (order,) = orders_to({"AAPL": ALL}, {}, {"AAPL": Decimal("0.01")}, Decimal(10**9), ALL, wide)

    assert order == WantedOrder("AAPL", Side.BUY, MOST_SHARES)
    assert OrderRequest.model_validate(asdict(order)).qty == MOST_SHARES
    with pytest.raises(ValidationError):
        OrderRequest.model_validate({**asdict(order), "qty": MOST_SHARES + 1})


@given(
    shares=st.dictionaries(st.sampled_from(list(PRICES)), st.integers(-500, 500)),
    equity=st.decimals(1, 10_000_000, places=2),
)
def test_the_orders_lead_to_the_targets(shares: dict[str, int], equity: Decimal) -> None:
    for order in orders_to(HALF, shares, PRICES, equity, ALL, WIDE):
        shares = {**shares, order.symbol: shares.get(order.symbol, 0) + order.side.sign * order.qty}

    assert orders_to(HALF, shares, PRICES, equity, ALL, WIDE) == []
    for symbol, weight in HALF.items():
        missing = weight * equity - shares.get(symbol, 0) * PRICES[symbol]
        assert 0 <= missing < PRICES[symbol]


def limits(position: int = 10**9, order_size: int = 10**9, gross_exposure: int = 10**9, cash: int = 10**9) -> Limits:
    return Limits(Decimal(position), Decimal(order_size), Decimal(gross_exposure), Decimal(cash))


def test_one_symbol_with_all_the_weight_is_bought_up_to_the_limit_of_a_position() -> None:
    orders = orders_to({"AAPL": ALL, "MSFT": Decimal(0)}, {}, PRICES, Decimal(1_000_000), ALL, limits(200_000))

    assert orders == [WantedOrder("AAPL", Side.BUY, 1980)]


def test_an_order_is_cut_to_the_limit_of_its_size_and_the_next_run_has_the_rest() -> None:
    small = limits(order_size=10_000)

    assert orders_to({"AAPL": ALL}, {}, PRICES, Decimal(15_000), ALL, small) == [WantedOrder("AAPL", Side.BUY, 99)]
    assert orders_to({"AAPL": ALL}, {"AAPL": 99}, PRICES, Decimal(15_000), ALL, small) == [
        WantedOrder("AAPL", Side.BUY, 51)
    ]
    assert orders_to({}, {"AAPL": 150}, PRICES, Decimal(15_000), ALL, small) == [WantedOrder("AAPL", Side.SELL, 99)]


def test_a_share_that_costs_more_than_an_order_may_is_not_traded() -> None:
    assert orders_to({"AAPL": ALL}, {"MSFT": 1}, PRICES, Decimal(15_000), ALL, limits(order_size=50)) == []


def test_with_a_low_limit_of_the_gross_exposure_all_targets_are_smaller_by_the_same_part() -> None:
    assert orders_to(HALF, {}, PRICES, Decimal(100_000), ALL, limits(gross_exposure=60_000)) == [
        WantedOrder("AAPL", Side.BUY, 297),
        WantedOrder("MSFT", Side.BUY, 99),
    ]


def test_what_cannot_be_sold_at_once_leaves_less_room_for_buys() -> None:
    narrow = limits(order_size=10_000, gross_exposure=20_000)

    assert orders_to({"MSFT": ALL}, {"AAPL": 200}, PRICES, Decimal(20_000), ALL, narrow) == [
        WantedOrder("AAPL", Side.SELL, 99),
        WantedOrder("MSFT", Side.BUY, 32),  # 9,700 dollars are left to 19,800
    ]


@given(
    weights=st.dictionaries(st.sampled_from(list(PRICES)), st.decimals(-1, 1, places=3)),
    shares=st.dictionaries(st.sampled_from(list(PRICES)), st.integers(-500, 500)),
    narrow=st.builds(
        limits, st.integers(1, 50_000), st.integers(1, 50_000), st.integers(1, 100_000), st.integers(0, 50_000)
    ),
)
def test_no_order_is_over_a_limit_and_runs_one_after_the_other_reach_the_end(
    weights: dict[str, Decimal], shares: dict[str, int], narrow: Limits
) -> None:
    for _ in range(1000):
        before = sum(abs(number) * PRICES[symbol] for symbol, number in shares.items())
        orders = orders_to(weights, shares, PRICES, Decimal(100_000), ALL, narrow)
        if not orders:
            break
        narrow = replace(narrow, cash=narrow.cash - sum(o.side.sign * o.qty * PRICES[o.symbol] for o in orders))
        assert narrow.cash >= 0
        for order in orders:
            assert order.qty * PRICES[order.symbol] <= MARGIN * narrow.order_size
            held = shares.get(order.symbol, 0)
            after = held + order.side.sign * order.qty
            assert order.side is Side.BUY or after >= 0
            assert abs(after) <= abs(held) or abs(after) * PRICES[order.symbol] <= MARGIN * narrow.position
            shares = {**shares, order.symbol: after}
        gross = sum(abs(number) * PRICES[symbol] for symbol, number in shares.items())
        assert gross <= max(before, MARGIN * narrow.gross_exposure)
    else:
        raise AssertionError("the runs do not end")


DEAR = replace(WIDE, cost_per_dollar=Decimal("1.0101"), cost_per_share=Decimal("0.0101"))


@pytest.mark.parametrize(
    ("holding", "bought"),
    [
        (Holding(), 198),
        (Holding(held=40), 158),
        (Holding(buying=40), 158),
        (Holding(held=100, selling=40), 98),  # those that are being sold count until they are
        (Holding(held=10, selling=20), 188),
        (Holding(held=-250), 448),  # 250 bought back leave room for what they took
        (Holding(held=-250, buying=100), 348),
        (Holding(held=300), 0),
    ],
)
def test_a_buy_fits_what_the_gross_exposure_leaves_while_open_orders_wait(holding: Holding, bought: int) -> None:
    fits = fitting([WantedOrder("AAPL", Side.BUY, 1000)], {"AAPL": holding}, PRICES, limits(gross_exposure=20_000))

    assert sum(order.qty for order in fits) == bought


def test_what_is_sold_or_bought_of_other_symbols_takes_room_until_it_is_filled() -> None:
    holdings = {"MSFT": Holding(held=20, selling=20), "XOM": Holding(buying=80), "OLD": Holding(held=1)}

    fits = fitting(
        [WantedOrder("AAPL", Side.BUY, 1000)], holdings, PRICES, limits(gross_exposure=20_000), unpriced=Decimal(800)
    )

    assert fits == [WantedOrder("AAPL", Side.BUY, 90)]  # 19,800 less 6,000, 4,000 and 800


def test_buys_fit_one_after_the_other_into_the_exposure_that_is_left() -> None:
    buys = [WantedOrder("AAPL", Side.BUY, 150), WantedOrder("MSFT", Side.BUY, 50), WantedOrder("XOM", Side.BUY, 5)]

    assert fitting(buys, {}, PRICES, limits(gross_exposure=20_000)) == [
        WantedOrder("AAPL", Side.BUY, 150),
        WantedOrder("MSFT", Side.BUY, 16),  # 4,800 dollars are left
    ]


def test_buying_a_short_position_back_needs_cash_and_no_room() -> None:
    short = {"AAPL": Holding(held=-300)}
    buys = [WantedOrder("AAPL", Side.BUY, 300)]

    assert fitting(buys, short, PRICES, limits(gross_exposure=100)) == buys
    assert fitting(buys, short, PRICES, limits(gross_exposure=100, cash=10_000)) == [WantedOrder("AAPL", Side.BUY, 99)]


def test_buys_fit_the_cash_that_is_free_at_the_price_that_the_gateway_reserves() -> None:
    buys = [WantedOrder("AAPL", Side.BUY, 80), WantedOrder("MSFT", Side.BUY, 50)]

    fits = fitting(buys, {}, PRICES, replace(DEAR, cash=Decimal(20_000)))

    assert fits == [
        WantedOrder("AAPL", Side.BUY, 80),  # 8,081.61 of 19,960 dollars
        WantedOrder("MSFT", Side.BUY, 39),  # 11,818.56 of 11,878.39
    ]
    assert fitting(buys, {}, PRICES, replace(DEAR, cash=Decimal(-5))) == []


def test_a_plan_spends_the_cash_that_its_sells_will_bring() -> None:
    poor = replace(DEAR, cash=Decimal(0))

    assert orders_to({"AAPL": ALL}, {"XOM": 200}, PRICES, Decimal(10_000), ALL, poor) == [
        WantedOrder("XOM", Side.SELL, 200),
        WantedOrder("AAPL", Side.BUY, 98),
    ]
    selling = {"XOM": Holding(200, selling=200)}
    assert orders_for({"AAPL": ALL}, selling, PRICES, Decimal(10_000), ALL, poor) == [WantedOrder("AAPL", Side.BUY, 98)]
    assert fitting([WantedOrder("AAPL", Side.BUY, 98)], selling, PRICES, poor) == []
