"""The desk's limits, as its environment says them; costs are the venue's."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from apps.paper_venue.settings import VenueSettings
from apps.settings import ServiceSettings


class Settings(ServiceSettings, VenueSettings):
    """Each field is an environment variable in capitals; money is in dollars."""

    initial_cash: Decimal = Field(default=Decimal(1_000_000), gt=0)
    allow_short: bool = Field(default=False, description="whether a sell may go beyond the position")
    gross_exposure_limit: Decimal = Field(default=Decimal(1_500_000), gt=0)
    position_limit: Decimal = Field(default=Decimal(200_000), gt=0, description="of one symbol, at the quote")
    order_size_limit: Decimal = Field(default=Decimal(200_000), gt=0, description="of one order, at the quote")
    price_collar: Decimal = Field(default=Decimal("0.1"), gt=0, description="how far from the quote a limit may be")
    stale_quote_seconds: float = Field(default=5, gt=0, description="a quote older than this is not traded on")
    daily_loss_limit: Decimal = Field(
        default=Decimal("0.05"), gt=0, description="of start-of-day equity; trips the breaker"
    )
