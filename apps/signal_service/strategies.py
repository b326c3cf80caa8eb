"""The strategies, which turn prices into target weights. Do no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal


def equal_weight(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The same weight for every symbol. The sum is 1."""
    return dict.fromkeys(prices, Decimal(1) / len(prices))


def momentum(prices: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Equal weights for the half of the symbols with the highest returns since `before`, if their return is positive.

    All other symbols get the weight 0, also those without an earlier price. If no price rose, all weights are 0.
    """
    returns = {symbol: price / before[symbol] - 1 for symbol, price in prices.items() if symbol in before}
    best = sorted(returns, key=lambda symbol: (-returns[symbol], symbol))[: max(1, len(prices) // 2)]
    chosen = {symbol for symbol in best if returns[symbol] > 0}
    return {symbol: Decimal(1) / len(chosen) if symbol in chosen else Decimal(0) for symbol in prices}
