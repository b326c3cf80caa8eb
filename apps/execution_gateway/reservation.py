"""The cash that is reserved for an open buy, so that cash never becomes negative. Does no input or output."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from apps.execution_gateway.models import CENT, Order, OrderRequest
from apps.execution_gateway.settings import Settings
from apps.inputs import TICK
from apps.vocabulary import Side


def worst_price(order: OrderRequest, quote: Decimal, limits: Settings) -> Decimal | None:
    """The dearest price at which a buy may be filled. None for a sell.

    A market order may need several ticks. The quote may rise meanwhile, and cash must not become negative.
    """
    if order.side is Side.SELL:
        return None
    if order.limit_price is not None:
        return order.limit_price
    return (quote * cost_per_dollar(limits)).quantize(TICK, ROUND_UP)


def cost_per_dollar(limits: Settings) -> Decimal:
    """The most that a market order to buy may cost for each dollar at the quote. `cost_per_share` comes on top."""
    return (1 + limits.slippage_bps / 10_000) * (1 + limits.market_order_band)


def cost_per_share(limits: Settings) -> Decimal:
    """The most that a share may cost beside its price: the fee, and the rounding of its price and of its part."""
    return limits.fee_per_share + TICK + CENT / 2


def cost(qty: int, price: Decimal, limits: Settings) -> Decimal:
    """The most that buying can cost at this price or below, with the fee and the rounding of each part."""
    parts = -(-qty // limits.max_shares_per_tick)
    return qty * (price + limits.fee_per_share) + parts * CENT / 2


def reserved(order: Order, limits: Settings) -> Decimal:
    """The cash that the open rest of a buy may cost."""
    return cost(order.remaining, order.worst_price or order.limit_price or order.arrival_price or Decimal(0), limits)
