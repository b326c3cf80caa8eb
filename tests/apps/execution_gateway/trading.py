"""What tests of the P&L do with a desk: buy, sell, show it states of the market, and ask for its account."""

from __future__ import annotations

import datetime as dt
from typing import Any

from apps.execution_gateway.desk import Desk
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    order,
)

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
WEDNESDAY = dt.date(2020, 3, 11)


async def buy(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.orders.place(order(symbol, "buy", qty, **more))


async def sell(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.orders.place(order(symbol, "sell", qty, **more))


async def show(desk: TestDesk, *states: Any) -> None:
    """Shows the desk states of the market without waiting for PostgreSQL."""
    for state in states:
        desk.session.date = state.trading_date
        await desk.see(state)


async def account(desk: Desk) -> dict[str, Any]:
    """What PostgreSQL has of the account, and the reason of each change of the breaker."""
    async with desk.database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM gateway.account")
        reasons = await connection.fetch("SELECT reason FROM gateway.breaker_changes ORDER BY id")
    assert row is not None
    return {**row, "reasons": [reason["reason"] for reason in reasons]}
