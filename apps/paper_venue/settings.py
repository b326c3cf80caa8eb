"""The settings of the paper venue: slippage, fee, how much it fills at once, and how old a quote may be."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field
from pydantic_settings import BaseSettings


class VenueSettings(BaseSettings):
    """Each field is an environment variable in capital letters. Money is in dollars."""

    max_shares_per_tick: int = Field(default=5_000, gt=0, description="the most that is filled of an order at one tick")
    slippage_bps: Decimal = Field(
        default=Decimal(1), ge=0, description="slippage of orders that take the market's price"
    )
    fee_per_share: Decimal = Field(default=Decimal("0.005"), ge=0)
    stale_quote_seconds: float = Field(default=5, gt=0, description="a quote that is older is not traded on")
