"""Computes the orders that reach the target weights. Does no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.vocabulary import Side


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A market order for whole shares."""

    symbol: str
    side: Side
    qty: int


def orders_for(
    weights: Mapping[str, Decimal],
    shares: Mapping[str, int],
    prices: Mapping[str, Decimal],
    equity: Decimal,
    invested: Decimal,
) -> list[WantedOrder]:
    """The orders that reach the target weights. Sells come first, because they bring the cash for the buys.

    Positions without a weight are closed. `shares` must count open orders as filled. `invested` is the part of equity
    that a weight of 1 stands for. Raises KeyError for a symbol without a price.
    """
    orders = []
    for symbol in sorted(weights.keys() | shares.keys()):
        weight = weights.get(symbol, Decimal(0))
        target = int(weight * equity * invested / prices[symbol])
        change = target - shares.get(symbol, 0)
        if change:
            orders.append(WantedOrder(symbol, Side.BUY if change > 0 else Side.SELL, abs(change)))
    return sorted(orders, key=lambda order: order.side is Side.BUY)
