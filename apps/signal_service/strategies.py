"""From prices to target weights. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal


def equal_weight(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The same weight for every symbol; the sum is 1."""
    return dict.fromkeys(prices, Decimal(1) / len(prices))


def momentum(prices: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The better half by return since `before`, as far as it rose, in equal weights; nothing when nothing rose.

    A symbol without an earlier price is left out. The weights of what is left out are 0.
    """
    returns = {symbol: price / before[symbol] - 1 for symbol, price in prices.items() if symbol in before}
    best = sorted(returns, key=lambda symbol: (-returns[symbol], symbol))[: max(1, len(prices) // 2)]
    chosen = {symbol for symbol in best if returns[symbol] > 0}
    return {symbol: Decimal(1) / len(chosen) if symbol in chosen else Decimal(0) for symbol in prices}
