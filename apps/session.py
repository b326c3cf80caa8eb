"""Asks the market data service for the trading date, for those that must not trust what Redis holds."""

from __future__ import annotations

import asyncio
import datetime as dt

import httpx

from apps.inputs import iso_date

SECONDS = 1.0


class Session:
    """The session as the market data service at this address says it is."""

    def __init__(self, url: str) -> None:
        # trust_env=False, because a proxy in the environment is not for our own services.
        self.http = httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False)

    async def trading_date(self) -> dt.date:
        """The trading date. Raises httpx.HTTPError if there is no answer in a second, ValueError if it is none."""
        try:
            # The limit of httpx is for each part of the answer.
            async with asyncio.timeout(SECONDS):
                answer = (await self.http.get("/api/v1/session")).raise_for_status().json()
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no answer in {SECONDS:g} s") from error
        if not isinstance(answer, dict):
            raise ValueError("the answer is not an object")
        return iso_date(answer.get("trading_date"))

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.aclose()
