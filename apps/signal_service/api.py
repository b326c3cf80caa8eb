"""The endpoint of the signal service."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from apps.signal_service.signals import Signals


def routes(signals: Signals) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/targets")
    async def targets() -> dict[str, object]:
        """The last targets: trading date, strategy, weight of each symbol, and when they were made in unix seconds."""
        last = signals.targets
        if last is None:
            raise HTTPException(503, "there are no targets yet: none were made since this service started")
        return {
            "trading_date": last.trading_date.isoformat(),
            "strategy": last.strategy,
            "weights": {symbol: str(weight) for symbol, weight in last.weights.items()},
            "made_at": last.made_at,
        }

    return router
