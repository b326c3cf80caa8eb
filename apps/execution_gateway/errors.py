"""The errors that an order can meet: each has the status and the words of its answer. `api.order_error` answers all."""

from __future__ import annotations

from apps.vocabulary import Rejection


class OrderError(Exception):
    """The message is for the one who sent the request."""

    status: int = 503

    @property
    def detail(self) -> object:
        """What the answer says."""
        return str(self)


class UnknownOrder(OrderError):
    """Nobody placed an order with this id."""

    status = 404


class NotOpen(OrderError):
    """The order has ended already."""

    status = 409


class Rejected(OrderError):
    """A risk check, the breaker or the venue refuses the order."""

    def __init__(self, reason: Rejection, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        # An unknown symbol is bad input; a breaker that cannot be read is no fault of the order.
        self.status = {Rejection.UNKNOWN_SYMBOL: 422, Rejection.BREAKER_UNKNOWN: 503}.get(reason, 409)

    @property
    def detail(self) -> object:
        """The reason and a sentence; for an unknown symbol as other bad input has it."""
        if self.reason is Rejection.UNKNOWN_SYMBOL:
            return [{"loc": ["body", "symbol"], "msg": str(self), "type": self.reason}]
        return {"reason": self.reason, "message": str(self)}


class ClientOrderIdConflict(OrderError):
    """The client_order_id was used for an order with other content."""

    status = 409

    @property
    def detail(self) -> object:
        """The field that is in conflict, and a sentence."""
        return {"reason": "client_order_id", "message": str(self)}


class Failed(OrderError):
    """An error of ours: the order was not taken, as far as we know."""

    @property
    def detail(self) -> object:
        """That it failed, and a sentence."""
        return {"reason": "failed", "message": str(self)}


class OutcomeUnknown(Failed):
    """The same order was cut off before; in a moment it is known whether the venue has it."""
