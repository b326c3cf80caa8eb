"""What a run buys and sells within the limits, with the prices and the cash that there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from apps.database import Database
from apps.orchestrator.orchestration import Orchestration
from apps.vocabulary import RunResult
from telemetry.testing import Recorded
from tests.apps.markets import market
from tests.apps.orchestrator.conftest import MARKET, PRICES, Services, runs


class Filling:
    """A gateway that books an order only after the book was read `reads` times. It refuses a buy that does not fit."""

    def __init__(self, services: Services, reads: int) -> None:
        self._services = services
        self._reads = reads
        self._due: dict[str, int] = {}
        services.place = self.place
        services.read = self.read

    def place(self, body: dict[str, Any]) -> httpx.Response:
        book, symbol, qty = self._services.book, body["symbol"], body["qty"]
        cost = qty * PRICES[symbol]
        if body["side"] == "sell":
            book["waiting"][symbol] = {"buy": 0, "sell": qty}
            self._due[symbol] = self._reads
        elif cost > float(book["limits"]["cash"]):
            return httpx.Response(409, json={"detail": {"reason": "insufficient_cash"}})
        else:
            book["limits"]["cash"] = str(float(book["limits"]["cash"]) - cost)
            self._hold(symbol, qty)
        return httpx.Response(201, json={"status": "accepted"})

    def read(self) -> None:
        for symbol in list(self._due):
            self._due[symbol] -= 1
            if self._due[symbol] < 0:
                del self._due[symbol]
                qty = self._services.book["waiting"].pop(symbol)["sell"]
                self._hold(symbol, -qty)
                limits = self._services.book["limits"]
                limits["cash"] = str(float(limits["cash"]) + qty * PRICES[symbol])

    def _hold(self, symbol: str, qty: int) -> None:
        positions = self._services.book["positions"]
        shares = positions.get(symbol, {"shares": 0})["shares"] + qty
        positions[symbol] = {"shares": shares, "average_cost": "100.0000"}


async def test_buys_wait_for_the_sells_that_make_room_for_them(
    orchestration: Orchestration, services: Services
) -> None:
    services.targets["weights"] = {"MSFT": "1"}
    services.book["positions"] = {"AAPL": {"shares": 100, "average_cost": "100.0000"}}
    services.book["limits"] |= {"cash": "300.00", "gross_exposure": "12000"}
    Filling(services, reads=3)

    assert await orchestration.run(MARKET) is RunResult.SUCCESS

    assert [(order["side"], order["symbol"], order["qty"]) for order in services.placed] == [
        ("sell", "AAPL", 100),
        ("buy", "MSFT", 50),
    ]


async def test_a_run_whose_sells_are_not_filled_buys_what_fits_and_the_next_one_has_the_rest(
    create: Callable[..., Orchestration], services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    orchestration = create(retry_seconds=0.2)
    services.targets["weights"] = {"MSFT": "1"}
    services.book["positions"] = {"AAPL": {"shares": 100, "average_cost": "100.0000"}}
    services.book["limits"]["cash"] = "2100.00"
    gateway = Filling(services, reads=1000)

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.wanted() == {("AAPL", "sell", 100): 1, ("MSFT", "buy", 10): 1}
    assert "sells are not filled yet, and buys need the room and the cash that they leave" in caplog.text

    for _ in range(1000):
        gateway.read()
    services.placed.clear()
    assert await orchestration.run(MARKET) is RunResult.SUCCESS
    assert services.wanted() == {("MSFT", "buy", 40): 1}


async def test_a_run_that_cannot_read_the_book_after_its_sells_has_failed_and_counts_them(
    orchestration: Orchestration, database: Database, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.book["positions"] = {"XOM": {"shares": 10, "average_cost": "50.0000"}}

    def place(_: dict[str, Any]) -> httpx.Response:
        services.book = httpx.Response(502, text="<html>")
        return httpx.Response(201, json={"status": "filled"})

    services.place = place

    assert await orchestration.run(market(PRICES)) is RunResult.FAILED
    assert services.wanted() == {("XOM", "sell", 10): 1}
    assert await runs(database) == [("failed", 1)]
    assert "502" in caplog.text


async def test_a_run_that_buys_what_fits_at_once_reads_the_book_once(
    orchestration: Orchestration, services: Services
) -> None:
    """An order that a person has left in the book is no reason to wait while there is room."""
    services.book["positions"] = {"XOM": {"shares": 10, "average_cost": "50.0000"}}
    services.book["waiting"] = {"XOM": {"buy": 0, "sell": 10}}
    reads = 0

    def read() -> None:
        nonlocal reads
        reads += 1

    services.read = read

    assert await orchestration.run(market(PRICES)) is RunResult.SUCCESS
    assert reads == 1
    assert services.wanted() == {("AAPL", "buy", 50): 1, ("MSFT", "buy", 25): 1}


async def test_a_position_without_a_price_is_left_and_told_once_and_the_others_are_traded(
    orchestration: Orchestration, services: Services, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    services.book["positions"] = {"OLD": {"shares": 9, "average_cost": "10.0000"}}

    for _ in range(2):
        assert await orchestration.run(MARKET) is RunResult.SUCCESS
    services.book["positions"] = {}
    await orchestration.run(MARKET)

    assert services.wanted() == {("AAPL", "buy", 50): 3, ("MSFT", "buy", 25): 3}
    said = [record.getMessage() for record in caplog.records if "a price for" in record.getMessage()]
    assert said[0] == "finding a price for every position fails: OLD cannot be traded"
    assert said[1].startswith("finding a price for every position works again, after 2 failures")
    assert len(said) == 2


@pytest.mark.parametrize(("previous", "bought"), [({}, 80), ({"AAPL": 100, "OLD": 50}, 40)])
async def test_a_position_without_a_quote_takes_room_at_its_last_known_price(
    orchestration: Orchestration, services: Services, previous: dict[str, object], bought: int
) -> None:
    """At 10 dollars, its cost, it takes 1,000 dollars of some 9,000; at its previous close 5,000."""
    services.targets["weights"] = {"AAPL": "1"}
    services.book["positions"] = {"OLD": {"shares": 100, "average_cost": "10.0000"}}
    services.book["limits"]["gross_exposure"] = "9100"

    assert await orchestration.run(market({"AAPL": 100}, previous=previous or None)) is RunResult.SUCCESS
    assert services.wanted() == {("AAPL", "buy", bought): 1}


async def test_one_symbol_with_all_the_weight_is_traded_within_the_limits_in_a_run_that_succeeds(
    orchestration: Orchestration, services: Services
) -> None:
    """This is what momentum wants when only one price rose."""
    services.targets["weights"] = {"AAPL": "1", "MSFT": "0"}
    services.book |= {"cash": "1000000.00", "equity": "1000000.00"}
    services.book["limits"] |= {"order_size": "150000", "cash": "1000000.00"}
    quote = 101  # the quote has risen when the order arrives

    def check(body: dict[str, Any]) -> httpx.Response:
        taken = body["qty"] * quote <= 150_000
        return httpx.Response(201, json={"status": "filled"}) if taken else httpx.Response(409, json={})

    services.place = check

    assert await orchestration.run(MARKET) is RunResult.SUCCESS
    assert services.wanted() == {("AAPL", "buy", 1485): 1}
