"""What the orchestrator asks of the other services, over HTTP."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from apps.orchestrator.allocation import WantedOrder
from apps.vocabulary import Side, SubmissionResult

# What the first answer said, when the order is sent once more.
_ENDED_BADLY = {
    "rejected": SubmissionResult.REJECTED,
    "failed": SubmissionResult.FAILED,
    "pending": SubmissionResult.FAILED,  # not known yet: the next run asks what is held
}


_REASON_CHARACTERS = 200
"""Of an answer, for the log."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The signal service's answer."""

    trading_date: dt.date
    weights: dict[str, Decimal]


class SignalService:
    """GET /api/v1/targets; every method raises httpx.HTTPError when it does not answer well."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def targets(self) -> Targets:
        """The last target weights."""
        answer = (await self.http.get("/api/v1/targets")).raise_for_status().json()
        return Targets(
            dt.date.fromisoformat(answer["trading_date"]),
            {symbol: Decimal(weight) for symbol, weight in answer["weights"].items()},
        )


class ExecutionGateway:
    """Orders, positions, P&L and the breaker; every method raises httpx.HTTPError when it does not answer well."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def tripped(self) -> bool:
        """Whether the circuit breaker is tripped."""
        answer = (await self.http.get("/api/v1/circuit-breaker")).raise_for_status().json()
        return bool(answer["state"] == "TRIPPED")

    async def equity(self) -> Decimal:
        """In dollars."""
        return Decimal((await self.http.get("/api/v1/pnl")).raise_for_status().json()["equity"])

    async def shares(self) -> dict[str, int]:
        """Signed shares by symbol, as if every open order were filled."""
        before = await self._open_orders()
        while True:
            positions = (await self.http.get("/api/v1/positions")).raise_for_status().json()
            orders = await self._open_orders()
            # A fill between the two questions would be in both answers, or in none of them.
            if orders == before:
                break
            before = orders
        shares = {symbol: position["shares"] for symbol, position in positions.items()}
        for order in orders:
            waiting = Side(order["side"]).sign * (order["qty"] - order["filled_qty"])
            shares[order["symbol"]] = shares.get(order["symbol"], 0) + waiting
        return shares

    async def _open_orders(self) -> list[dict[str, Any]]:
        answer = await self.http.get("/api/v1/orders", params={"open": True, "limit": 1000})
        orders: list[dict[str, Any]] = answer.raise_for_status().json()
        return orders

    async def place(self, order: WantedOrder, client_order_id: str) -> tuple[SubmissionResult, str]:
        """Places it: what became of it, and why it was not accepted.

        An order whose answer was lost is sent once more: the id makes it the same order.
        """
        body = {"symbol": order.symbol, "side": order.side, "qty": order.qty, "client_order_id": client_order_id}
        try:
            answer = await self.http.post("/api/v1/orders", json=body)
        except httpx.TransportError:
            answer = await self.http.post("/api/v1/orders", json=body)
        if answer.status_code in (200, 201):
            placed = answer.json()
            return _ENDED_BADLY.get(placed["status"], SubmissionResult.ACCEPTED), str(placed.get("reason"))
        refused = answer.status_code in (409, 422)
        return SubmissionResult.REJECTED if refused else SubmissionResult.FAILED, answer.text[:_REASON_CHARACTERS]
