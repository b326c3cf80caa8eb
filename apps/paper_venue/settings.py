"""The settings of the paper venue: slippage, fee, how much it fills at once, and how old a quote may be."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from apps.settings import CheckedSettings


class VenueSettings(CheckedSettings):
    """Each field is an environment variable in capital letters. Money is in dollars."""

    max_shares_per_tick: int = Field(
        default=5_000, ge=1, le=10_000_000, description="the most that is filled of an order at one tick"
    )
    slippage_bps: Decimal = Field(
        default=Decimal(1), ge=0, le=1000, description="slippage of orders that take the market's price"
    )
    fee_per_share: Decimal = Field(default=Decimal("0.005"), ge=0, le=1)
    # Not below a second, because each symbol ticks once a second at least.
    stale_quote_seconds: float = Field(default=5, ge=1, le=60, description="a quote that is older is not traded on")
