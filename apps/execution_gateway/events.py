"""What a commit makes happen. `recording` counts it after the commit."""

from __future__ import annotations

from dataclasses import dataclass

from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.vocabulary import Cancellation, PlacementStatus, TripReason


@dataclass(frozen=True, slots=True)
class Placed:
    """The outcome of a placement is known. Each placement has exactly one such event."""

    order: Order
    status: PlacementStatus


@dataclass(frozen=True, slots=True)
class Filled:
    """An execution was booked. The order is as it was before."""

    order: Order
    execution: Execution


@dataclass(frozen=True, slots=True)
class SetAside:
    """An execution could not be booked."""

    execution: Execution
    reason: str


@dataclass(frozen=True, slots=True)
class RiskAdded:
    """An execution made a position larger while the venue was halted."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The rest of an order was cancelled."""

    order: Order
    reason: Cancellation


@dataclass(frozen=True, slots=True)
class Tripped:
    """The breaker was tripped. `why` is for the log, and has no text of a person."""

    reason: TripReason
    why: str


@dataclass(frozen=True, slots=True)
class Reset:
    """A person opened the breaker again."""


@dataclass(frozen=True, slots=True)
class DayStarted:
    """A trading date began."""

    sentence: str


Event = Placed | Filled | SetAside | RiskAdded | Cancelled | Tripped | Reset | DayStarted
