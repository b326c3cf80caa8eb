"""What can go wrong at the desk itself is brought about for real, and the page or the warning that says so comes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.drills.figures import say
from tests.drills.platform import Platform
from tests.drills.test_pool import locked

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(1000)]


def execute(platform: Platform, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(str(platform.stack.addresses["database_url"]))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


@contextmanager
def a_position_edited_at_the_venue(platform: Platform) -> Iterator[None]:
    """Somebody corrects a number by hand, in the book of the venue."""
    execute(platform, "UPDATE venue.positions SET shares = shares + 7 WHERE symbol = 'KO'")
    try:
        yield
    finally:
        execute(platform, "UPDATE venue.positions SET shares = shares - 7 WHERE symbol = 'KO'")


@contextmanager
def a_forgotten_lock_on_the_executions(platform: Platform) -> Iterator[None]:
    """Fetching executions hangs; the gateway and PostgreSQL answer."""
    with locked(str(platform.stack.addresses["database_url"]), "venue.executions"):
        yield


@contextmanager
def an_algorithm_whose_orders_are_too_large(platform: Platform) -> Iterator[None]:
    """Every half a second an order over the limit of its size. A risk check refuses it."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.5):
            platform.post("execution_gateway", "/api/v1/orders", {"symbol": "AAPL", "side": "buy", "qty": 1_000_000})

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("fault", "alert", "channel", "limit"),
    [
        (a_position_edited_at_the_venue, "PositionsDoNotReconcile", "pagerduty", 45),
        (a_forgotten_lock_on_the_executions, "DeskDutyLate", "pagerduty", 75),
        (an_algorithm_whose_orders_are_too_large, "OrderRejectionsHigh", "slack", 120),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_fault_of_the_desk_is_told_as_what_it_is_and_as_nothing_else(
    platform: Platform,
    fault: Callable[[Platform], Iterator[None]],
    alert: str,
    channel: str,
    limit: float,
    record_property: Callable[[str, object], None],
) -> None:
    began = time.time()
    with fault(platform):  # type: ignore[attr-defined]
        told = platform.wait_for_page(alert, "firing", began, 180, channel=channel)
        say(record_property, f"{fault.__name__} to {alert}", [told.received_at - began])
    over = time.time()
    resolved = platform.wait_for_page(alert, "resolved", over, 600, channel=channel)
    say(record_property, f"its end to {alert} resolved", [resolved.received_at - over])
    # What was refused meanwhile counts as refused for five minutes, and that is a warning.
    platform.wait_until_well(400)

    assert told.received_at - began <= limit
    assert {name for name, _ in platform.said(began)} <= {alert}
    # Another duty that is late joins the same incident, and is told with it.
    statuses = [page.status for page in platform.pages(began, channel) if page.name == alert]
    assert sorted(set(statuses)) == ["firing", "resolved"]
    assert statuses[-1] == "resolved"
