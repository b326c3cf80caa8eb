"""The book at one moment: cash, positions, open orders, breaker and marks. Does no input or output."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from apps.execution_gateway.models import Order
from apps.vocabulary import BreakerState, Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Signed shares of one symbol, and their average cost in dollars without fees.

    `last_price` is the last price that the desk stored: that of the last fill, or the last close. It is used while
    there is neither a quote nor a previous close.
    """

    shares: int = 0
    average_cost: Decimal = ZERO
    last_price: Decimal = ZERO

    def after(self, side: Side, qty: int, price: Decimal) -> tuple[Position, Decimal]:
        """The position after a fill, and the P&L that the fill realizes, without fees.

        Only the part of a fill that closes shares realizes P&L. A fill that crosses zero closes all shares at the old
        average cost. The new position has the price of the fill as its cost.
        """
        change = side.sign * qty
        shares = self.shares + change
        if self.shares * change >= 0:
            cost = (self.average_cost * abs(self.shares) + price * qty) / abs(shares)
            return Position(shares, cost, price), ZERO
        closed = min(abs(self.shares), qty)
        realized = (price - self.average_cost) * closed * (1 if self.shares > 0 else -1)
        if shares == 0:
            return Position(last_price=price), realized
        crossed = (shares > 0) != (self.shares > 0)
        return Position(shares, price if crossed else self.average_cost, price), realized


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of the breaker, and why, by whom and when it was last changed."""

    state: BreakerState = BreakerState.OPEN
    reason: str | None = None
    by: str | None = None
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """What the venue has confirmed: whether it is halted, and after which of its executions that began and ended.

    Both are None before the first. An execution between them must not make a position larger.
    """

    confirmed: bool = False
    began_at: int | None = None
    ended_at: int | None = None

    def covers(self, seq: int) -> bool:
        """Whether the venue was halted at its execution `seq`."""
        if self.began_at is None or seq <= self.began_at:
            return False
        return self.confirmed or self.ended_at is None or seq <= self.ended_at


@dataclass(frozen=True, slots=True)
class Waiting:
    """The sums of the open orders: shares by symbol and side, the cash that their fills may cost, how many buy.

    `to_send` are those of which the venue must be told something: new ones, and cancellations.
    """

    shares: Mapping[tuple[str, Side], int] = field(default_factory=lambda: MappingProxyType({}))
    cash: Decimal = ZERO
    buys: int = 0
    to_send: Mapping[UUID, Order] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that the desk decides on, as one commit left it. Never changed: a commit makes the next version.

    `trading_date` is None before the first open. `booked_seq` is the venue's number of the last execution that was
    booked or set aside.
    """

    version: int
    initial_cash: Decimal
    cash: Decimal
    realized: Decimal = ZERO
    positions: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}))
    orders: Mapping[UUID, Order] = field(default_factory=lambda: MappingProxyType({}))
    waiting: Waiting = Waiting()
    breaker: Breaker = Breaker()
    halt: Halt = Halt()
    high_water_mark: Decimal = ZERO
    trading_date: dt.date | None = None
    start_of_day_equity: Decimal | None = None
    daily_loss_ratio: Decimal = ZERO
    loss_tripped_on: dt.date | None = None
    booked_seq: int = 0
    set_aside: int = 0
    at: float = 0.0

    @property
    def tripped(self) -> bool:
        """Whether the breaker is tripped."""
        return self.breaker.state is BreakerState.TRIPPED

    @property
    def free_cash(self) -> Decimal:
        """The cash that open buys have not reserved."""
        return self.cash - self.waiting.cash

    def shares(self, symbol: str, side: Side) -> int:
        """Signed shares of the symbol if every open order of that side is filled."""
        held = self.positions.get(symbol, Position()).shares
        return held + side.sign * self.waiting.shares.get((symbol, side), 0)

    def adds_risk(self, symbol: str, side: Side, qty: int) -> bool:
        """Whether an order adds risk: filled, it makes the position larger in absolute terms or crosses zero."""
        return adds_risk(self.shares(symbol, side), side, qty)

    def most_shares(self, symbol: str) -> int:
        """The largest absolute position that is possible with the open orders."""
        return max(abs(self.shares(symbol, side)) for side in Side)

    def symbols(self) -> set[str]:
        """The symbols of positions and open orders."""
        return {*self.positions, *(symbol for symbol, _ in self.waiting.shares)}


def adds_risk(shares: int, side: Side, qty: int) -> bool:
    """Whether buying or selling this many makes a position of `shares` larger in absolute terms, or crosses zero."""
    after = shares + side.sign * qty
    return abs(after) > abs(shares) or shares * after < 0


def orders_adding_risk(book: Book, orders: Iterable[Order]) -> list[Order]:
    """Those of the orders that add risk, if all earlier ones that do not add risk are filled."""
    shares: dict[tuple[str, Side], int] = {}
    adding = []
    for order in sorted(orders, key=lambda o: (o.created_at, o.id)):
        key = (order.symbol, order.side)
        before = shares.setdefault(key, book.positions.get(order.symbol, Position()).shares)
        if adds_risk(before, order.side, order.remaining):
            adding.append(order)
        else:
            shares[key] = before + order.side.sign * order.remaining
    return adding
