"""What the signal service is told by its environment."""

from __future__ import annotations

from pydantic import Field

from apps.settings import ServiceSettings
from apps.vocabulary import Strategy


class Settings(ServiceSettings):
    """Each field is an environment variable in capitals."""

    strategy: Strategy = Strategy.EQUAL_WEIGHT
    momentum_days: int = Field(default=5, ge=1, description="trading dates that momentum looks back")
    signal_seconds: float = Field(default=2, gt=0, description="how often signals are made in the session")
