"""The endpoints of the gateway."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import httpx
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from apps.execution_gateway import ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import OrderError, UnknownOrder
from apps.execution_gateway.models import (
    CENT,
    BookAnswer,
    BreakerAnswer,
    BreakerChange,
    BreakerNow,
    HeldPosition,
    HighWaterMarkReset,
    LimitsAnswer,
    MarkAnswer,
    Order,
    OrderRequest,
    PnlAnswer,
    PositionsAnswer,
    Refusal,
    TradingDateAnswer,
    TradingDateReset,
    TripAnswer,
)
from apps.execution_gateway.reservation import cost_per_dollar, cost_per_share
from apps.guard import Problem
from apps.inputs import Limit, Text
from apps.vocabulary import Cancellation, Side


async def order_error(_: Request, error: Exception) -> Response:
    """Turns an `OrderError` into the answer."""
    assert isinstance(error, OrderError)
    return JSONResponse({"detail": error.detail}, error.status, error.headers)


def routes(desk: Desk) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1", responses={503: {"model": Refusal | Problem}})

    @router.post(
        "/orders",
        status_code=201,
        responses={
            200: {"model": Order, "description": "The first order with this client_order_id"},
            409: {"model": Refusal},
            429: {"model": Refusal, "description": "The client sends too many orders: see Retry-After"},
        },
    )
    async def place_order(request: OrderRequest, http: Request, response: Response) -> Order:
        desk.rate.check(request, "" if http.client is None else http.client.host)
        order, new = await desk.orders.place(request)
        response.status_code = 201 if new else 200
        return order

    @router.get("/orders")
    async def list_orders(
        response: Response,
        open_only: Annotated[bool, Query(alias="open")] = False,
        limit: Limit = 100,
        before: UUID | None = None,
        client_order_id: Text | None = None,
    ) -> list[Order]:
        """The newest orders first. The header `Link` has the address of the next page, if there is one."""
        async with desk.database.snapshot() as connection:
            orders = await ledger.find_orders(
                connection, open_only=open_only, limit=limit, before=before, client_order_id=client_order_id
            )
        if len(orders) == limit and client_order_id is None:
            more = f"/api/v1/orders?open={str(open_only).lower()}&limit={limit}&before={orders[-1].id}"
            response.headers["Link"] = f'<{more}>; rel="next"'
        return orders

    @router.get("/orders/{order_id}", responses={404: {"model": Problem}})
    async def show_order(order_id: UUID) -> Order:
        async with desk.database.snapshot() as connection:
            order = await ledger.find_order(connection, order_id)
        if order is None:
            raise UnknownOrder(f"no order has the id {order_id}")
        return order

    @router.delete("/orders/{order_id}", responses={404: {"model": Problem}, 409: {"model": Problem}})
    async def cancel_order(order_id: UUID) -> Order:
        return await desk.orders.cancel(order_id, Cancellation.CLIENT)

    @router.get("/positions")
    async def positions() -> PositionsAnswer:
        now = _book(desk)
        return PositionsAnswer(version=now.version, booked_at=now.at, positions=_positions(now))

    @router.get("/book")
    async def book() -> BookAnswer:
        """Everything that a program needs to decide on orders, all of one version of the book."""
        now, valuation = _book(desk), desk.valuation
        valued = valuation if valuation is not None and valuation.book is now else None
        return BookAnswer(
            version=now.version,
            booked_at=now.at,
            market_at=None if valued is None else valued.market_at,
            trading_date=now.trading_date,
            cash=_cents(now.cash),
            equity=None if valued is None else _cents(valued.equity),
            breaker=now.breaker.state,
            positions=_positions(now),
            waiting={
                symbol: {side: now.waiting.shares.get((symbol, side), 0) for side in Side}
                for symbol in sorted({symbol for symbol, _ in now.waiting.shares})
            },
            limits=LimitsAnswer(
                position=f"{desk.settings.position_limit:f}",
                order_size=f"{desk.settings.order_size_limit:f}",
                gross_exposure=f"{desk.settings.gross_exposure_limit:f}",
                cash=f"{now.free_cash:f}",
                cost_per_dollar=f"{cost_per_dollar(desk.settings):f}",
                cost_per_share=f"{cost_per_share(desk.settings):f}",
            ),
        )

    @router.get("/pnl")
    async def pnl() -> PnlAnswer:
        valuation, today = desk.valuation, desk.pnl.today
        if valuation is None or today is None:
            raise HTTPException(
                503, "P&L is not known yet: no state of the market has arrived, or the book has not been read"
            )
        return PnlAnswer(
            realized=_cents(valuation.book.realized),
            unrealized=_cents(valuation.unrealized),
            total=_cents(valuation.total),
            daily=_cents(valuation.equity - today.start_of_day_equity),
            equity=_cents(valuation.equity),
            cash=_cents(valuation.book.cash),
            start_of_day_equity=_cents(today.start_of_day_equity),
            daily_loss_ratio=f"{today.worst:f}",
            trading_date=today.trading_date,
            without_quote=list(valuation.partial),
            version=valuation.book.version,
            booked_at=valuation.book.at,
            quoted_at=valuation.quoted_at,
        )

    @router.get("/circuit-breaker")
    async def show_breaker() -> BreakerNow:
        book = _book(desk)
        return BreakerNow(
            **asdict(book.breaker),
            trip_asked=desk.switch.halting,
            stored=book.tripped,
            venue_halted=book.halt.confirmed if desk.switch.venue_halted is None else desk.switch.venue_halted,
        )

    @router.post("/circuit-breaker/trip", response_model=TripAnswer, responses={503: {"model": TripAnswer | Refusal}})
    async def trip_breaker(change: BreakerChange) -> Response:
        """Trips the breaker. 503 if a part is not done yet: the answer says which, and the desk goes on with it."""
        report = await desk.switch.trip(change.reason, change.by)
        done = report.stored and report.venue_halted
        content = {**asdict(report.breaker), "stored": report.stored, "venue_halted": report.venue_halted}
        if not done:
            parts = [
                *([] if report.stored else ["stored"]),
                *([] if report.venue_halted else ["confirmed by the venue"]),
            ]
            content["detail"] = (
                f"orders that add risk are refused, but the trip is not {' nor '.join(parts)} yet; that is tried on"
            )
        return Response(_JSON.dump_json(content), 200 if done else 503, media_type="application/json")

    @router.post("/circuit-breaker/reset")
    async def reset_breaker(change: BreakerChange) -> BreakerAnswer:
        return BreakerAnswer(**asdict(await desk.switch.reset(change.reason, change.by)))

    @router.post("/high-water-mark/reset")
    async def reset_high_water_mark(change: HighWaterMarkReset) -> MarkAnswer:
        done = await desk.reset_high_water_mark(change.reason, change.by)
        if done is None:
            raise HTTPException(
                503, "equity is not known: no state of the market has arrived, or a holding has no quote"
            )
        return MarkAnswer(before=_cents(done.before), after=_cents(done.after))

    @router.post("/trading-date/reset")
    async def reset_trading_date(_: TradingDateReset) -> TradingDateAnswer:
        """Goes to the trading date of the market data service, when the desk has a wrong one."""
        try:
            return TradingDateAnswer(trading_date=await desk.mend_trading_date())
        except (httpx.HTTPError, ValueError) as error:
            raise HTTPException(503, "the market data service does not say its trading date") from error

    return router


_JSON = TypeAdapter(dict[str, object])


def _book(desk: Desk) -> Book:
    if desk.writer.book is None:
        raise HTTPException(503, "the book has not been read from PostgreSQL yet")
    return desk.writer.book


def _positions(book: Book) -> dict[str, HeldPosition]:
    return {
        symbol: HeldPosition(shares=position.shares, average_cost=position.average_cost)
        for symbol, position in book.positions.items()
    }


def _cents(amount: Decimal) -> str:
    return str(amount.quantize(CENT))
