"""Errors about an order. Each has the HTTP status and the text of its answer; `api.order_error` sends it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

from apps.vocabulary import Rejection


class OrderError(Exception):
    """The base of all errors about an order. The message is for the client."""

    status: int = 503
    headers: Mapping[str, str] = {}

    @property
    def detail(self) -> object:
        """The field `detail` of the answer."""
        return str(self)


class UnknownOrder(OrderError):
    """No order has this id."""

    status = 404


class NotOpen(OrderError):
    """The order has ended already."""

    status = 409


class Rejected(OrderError):
    """A risk check, the breaker or the venue refuses the order."""

    def __init__(self, reason: Rejection, message: str, retry_after: float | None = None) -> None:
        """`retry_after` is in how many seconds the same order may be sent again. None: that is not known."""
        super().__init__(message)
        self.reason = reason
        if retry_after is not None:
            self.headers = {"Retry-After": str(max(1, math.ceil(retry_after)))}
        # An unknown symbol is invalid input. What cannot be known is our problem, not the client's.
        self.status = {
            Rejection.UNKNOWN_SYMBOL: 422,
            Rejection.BREAKER_UNKNOWN: 503,
            Rejection.BOOK_UNKNOWN: 503,
            Rejection.ORDER_RATE_LIMIT: 429,
        }.get(reason, 409)

    @property
    def detail(self) -> object:
        """The reason and a sentence. An unknown symbol has the form of other invalid input."""
        if self.reason is Rejection.UNKNOWN_SYMBOL:
            return [{"loc": ["body", "symbol"], "msg": str(self), "type": self.reason}]
        return {"reason": self.reason, "message": str(self)}


class ClientOrderIdConflict(OrderError):
    """The client_order_id was used before, for a different order."""

    status = 409

    @property
    def detail(self) -> object:
        """The field with the conflict, and a sentence."""
        return {"reason": "client_order_id", "message": str(self)}


class Failed(OrderError):
    """An error of ours. The order was not placed, and will not be."""

    @property
    def detail(self) -> object:
        """The reason `failed`, and a sentence."""
        return {"reason": "failed", "message": str(self)}


class Busy(OrderError):
    """Too much is waiting, or PostgreSQL does not answer. Nothing was taken: it can be sent again."""

    headers: Mapping[str, str] = {"Retry-After": "1"}

    @property
    def detail(self) -> object:
        """The reason `busy`, and a sentence."""
        return {"reason": "busy", "message": f"{self}; nothing was taken, send it again"}


class NotStoredYet(OrderError):
    """A change by a person is on its way, and nobody knows yet whether it is stored."""

    @property
    def detail(self) -> object:
        """The reason `outcome_unknown`, and a sentence."""
        return {"reason": "outcome_unknown", "message": str(self)}


class OutcomeUnknown(OrderError):
    """The order is on its way, and nobody knows yet how that ends."""

    def __init__(self, order_id: UUID, client_order_id: str | None = None) -> None:
        super().__init__("the outcome is not known yet, ask for it later")
        self.order_id = order_id
        self.client_order_id = client_order_id

    @property
    def detail(self) -> object:
        """The reason `outcome_unknown`, a sentence, the order's id, and where to ask."""
        # The client's own id is surer: it may belong to an earlier order, which this request has not found yet.
        by_client = self.client_order_id and f"/api/v1/orders?client_order_id={quote(self.client_order_id, safe='')}"
        return {
            "reason": "outcome_unknown",
            "message": str(self),
            "order_id": str(self.order_id),
            "ask": by_client or f"/api/v1/orders/{self.order_id}",
        }
