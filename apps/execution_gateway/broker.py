"""The interface between the desk and a venue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.market import MarketState


class VenueRejected(Exception):
    """The venue refuses the order. The message says why."""


class Broker(Protocol):
    """A venue. It takes orders and keeps its own book, which the desk can read again after a crash.

    Every call may be repeated: the desk repeats one whose answer was lost, until it has an answer.
    """

    async def submit(self, order: Order) -> None:
        """Takes the order, or raises `VenueRejected`. The same order again changes nothing.

        Refused are orders while the venue is closed, orders of another trading date than the venue's, and orders that
        were cancelled before they arrived.
        """

    async def cancel(self, order_id: UUID) -> bool:
        """Cancels the order. After this returns, no more of it is filled, also if it arrives later.

        Returns whether the venue had taken the order.
        """

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        """The fills with a higher `seq`, oldest first, at most `limit`.

        No fill appears later with a lower `seq` than one that was returned.
        """

    async def halt(self) -> int:
        """Halts the desk at the venue: from now on only what reduces a position is filled. Returns the last `seq`."""

    async def resume(self) -> int:
        """Ends the halt. Returns the last `seq`."""

    async def begin_day(self, trading_date: dt.date) -> None:
        """Begins a trading date at the venue. From now on no order of another date is filled."""

    async def shares(self) -> dict[str, int]:
        """Signed shares by symbol in the venue's own book, without closed positions."""

    async def see(self, market: MarketState) -> bool:
        """Gives the venue a new state of the market. Returns whether it filled orders. A real venue ignores it."""
