"""An orchestrator with a real PostgreSQL, and a gateway and a signal service that answer what a test sets."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from apps.database import Database
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.orchestration import Orchestration
from apps.orchestrator.settings import Settings
from apps.orchestrator.storage import SCHEMA, last_runs
from tests.apps.markets import MONDAY, market

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
MARKET = market({"AAPL": 100, "MSFT": 200})
LIMITS = {
    "position": "200000",
    "order_size": "200000",
    "gross_exposure": "1500000",
    "cash": "11000.00",
    "cost_per_dollar": "1.0101",
    "cost_per_share": "0.0101",
}


def answered(what: object) -> httpx.Response:
    return what if isinstance(what, httpx.Response) else httpx.Response(200, json=what)


class Services:
    """A gateway and a signal service that answer what the test sets, and the trading date of market data."""

    def __init__(self) -> None:
        self.date: dt.date | None = MONDAY
        """None: the market data service does not answer."""
        self.dates_asked = 0
        self.targets: Any = {"trading_date": "2020-03-09", "weights": {"AAPL": "0.5", "MSFT": "0.5"}}
        self.book: Any = {
            "version": 12,
            "booked_at": 1700000000.5,
            "market_at": 1700000001.2,
            "trading_date": "2020-03-09",
            "cash": "10000.00",
            "equity": "10000.00",
            "breaker": "OPEN",
            "positions": {},
            "waiting": {},
            "limits": dict(LIMITS),
        }
        self.place: Callable[[dict[str, Any]], httpx.Response] = lambda body: httpx.Response(
            201, json={"status": "filled"}
        )
        self.read: Callable[[], None] = lambda: None
        self.placed: list[dict[str, Any]] = []
        self.health: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200)
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path:
            case "GET", "/health":
                self.asked += 1
                return self.health(request)
            case "GET", "/api/v1/targets":
                return answered(self.targets)
            case "GET", "/api/v1/book":
                self.read()
                return answered(self.book)
            case "POST", "/api/v1/orders":
                self.placed.append(json.loads(request.content))
                return self.place(self.placed[-1])
        raise AssertionError(f"{request.method} {request.url}")

    async def trading_date(self) -> dt.date:
        self.dates_asked += 1
        if self.date is None:
            raise httpx.ConnectError("refused")
        return self.date

    def wanted(self) -> Counter[tuple[str, str, int]]:
        return Counter((order["symbol"], order["side"], order["qty"]) for order in self.placed)


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SCHEMA)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def create(database: Database, services: Services) -> AsyncIterator[Callable[..., Orchestration]]:
    """Creates an orchestrator, as its service does at each start."""
    transport = httpx.MockTransport(services)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://signals") as signals,
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway,
    ):
        yield lambda **settings: Orchestration(
            Settings(**{"invested": 1, **settings}),
            database,
            SignalService(signals),
            ExecutionGateway(gateway),
            services.trading_date,
        )


@pytest.fixture
def orchestration(create: Callable[..., Orchestration]) -> Orchestration:
    return create()


async def runs(database: Database) -> list[tuple[object, object]]:
    return [(run["result"], run["orders"]) for run in await last_runs(database, 10)]
