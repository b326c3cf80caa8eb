"""The platform's words: every enumeration that metrics, tables and answers share. Needs nothing but Python."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """What the side does to a position: +1 or -1."""
        return 1 if self is Side.BUY else -1


class PlacementStatus(StrEnum):
    """How a placement ended: every one ends in exactly one of these."""

    SUCCESS = "success"
    """Accepted: filled, partly filled or resting."""
    REJECTED = "rejected"
    """Refused by a risk check, the breaker or the venue; `order_rejections_total` says why."""
    FAILED = "failed"
    """An error of ours."""


class Rejection(StrEnum):
    """Why an order was refused."""

    INSUFFICIENT_CASH = "insufficient_cash"
    INSUFFICIENT_SHARES = "insufficient_shares"
    GROSS_EXPOSURE_LIMIT = "gross_exposure_limit"
    POSITION_LIMIT = "position_limit"
    ORDER_SIZE_LIMIT = "order_size_limit"
    PRICE_COLLAR = "price_collar"
    STALE_QUOTE = "stale_quote"
    MARKET_CLOSED = "market_closed"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_UNKNOWN = "breaker_unknown"
    VENUE_REJECTED = "venue_rejected"


class Cancellation(StrEnum):
    """Why an order that rested was cancelled."""

    CLIENT = "client"
    BREAKER = "breaker"
    SESSION_CLOSED = "session_closed"


class PnlType(StrEnum):
    """The kinds of P&L."""

    REALIZED = "realized"
    UNREALIZED = "unrealized"
    TOTAL = "total"


class TripReason(StrEnum):
    """What tripped the breaker."""

    MANUAL = "manual"
    DAILY_LOSS = "daily_loss"


class Outcome(StrEnum):
    """How something ended that can only succeed or fail."""

    SUCCESS = "success"
    FAILED = "failed"


class Direction(StrEnum):
    """What a signal asks for."""

    LONG = "long"
    FLAT = "flat"


class Strategy(StrEnum):
    """How target weights are found."""

    EQUAL_WEIGHT = "equal_weight"
    MOMENTUM = "momentum"


class SignalFailure(StrEnum):
    """Why no signals could be made."""

    NO_QUOTES = "no_quotes"
    STORAGE = "storage"


class RunResult(StrEnum):
    """How a run of the orchestrator ended."""

    SUCCESS = "success"
    FAILED = "failed"
    HALTED = "halted"
    """The breaker is tripped: nothing was placed."""


class SubmissionResult(StrEnum):
    """How an order of the orchestrator ended."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    HALTED = "halted"


class OrderType(StrEnum):
    """How the price is found."""

    MARKET = "market"
    LIMIT = "limit"


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    """Stored, and on its way to the venue."""
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    FAILED = "failed"


class BreakerState(StrEnum):
    """OPEN: trading is allowed. TRIPPED: orders that add risk are refused."""

    OPEN = "OPEN"
    TRIPPED = "TRIPPED"
