"""P&L, equity and exposure, as the desk shows them."""

from __future__ import annotations

import pytest

from apps.catalogue import (
    book_partial,
    cash_dollars,
    circuit_breaker_state,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    equity_high_water_mark_dollars,
    gross_exposure_dollars,
    net_exposure_dollars,
    pnl_dollars,
    pnl_updated_timestamp_seconds,
    position_value_dollars,
    positions_current,
    positions_total,
    start_of_day_equity_dollars,
    unrealized_pnl_dollars,
)
from apps.labels import PnlLabels, SymbolLabels
from apps.vocabulary import PnlType
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    opened,
    see,
)
from tests.apps.execution_gateway.trading import PRICES, account, buy, sell
from tests.apps.markets import TUESDAY, market

pytestmark = pytest.mark.usefixtures("unknown")


async def test_every_figure_follows_the_book_and_the_quotes(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, fee_per_share="0.1", allow_short=True) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 100)  # 10 000 dollars and a fee of 10
        await sell(desk, "MSFT", 20)  # 4 000 dollars short and a fee of 2
        await sell(desk, "AAPL", 40)  # a fee of 4

        state = market({**PRICES, "AAPL": 110, "MSFT": 205})
        await see(desk, state)

    assert recorded(positions_current, SymbolLabels(symbol="AAPL")) == 60
    assert recorded(positions_current, SymbolLabels(symbol="MSFT")) == -20
    assert recorded(positions_total) == 2
    assert recorded(cash_dollars) == 1_000_000 - 10_000 + 4_000 + 4_000 - 16
    assert recorded(position_value_dollars, SymbolLabels(symbol="AAPL")) == 6600
    assert recorded(position_value_dollars, SymbolLabels(symbol="MSFT")) == -4100
    assert recorded(unrealized_pnl_dollars, SymbolLabels(symbol="AAPL")) == 600
    assert recorded(unrealized_pnl_dollars, SymbolLabels(symbol="MSFT")) == -100
    assert [
        recorded(pnl_dollars, PnlLabels(type=kind)) for kind in (PnlType.REALIZED, PnlType.UNREALIZED, PnlType.TOTAL)
    ] == [
        -16,
        500,
        484,
    ]
    assert recorded(equity_dollars) == 1_000_484
    assert recorded(gross_exposure_dollars) == 10_700
    assert recorded(net_exposure_dollars) == 2_500
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(daily_pnl_dollars) == 484
    assert recorded(equity_high_water_mark_dollars) == 1_000_484
    assert recorded(pnl_updated_timestamp_seconds) == state.quotes["AAPL"].at
    assert recorded(book_partial) == 0


async def test_a_fill_is_in_every_figure_without_a_new_state_of_the_market(desk: TestDesk, recorded: Recorded) -> None:
    await see(desk, market({**PRICES, "AAPL": 100}))
    await buy(desk, "AAPL", 100)

    assert recorded(cash_dollars) == 990_000
    assert recorded(position_value_dollars, SymbolLabels(symbol="AAPL")) == 10_000
    assert recorded(equity_dollars) == 1_000_000


async def test_a_closed_position_has_no_series(desk: TestDesk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 10)
    await buy(desk, "XOM", 10)
    await sell(desk, "AAPL", 10)

    for gauge in (positions_current, position_value_dollars, unrealized_pnl_dollars):
        assert recorded(gauge, SymbolLabels(symbol="AAPL")) is None
        assert recorded(gauge, SymbolLabels(symbol="XOM")) is not None
    assert recorded(positions_total) == 1


async def test_a_figure_that_is_not_known_yet_has_no_series(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url) as desk:
        assert recorded(cash_dollars) == 1_000_000
        assert recorded(equity_dollars) is None
        assert recorded(start_of_day_equity_dollars) is None
        assert recorded(pnl_dollars, PnlLabels(type=PnlType.TOTAL)) is None
        assert desk.valuation is None


async def test_the_time_of_pnl_is_the_time_of_the_oldest_quote_that_it_uses(desk: TestDesk, recorded: Recorded) -> None:
    old, mixed = market(PRICES, age=3), market(PRICES)
    await buy(desk, "AAPL", 10)
    mixed.quotes["AAPL"] = old.quotes["AAPL"]

    await see(desk, mixed)

    assert recorded(pnl_updated_timestamp_seconds) == old.quotes["AAPL"].at


async def test_a_holding_with_neither_quote_nor_close_on_a_new_date_is_valued_at_its_last_price(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1900)
    await buy(desk, "XOM", 100)
    known = {"AAPL": 100, "MSFT": 200}

    await see(desk, market(known, date=TUESDAY))
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(book_partial) == 1
    await see(desk, market({**known, "AAPL": 50}, date=TUESDAY, previous=known))

    assert recorded(daily_loss_ratio) == 0.095
    assert recorded(circuit_breaker_state) == 1
    assert recorded(book_partial) == 1
    assert desk.valuation is not None
    assert desk.valuation.partial == ("XOM",)
    assert (await account(desk))["reasons"] == ["lost 9.50% on 2020-03-10, the limit is 5.00%"]
