"""The endpoint of the orchestrator."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel

from apps.database import Database
from apps.guard import Problem
from apps.inputs import Limit
from apps.orchestrator.storage import last_runs
from apps.vocabulary import RunResult


class Run(BaseModel):
    """A run: how it ended, and how many of its orders were accepted. Both are null while it goes on."""

    id: int
    trading_date: dt.date
    result: RunResult | None
    orders: int | None
    started_at: dt.datetime
    ended_at: dt.datetime | None


def routes(database: Database) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1", responses={503: {"model": Problem}})

    @router.get("/runs")
    async def runs(limit: Limit = 20) -> list[Run]:
        """The last runs, newest first."""
        return [Run.model_validate(run) for run in await last_runs(database, limit)]

    return router
