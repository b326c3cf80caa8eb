"""Fixtures for many tests: their own servers, a real gateway in an open market, and a browser."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from hypothesis import settings

from tests import marks
from tests.servers import Server, both, folder
from tests.services import Service, running
from tests.waiting import wait_until

if TYPE_CHECKING:  # loading it takes half a second, and few tests need it
    from playwright.async_api import Browser

    from tests.browser import Visits

# The same examples on every machine, so that a failure is the same everywhere. No database of examples beside the
# sources, and no time limit, because the machine may be busy. `HYPOTHESIS_PROFILE=search` looks for new ones.
settings.register_profile("same", database=None, deadline=None, derandomize=True)
settings.register_profile("search", database=None, deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Every server of a test is on this machine, so no proxy must be used.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests before `-m` selects by the marks."""
    for item in items:
        marks.add(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wraps the whole test. A fixture could not: fixtures of the session and of the module are made before it."""
    with marks.running(item):
        return (yield)


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Server, Server]]:
    """PostgreSQL and Redis, for tests that leave them running."""
    with both() as started:
        yield started


@pytest.fixture(scope="session")
def gateway() -> Iterator[Service]:
    """The execution gateway, with a real market that is open and has fresh quotes."""
    with folder() as place, both() as (postgres, redis):
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "REPLAY_DAY_SECONDS": "3600"}
        with (
            running("market_data_service", place, settings) as market_data,
            running("execution_gateway", place, settings | {"MARKET_DATA_URL": market_data.url}) as service,
        ):
            wait_until(
                lambda: httpx.get(f"{service.url}/api/v1/pnl").status_code == 200, 10, "the gateway follows the market"
            )
            yield service


@pytest.fixture
def client(gateway: Service) -> Iterator[httpx.Client]:
    """An HTTP client of the real gateway."""
    with httpx.Client(base_url=gateway.url, timeout=10) as http:
        yield http


@pytest.fixture
def order_data() -> dict[str, object]:
    """An order that is accepted."""
    return {"symbol": "AAPL", "side": "buy", "qty": 10}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium. Tests that use it run in the loop of the session."""
    from tests import browser

    async with browser.chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visits(chromium: Browser) -> AsyncIterator[Visits]:
    """Opens pages. Fails the test at its end when one did what it may not."""
    from tests.browser import Visits

    opened = Visits(chromium)
    yield opened
    await opened.close()
    assert opened.unexpected() == []
