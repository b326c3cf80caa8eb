"""The endpoints of the market data service."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from apps.guard import Problem
from apps.market import MarketState
from apps.market_data_service.feed import Feed


class SessionAnswer(BaseModel):
    """The trading date, whether the market is open, and whether the replay is over."""

    trading_date: dt.date
    open: bool
    finished: bool


class QuoteAnswer(BaseModel):
    """A price in dollars, and the time of its tick in unix seconds."""

    price: str
    at: float


def routes(feed: Feed) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1", responses={503: {"model": Problem}})

    def state() -> MarketState:
        if feed.state is None:
            raise HTTPException(
                503, "the replay has not started: it waits for PostgreSQL, where its position is stored"
            )
        return feed.state

    @router.get("/session")
    async def session() -> SessionAnswer:
        """The trading date, whether the market is open, and whether the replay is over."""
        now = state()
        return SessionAnswer(trading_date=now.trading_date, open=now.open, finished=now.finished)

    @router.get("/quotes")
    async def quotes() -> dict[str, QuoteAnswer]:
        """The last quote of every symbol: the price in dollars, and the time of its tick in unix seconds."""
        return {symbol: QuoteAnswer(price=str(quote.price), at=quote.at) for symbol, quote in state().quotes.items()}

    return router
