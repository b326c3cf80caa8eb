"""Decides which orders the paper venue fills at a quote, how much, and at what price. Does no input or output."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from apps.execution_gateway.models import CENT
from apps.inputs import HIGHEST_PRICE, TICK
from apps.market import FUTURE_SECONDS, Quote
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import Side


@dataclass(slots=True)
class Resting:
    """What the venue must know of an order that may still be filled."""

    id: UUID
    symbol: str
    side: Side
    remaining: int
    limit_price: Decimal | None
    worst_price: Decimal | None
    rested: bool = False
    """Whether a quote was once beyond its limit. Then the others come to its price, and it takes theirs no more."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of an order to be filled now."""

    order: Resting
    qty: int
    price: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Match:
    """What changes at a tick: the fills, and the orders that a quote is beyond the limit of for the first time."""

    fills: list[Fill] = field(default_factory=list)
    rested: list[Resting] = field(default_factory=list)


def usable(quote: Quote, now: float, settings: VenueSettings) -> bool:
    """Whether the venue trades at this quote: its price is one, and it is neither old nor from the future."""
    return (
        math.isfinite(quote.at)
        and -FUTURE_SECONDS <= now - quote.at <= settings.stale_quote_seconds
        and quote.price.is_finite()
        and TICK <= quote.price <= HIGHEST_PRICE
    )


def match(
    into: Match, orders: Iterable[Resting], quote: Decimal, position: int, halted: bool, settings: VenueSettings
) -> None:
    """Adds to `into` what happens to these orders of one symbol. Changes no order.

    While the venue is halted, no fill takes the position away from zero or across it.
    """
    slippage = settings.slippage_bps / 10_000
    taken = {side: max((quote * (1 + side.sign * slippage)).quantize(TICK), TICK) for side in Side}
    for order in orders:
        limit = order.limit_price
        buys = order.side is Side.BUY
        if limit is None:
            price = taken[order.side]
        elif (limit < quote) if buys else (limit > quote):
            if not order.rested:
                into.rested.append(order)
            continue
        elif order.rested:
            price = limit
        else:
            price = min(taken[order.side], limit) if buys else max(taken[order.side], limit)
        if buys and order.worst_price is not None and price > order.worst_price:
            continue
        qty = min(order.remaining, settings.max_shares_per_tick)
        if halted:
            qty = min(qty, -order.side.sign * position)
        if qty > 0:
            position += order.side.sign * qty
            fee = (qty * settings.fee_per_share).quantize(CENT, ROUND_HALF_UP)
            into.fills.append(Fill(order, qty, price, fee))
