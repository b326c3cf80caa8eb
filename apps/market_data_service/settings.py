"""What the replay is told by its environment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pydantic import Field

from apps.settings import ServiceSettings

DATA = Path(__file__).parent / "data"


class Settings(ServiceSettings):
    """Each field is an environment variable in capitals."""

    replay_file: str = Field(default="crash-2020.csv", description="a name in the data folder, or a path")
    replay_start: dt.date | None = Field(default=None, description="the second row's date unless given")
    replay_end: dt.date | None = Field(default=None, description="the last row's date unless given")
    replay_day_seconds: float = Field(default=30, ge=12, description="10 s or more of it the market is closed")

    @property
    def replay_path(self) -> Path:
        """Where the closes are."""
        path = Path(self.replay_file)
        return path if path.is_absolute() or path.exists() else DATA / self.replay_file
