"""The settings of the execution gateway: its limits, and those of the paper venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from apps.addresses import ServiceAddress
from apps.inputs import MOST_DOLLARS, Cash
from apps.paper_venue.settings import VenueSettings
from apps.settings import ServiceSettings

Dollars = Annotated[Decimal, Field(ge=Decimal("0.01"), le=MOST_DOLLARS, decimal_places=2)]
"""A limit in dollars."""


class Settings(ServiceSettings, VenueSettings):
    """Each field is an environment variable in capital letters. Money is in dollars."""

    market_data_url: ServiceAddress = Field(
        default="http://127.0.0.1:8004", description="the market data service, which confirms a new trading date"
    )

    initial_cash: Cash = Decimal(1_000_000)
    allow_short: bool = Field(default=False, description="whether more shares may be sold than are held")
    gross_exposure_limit: Dollars = Decimal(1_500_000)
    position_limit: Dollars = Field(
        default=Decimal(200_000), description="the largest position in one symbol, at the quote"
    )
    order_size_limit: Dollars = Field(
        default=Decimal(200_000), description="the largest notional of one order, at the quote"
    )
    # Far above what the orchestrator sends, which is an order for each symbol in a session, and tried again every 3 s.
    # The upper bounds are those of memory: 10,000 times are 300 KB, and 100 clients are told apart.
    order_rate_limit_per_second: int = Field(
        default=100, ge=1, le=1000, description="how many orders a client may send in a second"
    )
    order_rate_limit_per_minute: int = Field(
        default=3000, ge=1, le=10_000, description="how many orders a client may send in a minute"
    )
    price_collar: Decimal = Field(
        default=Decimal("0.1"), gt=0, le=1, description="how far a limit price may be from the quote, as a ratio"
    )
    market_order_band: Decimal = Field(
        default=Decimal("0.01"),
        ge=0,
        le=1,
        description="how far above its quote at arrival a market buy may be filled, as a ratio; the cash is reserved",
    )
    daily_loss_limit: Decimal = Field(
        default=Decimal("0.05"), gt=0, lt=1, description="the daily loss ratio above which the breaker is tripped"
    )
    # These limits refuse nothing: rules and dashboards read them.
    drawdown_limit: Decimal = Field(
        default=Decimal("0.1"), gt=0, lt=1, description="the drawdown above which DrawdownExceeded pages, as a ratio"
    )
    order_placement_limit_seconds: float = Field(
        default=0.5,
        gt=0,
        le=60,
        description="the time of the slowest orders in a hundred above which OrderPlacementSlow warns",
    )
    order_slippage_limit_bps: float = Field(
        default=5, gt=0, le=10_000, description="the median slippage above which SlippageHigh warns, in basis points"
    )
