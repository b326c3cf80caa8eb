"""The dashboards as Grafana reads them: which there are, and the file of each."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

# As the dashboards link to each other. Others come after them.
ORDER = ("trading-overview", "risk-monitoring", "service-health", "telemetry-pipeline", "slo")


@dataclass(frozen=True)
class Entry:
    """What a list of dashboards says of one."""

    uid: str
    title: str
    description: str
    tags: list[str]


def listed(*folders: Path) -> list[dict[str, Any]]:
    """The dashboards in the order of ORDER, then the others by title. Read each time: the files may be written anew."""
    entries = [entry for entry, _ in _read(folders)]
    entries.sort(key=lambda entry: (ORDER.index(entry.uid) if entry.uid in ORDER else len(ORDER), entry.title))
    return [asdict(entry) for entry in entries]


def text(uid: str, *folders: Path) -> str | None:
    """The file of a dashboard as it is. The uid is compared, and never a part of a path."""
    return next((text for entry, text in _read(folders) if entry.uid == uid), None)


def _read(folders: Sequence[Path]) -> list[tuple[Entry, str]]:
    found = []
    for file in (file for folder in folders for file in sorted(folder.glob("*.json"))):
        text = file.read_text(encoding="utf-8")
        try:
            board = json.loads(text)
            entry = Entry(board["uid"], board["title"], board.get("description", ""), board.get("tags", []))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("%s is left out, because it cannot be read as a dashboard: %r", file.name, error)
            continue
        found.append((entry, text))
    return found
