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
    ORDER_RATE_LIMIT = "order_rate_limit"
    """Its client sends too many orders. It is counted and not stored."""
    PRICE_COLLAR = "price_collar"
    STALE_QUOTE = "stale_quote"
    MARKET_CLOSED = "market_closed"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_UNKNOWN = "breaker_unknown"
    BOOK_UNKNOWN = "book_unknown"
    """The book could not be valued for some seconds, and the order adds risk."""
    VENUE_REJECTED = "venue_rejected"


class Cancellation(StrEnum):
    """Why a resting order was cancelled."""

    CLIENT = "client"
    BREAKER = "breaker"
    SESSION_CLOSED = "session_closed"
    """Also an order of an earlier trading date: orders are good for a day."""
    LATE = "late"
    """It took too long until the venue confirmed the order."""


class DeskDuty(StrEnum):
    """What the desk does again and again. Each goes on when another one fails or hangs."""

    COMMAND = "command"
    """Checks and stores commands: placements, cancellations, fills, a new trading date, trips."""
    HALT = "halt"
    """Has the venue halted while the breaker is tripped."""
    SEND = "send"
    """Sends a new date, orders and cancellations to the venue."""
    FETCH = "fetch"
    """Fetches executions from the venue."""
    RECONCILE = "reconcile"
    """Compares the venue's book with ours."""
    FOLLOW_MARKET = "follow_market"
    """Takes states of the market, values the book and watches the loss."""
    TICK_VENUE = "tick_venue"
    """Gives the paper venue the state of the market."""
    READ_BREAKER = "read_breaker"
    """Reads the circuit breaker, and notices changes that another process made."""


class StateRefusal(StrEnum):
    """Why a state of the market is not used."""

    UNREADABLE = "unreadable"
    VERSION = "version"
    """Another version of the platform wrote it."""
    OLD = "old"
    """It is older than the one that is used."""
    FUTURE = "future"
    """A time in it is ahead of the clock of this machine."""
    TRADING_DATE = "trading_date"
    """It has an earlier trading date, or one that the market data service does not confirm."""


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
