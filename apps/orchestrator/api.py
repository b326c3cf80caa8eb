"""The endpoint of the orchestrator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from apps.database import Database
from apps.orchestrator.storage import last_runs


def routes(database: Database) -> APIRouter:
    """Every endpoint below /api/v1."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/runs")
    async def runs(limit: Annotated[int, Query(gt=0, le=1000)] = 20) -> list[dict[str, object]]:
        """The last runs, newest first."""
        return await last_runs(database, limit)

    return router
