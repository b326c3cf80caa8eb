"""HTTP clients for the signal service and the execution gateway."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from apps.inputs import Amount, Symbol, TradingDate, Weight
from apps.orchestrator.allocation import Holding, Limits, WantedOrder
from apps.vocabulary import BreakerState, OrderStatus, SubmissionResult

Answer = TypeVar("Answer", bound=BaseModel)
Dollars = Annotated[Amount, Field(gt=0)]
Held = Annotated[int, Field(strict=True)]

# An order that is sent a second time gets the status of the first one. These statuses do not mean accepted.
_ENDED_BADLY = {
    OrderStatus.REJECTED: SubmissionResult.REJECTED,
    OrderStatus.FAILED: SubmissionResult.FAILED,
    OrderStatus.PENDING: SubmissionResult.FAILED,  # not known yet; the next run reads the positions again
}
_REASON_CHARACTERS = 200
"""How much of an error answer is logged."""


class BadAnswer(Exception):
    """A service answered, but not what it should. The message says which service, and what is wrong."""


class Targets(BaseModel):
    """The signal service's answer. Weights are parts of the equity that is invested. Nothing is sold short."""

    trading_date: TradingDate
    weights: dict[Symbol, Annotated[Weight, Field(ge=0)]]


class _Position(BaseModel):
    shares: Held
    average_cost: Amount


class _Waiting(BaseModel):
    buy: Annotated[Held, Field(ge=0)]
    sell: Annotated[Held, Field(ge=0)]


class _Limits(BaseModel):
    position: Dollars
    order_size: Dollars
    gross_exposure: Dollars
    cash: Amount
    cost_per_dollar: Annotated[Amount, Field(ge=1)]
    cost_per_share: Annotated[Amount, Field(ge=0)]


class _Book(BaseModel):
    equity: Amount | None
    breaker: BreakerState
    positions: dict[Symbol, _Position]
    waiting: dict[Symbol, _Waiting]
    limits: _Limits


class _Placed(BaseModel):
    status: OrderStatus
    reason: str | None = None


class SignalService:
    """Reads targets.

    Raises httpx.HTTPError if the service cannot be reached or answers with an error status, and `BadAnswer`.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def targets(self) -> Targets:
        """The last target weights."""
        answer = (await self.http.get("/api/v1/targets")).raise_for_status()
        return _read(Targets, answer, "the signal service")


@dataclass(frozen=True, slots=True)
class Book:
    """The gateway's book at one moment. `equity` is None if the gateway does not know it."""

    equity: Decimal | None
    tripped: bool
    holdings: dict[str, Holding]
    costs: dict[str, Decimal]
    """The average cost of the positions."""
    limits: Limits


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of an order, and if it was not accepted why: in a word, and as a text for the log.

    `wait` is for how many seconds the gateway wants no further order, because it had too many.
    """

    result: SubmissionResult
    why: str
    text: str = ""
    wait: float = 0.0


class ExecutionGateway:
    """Reads the book and places orders.

    Both raise httpx.HTTPError if the gateway cannot be reached. `book` also raises it if the gateway answers with an
    error status, and `BadAnswer`.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def book(self) -> Book:
        """The book, read at once: a fill between two requests would be counted twice or not at all."""
        answer = _read(_Book, (await self.http.get("/api/v1/book")).raise_for_status(), "the gateway")
        holdings = {symbol: Holding(position.shares) for symbol, position in answer.positions.items()}
        for symbol, orders in answer.waiting.items():
            holdings[symbol] = replace(holdings.get(symbol, Holding()), buying=orders.buy, selling=orders.sell)
        return Book(
            equity=answer.equity,
            tripped=answer.breaker is BreakerState.TRIPPED,
            holdings=holdings,
            costs={symbol: position.average_cost for symbol, position in answer.positions.items()},
            limits=Limits(**dict(answer.limits)),
        )

    async def place(self, order: WantedOrder, client_order_id: str) -> Submitted:
        """Places the order.

        If the answer is lost or cannot be read, or the gateway does not know the outcome, the order is sent once more.
        The gateway knows by the id that it is the same order. Raises `BadAnswer` if that answer cannot be read either.
        """
        body = {"symbol": order.symbol, "side": order.side, "qty": order.qty, "client_order_id": client_order_id}
        try:
            answer = await self.http.post("/api/v1/orders", json=body)
            if not _outcome_unknown(answer):
                return _result(answer)
        except (BadAnswer, httpx.RequestError):
            pass
        return _result(await self.http.post("/api/v1/orders", json=body))


def _result(answer: httpx.Response) -> Submitted:
    if answer.status_code in (200, 201):
        placed = _read(_Placed, answer, "the gateway")
        result = _ENDED_BADLY.get(placed.status, SubmissionResult.ACCEPTED)
        return Submitted(result, placed.reason or placed.status)
    refused = answer.status_code in (409, 422, 429)
    return Submitted(
        SubmissionResult.REJECTED if refused else SubmissionResult.FAILED,
        _word(answer) or f"the gateway answers {answer.status_code}",
        answer.text[:_REASON_CHARACTERS],
        _retry_after(answer) if answer.status_code == httpx.codes.TOO_MANY_REQUESTS else 0.0,
    )


def _retry_after(answer: httpx.Response) -> float:
    """The seconds of Retry-After. A second if there are none, and a minute at most, which is the gateway's window."""
    said = answer.headers.get("Retry-After", "")
    return min(60.0, float(said)) if said.isascii() and said.isdigit() else 1.0


def _word(answer: httpx.Response) -> str:
    """The gateway's own word for what is wrong, such as `position_limit`. Empty if it says none."""
    try:
        word = answer.json()["detail"]["reason"]
    except (LookupError, RecursionError, TypeError, ValueError):
        return ""
    return word[:_REASON_CHARACTERS] if isinstance(word, str) else ""


def _outcome_unknown(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and _word(answer) == "outcome_unknown"


def _read(kind: type[Answer], answer: httpx.Response, service: str) -> Answer:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:_REASON_CHARACTERS]
        raise BadAnswer(
            f"{service}'s answer cannot be read{f', {where}' if where else ''}: {first['msg']}"[:_REASON_CHARACTERS]
        ) from None
