"""HTTP clients for the signal service and the execution gateway."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import httpx
from pydantic import TypeAdapter

from apps.inputs import Amount, Symbol, TradingDate, Weight
from apps.orchestrator.allocation import Limits, WantedOrder
from apps.vocabulary import BreakerState, SubmissionResult

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

    trading_date: TradingDate
    weights: dict[Symbol, Weight]


_TARGETS = TypeAdapter(Targets)
_AMOUNT = TypeAdapter[Decimal](Amount)


class SignalService:
    """Reads targets. Raises httpx.HTTPError if the service cannot be reached or answers with an error status."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def targets(self) -> Targets:
        """The last target weights."""
        answer = (await self.http.get("/api/v1/targets")).raise_for_status().json()
        return _TARGETS.validate_python(answer)


@dataclass(frozen=True, slots=True)
class Book:
    """The gateway's book at one moment. `equity` is None if the gateway does not know it."""

    equity: Decimal | None
    tripped: bool
    shares: dict[str, int]
    """Signed shares by symbol, as if every open order were filled."""
    limits: Limits


class ExecutionGateway:
    """Reads the book and places orders.

    Both raise httpx.HTTPError if the gateway cannot be reached. `book` also raises it if the gateway answers with an
    error status.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def book(self) -> Book:
        """The book, read at once: a fill between two requests would be counted twice or not at all."""
        answer = (await self.http.get("/api/v1/book")).raise_for_status().json()
        shares = {symbol: position["shares"] for symbol, position in answer["positions"].items()}
        for symbol, waiting in answer["waiting"].items():
            shares[symbol] = shares.get(symbol, 0) + waiting["buy"] - waiting["sell"]
        limits = answer["limits"]
        return Book(
            equity=None if answer["equity"] is None else _AMOUNT.validate_python(answer["equity"]),
            tripped=BreakerState(answer["breaker"]) is BreakerState.TRIPPED,
            shares=shares,
            limits=Limits(
                position=_AMOUNT.validate_python(limits["position"]),
                order_size=_AMOUNT.validate_python(limits["order_size"]),
                gross_exposure=_AMOUNT.validate_python(limits["gross_exposure"]),
            ),
        )

    async def place(self, order: WantedOrder, client_order_id: str) -> tuple[SubmissionResult, str]:
        """Places the order. Returns the result, and the reason if it was not accepted.

        If the answer is lost, or the gateway does not know the outcome, the order is sent once more. The gateway knows
        by the id that it is the same order.
        """
        body = {"symbol": order.symbol, "side": order.side, "qty": order.qty, "client_order_id": client_order_id}
        try:
            answer = await self.http.post("/api/v1/orders", json=body)
            again = _outcome_unknown(answer)
        except httpx.TransportError:
            again = True
        if again:
            answer = await self.http.post("/api/v1/orders", json=body)
        if answer.status_code in (200, 201):
            placed = answer.json()
            return _ENDED_BADLY.get(placed["status"], SubmissionResult.ACCEPTED), str(placed.get("reason"))
        refused = answer.status_code in (409, 422)
        return SubmissionResult.REJECTED if refused else SubmissionResult.FAILED, answer.text[:_REASON_CHARACTERS]


def _outcome_unknown(answer: httpx.Response) -> bool:
    try:
        return answer.status_code == 503 and bool(answer.json()["detail"]["reason"] == "outcome_unknown")
    except (LookupError, TypeError, ValueError):
        return False
