"""The endpoints of the gateway."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import OrderError, UnknownOrder
from apps.execution_gateway.models import CENT, BreakerChange, HighWaterMarkReset, Order, OrderRequest
from apps.vocabulary import Cancellation


async def order_error(_: Request, error: Exception) -> Response:
    """Turns an `OrderError` into the answer."""
    assert isinstance(error, OrderError)
    return JSONResponse({"detail": error.detail}, error.status)


def routes(desk: Desk) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1")

    @router.post("/orders", status_code=201)
    async def place_order(request: OrderRequest, response: Response) -> Order:
        order, new = await desk.placement.place(request)
        response.status_code = 201 if new else 200
        return order

    @router.get("/orders")
    async def list_orders(
        open_only: Annotated[bool, Query(alias="open")] = False, limit: Annotated[int, Query(gt=0, le=1000)] = 100
    ) -> list[Order]:
        async with desk.database.connection() as connection:
            return await ledger.find_orders(connection, open_only=open_only, limit=limit)

    @router.get("/orders/{order_id}")
    async def show_order(order_id: UUID) -> Order:
        async with desk.database.connection() as connection:
            order = await ledger.find_order(connection, order_id)
        if order is None:
            raise UnknownOrder(f"no order has the id {order_id}")
        return order

    @router.delete("/orders/{order_id}")
    async def cancel_order(order_id: UUID) -> Order:
        return await desk.cancel(order_id, Cancellation.CLIENT)

    @router.get("/positions")
    async def positions() -> dict[str, dict[str, object]]:
        async with desk.database.connection() as connection:
            book, _ = await ledger.read_book(connection)
        return {symbol: asdict(position) for symbol, position in book.positions.items()}

    @router.get("/pnl")
    async def pnl() -> dict[str, object]:
        valuation, account = desk.pnl.valuation, desk.pnl.account
        if valuation is None or account is None:
            raise HTTPException(
                503, "P&L is not known yet: a position has no quote, or the book has not been read from PostgreSQL"
            )
        daily = desk.pnl.daily
        return {
            "realized": _cents(valuation.realized),
            "unrealized": _cents(valuation.unrealized),
            "total": _cents(valuation.total),
            "daily": None if daily is None else _cents(daily),
            "equity": _cents(valuation.equity),
            "cash": _cents(valuation.equity - valuation.net),
            "start_of_day_equity": None if account.start_of_day_equity is None else _cents(account.start_of_day_equity),
            "daily_loss_ratio": f"{desk.pnl.worst_loss_ratio:f}",
            "trading_date": account.trading_date,
        }

    @router.get("/circuit-breaker")
    async def show_breaker() -> dict[str, object]:
        async with desk.database.connection() as connection:
            return asdict(await breaker.read(connection))

    @router.post("/circuit-breaker/trip")
    async def trip_breaker(change: BreakerChange) -> dict[str, object]:
        return asdict(await desk.trip(change.reason, change.by))

    @router.post("/circuit-breaker/reset")
    async def reset_breaker(change: BreakerChange) -> dict[str, object]:
        return asdict(await desk.reset(change.reason, change.by))

    @router.post("/high-water-mark/reset")
    async def reset_high_water_mark(change: HighWaterMarkReset) -> dict[str, object]:
        valuation = desk.pnl.valuation
        if valuation is None:
            raise HTTPException(503, "equity is not known yet")
        async with desk.database.transaction() as connection:
            before = await ledger.reset_high_water_mark(connection, valuation.equity, change.reason, change.by)
        return {"before": _cents(before), "after": _cents(valuation.equity)}

    return router


def _cents(amount: Decimal) -> str:
    return str(amount.quantize(CENT))
