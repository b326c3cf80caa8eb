"""The enumerations whose values are in metrics, tables and answers. Imports nothing but the standard library."""

from enum import StrEnum


class Side(StrEnum):
    """Whether an order buys or sells."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, which raises a position, and -1 for a sell."""
        return 1 if self is Side.BUY else -1


class PlacementStatus(StrEnum):
    """How a placement ended. Each placement ends in exactly one of these."""

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
    """Why a resting order was cancelled."""

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
    """Success or failure."""

    SUCCESS = "success"
    FAILED = "failed"


class Direction(StrEnum):
    """What a signal asks for."""

    LONG = "long"
    FLAT = "flat"


class Strategy(StrEnum):
    """How target weights are chosen."""

    EQUAL_WEIGHT = "equal_weight"
    MOMENTUM = "momentum"


class SignalFailure(StrEnum):
    """Why no signals were made."""

    NO_QUOTES = "no_quotes"
    STORAGE = "storage"


class RunResult(StrEnum):
    """How a run of the orchestrator ended."""

    SUCCESS = "success"
    FAILED = "failed"
    HALTED = "halted"
    """The breaker is tripped: nothing was placed."""


class SubmissionResult(StrEnum):
    """What the gateway did with an order of the orchestrator."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    HALTED = "halted"


class OrderType(StrEnum):
    """Whether an order takes the market's price or has a limit price."""

    MARKET = "market"
    LIMIT = "limit"


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING = "pending"
    """Stored, but the venue has not confirmed it yet."""
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
