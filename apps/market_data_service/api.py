"""The endpoints of the market data service."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from apps.market import MarketState
from apps.market_data_service.feed import Feed


def routes(feed: Feed) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1")

    def state() -> MarketState:
        if feed.state is None:
            raise HTTPException(
                503, "the replay has not started: it waits for PostgreSQL, where its position is stored"
            )
        return feed.state

    @router.get("/session")
    async def session() -> dict[str, object]:
        """The trading date, whether the market is open, and whether the replay is over."""
        now = state()
        return {"trading_date": now.trading_date.isoformat(), "open": now.open, "finished": now.finished}

    @router.get("/quotes")
    async def quotes() -> dict[str, dict[str, object]]:
        """The last quote of every symbol: the price in dollars, and the time of its tick in unix seconds."""
        return {symbol: {"price": str(quote.price), "at": quote.at} for symbol, quote in state().quotes.items()}

    return router
