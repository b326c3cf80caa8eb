"""From target weights to the orders that reach them. No input or output."""

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
    """Sells first: they bring the cash that the buys need. What is held and has no weight is sold.

    `shares` counts open orders as filled. Raises KeyError for a symbol without a price.
    """
    orders = []
    for symbol in sorted(weights.keys() | shares.keys()):
        weight = weights.get(symbol, Decimal(0))
        target = int(weight * equity * invested / prices[symbol])
        change = target - shares.get(symbol, 0)
        if change:
            orders.append(WantedOrder(symbol, Side.BUY if change > 0 else Side.SELL, abs(change)))
    return sorted(orders, key=lambda order: order.side is Side.BUY)
