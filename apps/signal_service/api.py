"""The endpoint of the signal service."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from apps.guard import Problem
from apps.signal_service.signals import Signals
from apps.vocabulary import Strategy


class TargetsAnswer(BaseModel):
    """The part of equity that is wanted in each symbol, as a decimal number. `made_at` is in unix seconds."""

    trading_date: dt.date
    strategy: Strategy
    weights: dict[str, str]
    made_at: float


def routes(signals: Signals) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1", responses={503: {"model": Problem}})

    @router.get("/targets")
    async def targets() -> TargetsAnswer:
        """The last targets: trading date, strategy, weight of each symbol, and when they were made in unix seconds."""
        last = signals.targets
        if last is None:
            raise HTTPException(503, "there are no targets yet: none were made since this service started")
        return TargetsAnswer(
            trading_date=last.trading_date,
            strategy=last.strategy,
            weights={symbol: str(weight) for symbol, weight in last.weights.items()},
            made_at=last.made_at,
        )

    return router
