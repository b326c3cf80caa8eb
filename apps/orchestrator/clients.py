"""HTTP clients for the signal service and the execution gateway."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from apps.answers import Answer, ask, get
from apps.inputs import MOST_SYMBOLS, Amount, Symbol, TradingDate, Weight, in_sight
from apps.orchestrator.allocation import Holding, Limits, WantedOrder
from apps.vocabulary import BreakerState, OrderStatus, SubmissionResult

Kind = TypeVar("Kind", bound=BaseModel)
Dollars = Annotated[Amount, Field(gt=0)]
Held = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
"""The signed shares of a symbol, as PostgreSQL can hold them."""

# An order that is sent a second time gets the status of the first one. These statuses do not mean accepted.
_ENDED_BADLY = {
    OrderStatus.REJECTED: SubmissionResult.REJECTED,
    OrderStatus.FAILED: SubmissionResult.FAILED,
    OrderStatus.PENDING: SubmissionResult.FAILED,  # not known yet; the next run reads the positions again
}
_MOST_POSITIONS = 1000
"""More than a market has symbols: positions of symbols that are gone stay."""
_SIGNALS, _GATEWAY = "the signal service", "the gateway"


class BadAnswer(Exception):
    """A service answered, but not what it should. The message says which service, and what is wrong."""


class Targets(BaseModel):
    """The signal service's answer. Weights are parts of the equity that is invested. Nothing is sold short."""

    trading_date: TradingDate
    weights: Annotated[dict[Symbol, Annotated[Weight, Field(ge=0)]], Field(max_length=MOST_SYMBOLS)]


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
    trading_date: TradingDate | None
    equity: Amount | None
    breaker: BreakerState
    positions: Annotated[dict[Symbol, _Position], Field(max_length=_MOST_POSITIONS)]
    waiting: Annotated[dict[Symbol, _Waiting], Field(max_length=_MOST_POSITIONS)]
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
        return _read(Targets, await get(self.http, _SIGNALS, "/api/v1/targets"), _SIGNALS)


@dataclass(frozen=True, slots=True)
class Book:
    """The gateway's book at one moment. `equity` and `trading_date` are None if the gateway does not know them."""

    trading_date: dt.date | None
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
        answer = _read(_Book, await get(self.http, _GATEWAY, "/api/v1/book"), _GATEWAY)
        holdings = {symbol: Holding(position.shares) for symbol, position in answer.positions.items()}
        for symbol, orders in answer.waiting.items():
            holdings[symbol] = replace(holdings.get(symbol, Holding()), buying=orders.buy, selling=orders.sell)
        return Book(
            trading_date=answer.trading_date,
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
            answer = await ask(self.http, _GATEWAY, "POST", "/api/v1/orders", body)
            if not _outcome_unknown(answer):
                return _result(answer)
        except (BadAnswer, httpx.RequestError):
            pass
        return _result(await ask(self.http, _GATEWAY, "POST", "/api/v1/orders", body))


def _result(answer: Answer) -> Submitted:
    if answer.status in (200, 201):
        placed = _read(_Placed, answer, _GATEWAY)
        result = _ENDED_BADLY.get(placed.status, SubmissionResult.ACCEPTED)
        return Submitted(result, in_sight(placed.reason) if placed.reason else placed.status)
    refused = answer.status in (409, 422, 429)
    return Submitted(
        SubmissionResult.REJECTED if refused else SubmissionResult.FAILED,
        _word(answer) or f"{_GATEWAY} answers {answer.status}",
        in_sight(answer.text) if answer.body else "",
        _retry_after(answer) if answer.status == httpx.codes.TOO_MANY_REQUESTS else 0.0,
    )


def _retry_after(answer: Answer) -> float:
    """The seconds of Retry-After. A second if there are none, and a minute at most, which is the gateway's window."""
    said = answer.headers.get("Retry-After", "")
    return min(60.0, float(said)) if said.isascii() and said.isdigit() else 1.0


def _word(answer: Answer) -> str:
    """The gateway's own word for what is wrong, such as `position_limit`. Empty if it says none."""
    try:
        said: Any = answer.json()
        word = said["detail"]["reason"]
    except (LookupError, TypeError, ValueError):
        return ""
    return in_sight(word) if word and isinstance(word, str) else ""


def _outcome_unknown(answer: Answer) -> bool:
    return answer.status == 503 and _word(answer) == "outcome_unknown"


def _read(kind: type[Kind], answer: Answer, service: str) -> Kind:
    try:
        return kind.model_validate_json(answer.body)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadAnswer(
            in_sight(f"{service}'s answer cannot be read{f', {where}' if where else ''}: {first['msg']}")
        ) from None
