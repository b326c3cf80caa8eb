"""Computes the orders that reach the target weights. Does no input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.inputs import MOST_SHARES
from apps.vocabulary import Side

MARGIN = Decimal("0.99")
"""The part of each limit that is used. A quote may move before the order is at the gateway."""
CASH_MARGIN = Decimal("0.998")
"""The same of the cash. It is larger, because the gateway reckons with a dearer price than the quote already."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A market order for whole shares."""

    symbol: str
    side: Side
    qty: int


@dataclass(frozen=True, slots=True)
class Holding:
    """The signed shares of a symbol, and how many of them its open orders buy and sell."""

    held: int = 0
    buying: int = 0
    selling: int = 0

    @property
    def expected(self) -> int:
        """The shares when all open orders are filled."""
        return self.held + self.buying - self.selling

    @property
    def most(self) -> int:
        """The largest absolute position that is possible. This is what the gateway counts until an order is filled."""
        return max(abs(self.held + self.buying), abs(self.held - self.selling))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway lets an order lead to, in dollars.

    `cash` is what open buys have not reserved. A market order to buy may cost `cost_per_dollar` for each dollar at the
    quote, and `cost_per_share` for each share.
    """

    position: Decimal
    order_size: Decimal
    gross_exposure: Decimal
    cash: Decimal
    cost_per_dollar: Decimal = Decimal(1)
    cost_per_share: Decimal = ZERO


def orders_for(
    weights: Mapping[str, Decimal],
    holdings: Mapping[str, Holding],
    prices: Mapping[str, Decimal],
    equity: Decimal,
    invested: Decimal,
    limits: Limits,
    *,
    unpriced: Decimal = ZERO,
) -> list[WantedOrder]:
    """The orders that lead to the target weights, or as near to them as the limits allow.

    Sells come first: the buys may need what they bring, see `fitting`. Positions without a weight are closed, and open
    orders count as filled. `invested` is the part of equity that a weight of 1 stands for. An order over the limit is
    cut; the next run has the rest.

    Nothing is sold short: no target is below zero, and no more is sold than what is held and not being sold yet. A
    symbol without a price has no order; `unpriced` is what such positions count for in the gross exposure, in dollars.
    With an equity of zero or less there are no orders at all, because a part of it is no target.
    """
    if equity <= 0:
        return []
    wanted = _within({symbol: max(weight, ZERO) * equity * invested for symbol, weight in weights.items()}, limits)
    sells, buys = [], []
    left, proceeds = dict(holdings), ZERO
    for symbol in sorted((weights.keys() | holdings.keys()) & prices.keys()):
        holding, price = holdings.get(symbol, Holding()), prices[symbol]
        most = min(int(MARGIN * limits.order_size / price), MOST_SHARES)
        change = int(wanted.get(symbol, ZERO) / price) - holding.expected
        change = max(-most, -max(0, holding.held - holding.selling), min(most, change))
        if change > 0:
            buys.append(WantedOrder(symbol, Side.BUY, change))
        elif change < 0:
            sells.append(WantedOrder(symbol, Side.SELL, -change))
        sold = max(0, -change)
        left[symbol] = Holding(holding.expected - sold)
        proceeds += (holding.selling + sold) * price
    filled = replace(limits, cash=limits.cash + CASH_MARGIN * proceeds)
    return [*sells, *fitting(buys, left, prices, filled, unpriced=unpriced)]


def fitting(
    buys: Sequence[WantedOrder],
    holdings: Mapping[str, Holding],
    prices: Mapping[str, Decimal],
    limits: Limits,
    *,
    unpriced: Decimal = ZERO,
) -> list[WantedOrder]:
    """The buys that the gateway takes now, each cut to what is left of both limits of exposure and of the cash.

    A sell leaves room and brings cash when it is filled, not before. So buys that need both may not fit yet.
    """
    exposures = {s: holding.most * prices[s] for s, holding in holdings.items() if s in prices}
    room = MARGIN * limits.gross_exposure - unpriced - sum(exposures.values(), ZERO)
    cash = CASH_MARGIN * limits.cash
    fits = []
    for order in buys:
        holding, price = holdings.get(order.symbol, Holding()), prices[order.symbol]
        before = holding.held + holding.buying
        exposure = exposures.get(order.symbol, ZERO)
        most = min(MARGIN * limits.position, max(ZERO, room + exposure))
        # What buys a short position back adds no risk, and the gateway does not ask how large it is.
        allowed = max(-before, int(most / price) - before)
        cost = price * limits.cost_per_dollar + limits.cost_per_share
        qty = min(order.qty, allowed, int(max(ZERO, cash) / cost))
        if qty <= 0:
            continue
        fits.append(replace(order, qty=qty))
        room -= max(ZERO, abs(before + qty) * price - exposure)
        cash -= qty * cost
    return fits


def _within(values: Mapping[str, Decimal], limits: Limits) -> dict[str, Decimal]:
    """The target values, each at most the limit of a position, and in sum at most that of the gross exposure."""
    most = MARGIN * limits.position
    capped = {symbol: min(most, value) for symbol, value in values.items()}
    gross = sum(capped.values(), ZERO)
    if gross <= MARGIN * limits.gross_exposure:
        return capped
    return {symbol: value * MARGIN * limits.gross_exposure / gross for symbol, value in capped.items()}
