"""Errors about an order. Each has the HTTP status and the text of its answer; `api.order_error` sends it."""

from __future__ import annotations

from apps.vocabulary import Rejection


class OrderError(Exception):
    """The base of all errors about an order. The message is for the client."""

    status: int = 503

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

    def __init__(self, reason: Rejection, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        # An unknown symbol is invalid input. A breaker that cannot be read is our problem, not the client's.
        self.status = {Rejection.UNKNOWN_SYMBOL: 422, Rejection.BREAKER_UNKNOWN: 503}.get(reason, 409)

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
    """An error of ours. As far as we know, the order was not taken."""

    @property
    def detail(self) -> object:
        """The reason `failed`, and a sentence."""
        return {"reason": "failed", "message": str(self)}


class OutcomeUnknown(Failed):
    """The first placement of this order was interrupted. We do not know yet whether the venue has it."""
