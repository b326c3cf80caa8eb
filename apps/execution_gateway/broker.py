"""What the desk asks of a venue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.market import MarketState


class VenueRejected(Exception):
    """The venue will not take the order; the message says why."""


class Broker(Protocol):
    """A venue: it takes orders, and keeps a book of its own that can be asked again after a crash."""

    async def submit(self, order: Order) -> None:
        """Takes the order; raises `VenueRejected`. The same order again changes nothing."""

    async def cancel(self, order_id: UUID) -> None:
        """Nothing more of the order is filled once this returns."""

    async def knows(self, order_id: UUID) -> bool:
        """Whether the order was ever taken."""

    async def executions_after(self, seq: int) -> Sequence[Execution]:
        """Every fill since that one, oldest first."""

    async def shares(self) -> dict[str, int]:
        """The venue's own book: signed shares by symbol, closed positions left out."""

    async def see(self, market: MarketState) -> bool:
        """Takes a new state of the market; says whether fills came of it. A real venue knows the market by itself."""
