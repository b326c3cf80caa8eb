"""The settings of the market data service."""

from __future__ import annotations

import os.path
from pathlib import Path

from pydantic import Field

from apps.inputs import TradingDate
from apps.settings import ServiceSettings

DATA = Path(__file__).parent / "data"


class Settings(ServiceSettings):
    """Each field is an environment variable in capital letters."""

    replay_file: str = Field(default="crash-2020.csv", description="a file in the data folder, or a path")
    replay_start: TradingDate | None = Field(
        default=None, description="the first trading date; default: the second row"
    )
    replay_end: TradingDate | None = Field(default=None, description="the last trading date; default: the last row")
    replay_day_seconds: float = Field(
        default=30, ge=12, le=86_400, description="length of a day; closed for 10 s or more of it"
    )

    @property
    def replay_path(self) -> Path:
        """The path of the file of closes."""
        path = Path(self.replay_file)
        # Unlike that of Path, this `exists` raises for no name. What is wrong with it is said when it is read.
        return path if path.is_absolute() or os.path.exists(path) else DATA / self.replay_file  # noqa: PTH110
