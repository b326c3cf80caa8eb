"""Computes the orders that reach the target weights. Does no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.inputs import MOST_SHARES
from apps.vocabulary import Side

MARGIN = Decimal("0.99")
"""The part of each limit that is used. A quote may move before the order is at the gateway."""


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A market order for whole shares."""

    symbol: str
    side: Side
    qty: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway lets an order lead to, in dollars."""

    position: Decimal
    order_size: Decimal
    gross_exposure: Decimal


def orders_for(
    weights: Mapping[str, Decimal],
    shares: Mapping[str, int],
    prices: Mapping[str, Decimal],
    equity: Decimal,
    invested: Decimal,
    limits: Limits,
    *,
    sellable: Mapping[str, int] | None = None,
    unpriced: Decimal = Decimal(0),
) -> list[WantedOrder]:
    """The orders that lead to the target weights, or as near to them as the limits allow.

    Sells come first, because they bring the cash for the buys. Positions without a weight are closed. `shares` must
    count open orders as filled. `invested` is the part of equity that a weight of 1 stands for. An order over the limit
    is cut; the next run has the rest.

    Nothing is sold short: no target is below zero, and at most `sellable` shares are sold, or `shares` if it is None. A
    symbol without a price has no order; `unpriced` is what such positions count for in the gross exposure, in dollars.
    With an equity of zero or less there are no orders at all, because a part of it is no target.
    """
    if equity <= 0:
        return []
    wanted = _within(
        {symbol: max(weight, Decimal(0)) * equity * invested for symbol, weight in weights.items()}, limits
    )
    changes = {}
    for symbol in sorted((weights.keys() | shares.keys()) & prices.keys()):
        most = min(int(MARGIN * limits.order_size / prices[symbol]), MOST_SHARES)
        change = int(wanted.get(symbol, Decimal(0)) / prices[symbol]) - shares.get(symbol, 0)
        least = -max(0, (shares if sellable is None else sellable).get(symbol, 0))
        changes[symbol] = max(-most, least, min(most, change))
    _fit(changes, shares, prices, MARGIN * limits.gross_exposure - unpriced)
    orders = [
        WantedOrder(symbol, Side.BUY if change > 0 else Side.SELL, abs(change))
        for symbol, change in changes.items()
        if change
    ]
    return sorted(orders, key=lambda order: order.side is Side.BUY)


def _within(values: Mapping[str, Decimal], limits: Limits) -> dict[str, Decimal]:
    """The target values, each at most the limit of a position, and in sum at most that of the gross exposure."""
    most = MARGIN * limits.position
    capped = {symbol: min(most, value) for symbol, value in values.items()}
    gross = sum(capped.values(), Decimal(0))
    if gross <= MARGIN * limits.gross_exposure:
        return capped
    return {symbol: value * MARGIN * limits.gross_exposure / gross for symbol, value in capped.items()}


def _fit(changes: dict[str, int], shares: Mapping[str, int], prices: Mapping[str, Decimal], gross: Decimal) -> None:
    """Cuts the changes that add exposure. A position whose sell was cut leaves less room for the others."""
    before = {symbol: abs(shares.get(symbol, 0)) for symbol in changes}
    after = {symbol: abs(shares.get(symbol, 0) + change) for symbol, change in changes.items()}
    room = gross - sum((min(before[symbol], after[symbol]) * prices[symbol] for symbol in changes), Decimal(0))
    for symbol, change in changes.items():
        added = after[symbol] - before[symbol]
        if added <= 0:
            continue
        fits = max(0, min(added, int(room / prices[symbol])))
        changes[symbol] = change - (added - fits if change > 0 else fits - added)
        room -= fits * prices[symbol]
