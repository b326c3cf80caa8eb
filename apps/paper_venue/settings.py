"""What trading at the paper venue costs, and how much it fills at once."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field
from pydantic_settings import BaseSettings


class VenueSettings(BaseSettings):
    """Each field is an environment variable in capitals; money is in dollars."""

    max_shares_per_tick: int = Field(default=5_000, gt=0, description="what the paper venue fills of an order at once")
    slippage_bps: Decimal = Field(default=Decimal(1), ge=0, description="what the paper venue takes on market orders")
    fee_per_share: Decimal = Field(default=Decimal("0.005"), ge=0)
