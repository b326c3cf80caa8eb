"""Asks the market data service for the trading date, for those that must not trust what Redis holds."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import httpx

from apps.answers import get
from apps.background import Refusal, described
from apps.catalogue import market_states_refused_total
from apps.inputs import iso_date
from apps.vocabulary import StateRefusal

SECONDS = 1.0
AGAIN_SECONDS = 1.0
"""How long an answer that does not confirm a date holds for further states of that date."""


class StateRefused(Refusal):
    """The state of the market is not used."""


class NotConfirmed(Refusal):
    """The market data service does not say its trading date, so a new one is not begun."""


class Session:
    """The session as the market data service at this address says it is."""

    def __init__(self, url: str) -> None:
        # trust_env=False, because a proxy in the environment is not for our own services.
        self.http = httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False)

    async def trading_date(self) -> dt.date:
        """The trading date. Raises httpx.HTTPError if there is no answer in a second, ValueError if it is none."""
        answer = (await get(self.http, "the market data service", "/api/v1/session")).json()
        if not isinstance(answer, dict):
            raise ValueError("the answer is not an object")
        return iso_date(answer.get("trading_date"))

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.aclose()


class ConfirmedDate:
    """The trading date that the session has last said. A new one is asked for once, not at each state."""

    def __init__(self, session: Callable[[], Awaitable[dt.date]]) -> None:
        """`session` returns the trading date of the market data service."""
        self._session = session
        self._said: dt.date | None = None
        self._asked_for: dt.date | None = None
        self._again_at = 0.0
        self._problem = ""

    async def ask(self) -> dt.date:
        """Asks now, and returns the answer. Raises what the session does."""
        self._said = await self._session()
        return self._said

    async def confirm(self, date: dt.date) -> None:
        """Returns if a state of the market may have this trading date.

        Otherwise raises `StateRefused`, which is counted, or `NotConfirmed` if nobody answers. The states of the next
        second get the same answer.
        """
        if date == self._said:
            return
        if date != self._asked_for or time.monotonic() >= self._again_at:
            self._problem = ""
            try:
                await self.ask()
            except (httpx.HTTPError, ValueError) as error:
                self._problem = described(error)
            self._asked_for, self._again_at = date, time.monotonic() + AGAIN_SECONDS
        if date == self._said:
            return
        if self._problem:
            raise NotConfirmed(f"nobody confirms the new trading date {date}: {self._problem}")
        refuse(StateRefusal.TRADING_DATE, f"the state of the market is of {date}, the session is of {self._said}")


def refuse(reason: StateRefusal, problem: str) -> NoReturn:
    """Counts a state of the market that is not used, and raises `StateRefused`."""
    market_states_refused_total.add(1, {"reason": reason})
    raise StateRefused(problem)
