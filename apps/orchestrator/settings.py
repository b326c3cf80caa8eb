"""The settings of the orchestrator."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from apps.addresses import ServiceAddress
from apps.settings import ServiceSettings


class Settings(ServiceSettings):
    """Each field is an environment variable in capital letters."""

    execution_gateway_url: ServiceAddress = "http://127.0.0.1:8002"
    signal_service_url: ServiceAddress = "http://127.0.0.1:8003"
    market_data_url: ServiceAddress = Field(
        default="http://127.0.0.1:8004", description="the market data service, which confirms a new trading date"
    )
    invested: Decimal = Field(
        default=Decimal("0.98"), gt=0, le=1, description="the part of equity that a weight of 1 stands for"
    )
    # Not above 20 s, because OrchestrationFailing looks 25 s back.
    retry_seconds: float = Field(default=3, ge=0.1, le=20, description="pause after a run that did not succeed")
