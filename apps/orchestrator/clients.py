"""HTTP clients for the signal service and the execution gateway."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from apps.orchestrator.allocation import WantedOrder
from apps.vocabulary import Side, SubmissionResult

# An order that is sent a second time gets the status of the first one. These statuses do not mean accepted.
_ENDED_BADLY = {
    "rejected": SubmissionResult.REJECTED,
    "failed": SubmissionResult.FAILED,
    "pending": SubmissionResult.FAILED,  # the outcome is not known yet; the next run reads the positions again
}


_REASON_CHARACTERS = 200
"""How much of an error answer is logged."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The signal service's answer."""

    trading_date: dt.date
    weights: dict[str, Decimal]


class SignalService:
    """Reads targets. Raises httpx.HTTPError if the service cannot be reached or answers with an error status."""

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
    """Places orders, and reads positions, equity and the breaker.

    Every method raises httpx.HTTPError if the gateway cannot be reached. Those that read also raise it if the gateway
    answers with an error status.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def tripped(self) -> bool:
        """Whether the circuit breaker is tripped."""
        answer = (await self.http.get("/api/v1/circuit-breaker")).raise_for_status().json()
        return bool(answer["state"] == "TRIPPED")

    async def equity(self) -> Decimal:
        """The equity in dollars."""
        return Decimal((await self.http.get("/api/v1/pnl")).raise_for_status().json()["equity"])

    async def shares(self) -> dict[str, int]:
        """Signed shares by symbol, as if every open order were filled."""
        before = await self._open_orders()
        while True:
            positions = (await self.http.get("/api/v1/positions")).raise_for_status().json()
            orders = await self._open_orders()
            # With a fill between the two requests, it would be counted twice or not at all. So ask again.
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
        """Places the order. Returns the result, and the reason if it was not accepted.

        If the answer is lost, the order is sent once more. The gateway knows by the id that it is the same order.
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
