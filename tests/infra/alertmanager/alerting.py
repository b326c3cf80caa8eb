"""Alertmanager as Prometheus sees it, and the pager as everybody else does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx


@dataclass
class Alerting:
    """Where the two answer."""

    alertmanager: str
    pager: str

    def fire(self, *alerts: dict[str, Any]) -> None:
        self._send([{**alert, "endsAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()} for alert in alerts])

    def resolve(self, *alerts: dict[str, Any]) -> None:
        self._send([{**alert, "endsAt": datetime.now(UTC).isoformat()} for alert in alerts])

    def pages(self, since: float = 0.0) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (
            httpx.get(f"{self.pager}/pages", params={"since": since}).raise_for_status().json()
        )
        return listed

    def watchdog(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.pager}/watchdog").raise_for_status().json()
        return answer

    def _send(self, alerts: list[dict[str, Any]]) -> None:
        httpx.post(f"{self.alertmanager}/api/v2/alerts", json=alerts).raise_for_status()
