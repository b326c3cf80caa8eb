"""The interface between the desk and a venue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.market import MarketState


class VenueRejected(Exception):
    """The venue refuses the order. The message says why."""


class Broker(Protocol):
    """A venue. It takes orders and keeps its own book, which the desk can read again after a crash."""

    async def submit(self, order: Order) -> None:
        """Takes the order, or raises `VenueRejected`. The same order again changes nothing."""

    async def cancel(self, order_id: UUID) -> None:
        """Cancels the order. After this returns, no more of it is filled."""

    async def knows(self, order_id: UUID) -> bool:
        """Whether the venue has ever taken the order."""

    async def executions_after(self, seq: int) -> Sequence[Execution]:
        """Every fill with a higher `seq`, oldest first."""

    async def shares(self) -> dict[str, int]:
        """Signed shares by symbol in the venue's own book, without closed positions."""

    async def see(self, market: MarketState) -> bool:
        """Gives the venue a new state of the market. Returns whether it filled orders. A real venue ignores it."""
