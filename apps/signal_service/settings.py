"""The settings of the signal service."""

from __future__ import annotations

from pydantic import Field

from apps.addresses import ServiceAddress
from apps.settings import ServiceSettings
from apps.vocabulary import Strategy


class Settings(ServiceSettings):
    """Each field is an environment variable in capital letters."""

    market_data_url: ServiceAddress = Field(
        default="http://127.0.0.1:8004", description="the market data service, which confirms a new trading date"
    )
    strategy: Strategy = Strategy.EQUAL_WEIGHT
    momentum_days: int = Field(default=5, ge=1, le=1000, description="how many trading dates momentum looks back")
    # Not above 20 s, because SignalsStale takes signals for old after 30 s.
    signal_seconds: float = Field(
        default=2, ge=0.1, le=20, description="the time between two rounds of signals in the session"
    )
