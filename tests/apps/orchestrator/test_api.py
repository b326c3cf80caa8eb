"""The endpoint of the orchestrator: what a query may ask."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from apps.database import Database
from apps.orchestrator.api import routes


@pytest.mark.parametrize("limit", ["1_0", "1.0", "%205%20", "%EF%BC%95", "0", "1001"])
async def test_a_limit_that_is_no_whole_number_in_digits_is_a_422(limit: str) -> None:
    app = FastAPI()
    app.include_router(routes(Database("postgresql://nowhere", "")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orchestrator") as http:
        answer = await http.get(f"/api/v1/runs?limit={limit}")

    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "limit"])
