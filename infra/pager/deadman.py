"""The dead man's switch: adds a page of its own when the beats of Watchdog stop."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from infra.pager.journal import Journal
from infra.pager.pages import Alert, Notification, Status

# Beats come every 10 s. Four missing beats are more than a short fault of the network.
SILENCE_SECONDS = 45.0


class DeadMansSwitch:
    """Takes the beats, and writes to the journal when they stop and when they are back."""

    def __init__(
        self, journal: Journal, now: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        """`steady` is a monotonic clock: a wall clock that is set forward must not page."""
        self._journal = journal
        self._now = now
        self._steady = steady
        self._lock = threading.Lock()
        self._heard = steady()
        self.last_beat: float | None = None
        told = journal.last("deadman")
        self._firing = told is not None and told.status == "firing"

    @property
    def beating(self) -> bool:
        return self.last_beat is not None and not self._silent()

    def beat(self) -> None:
        self._heard = self._steady()
        self.last_beat = self._now()
        self.check()

    def check(self) -> None:
        with self._lock:
            if self._silent() and not self._firing:
                self._journal.add(_notification("firing", _silence(self.last_beat)))
                self._firing = True
            elif self._firing and self.beating:
                self._journal.add(_notification("resolved", "Watchdog beats again: notifications can be trusted."))
                self._firing = False

    def _silent(self) -> bool:
        return self._steady() - self._heard > SILENCE_SECONDS


def _silence(last_beat: float | None) -> str:
    if last_beat is None:
        return (
            "No Watchdog beat since the pager was started. Prometheus or Alertmanager is down, or cannot reach the "
            'pager: no alert would arrive, and a "resolved" notification of this time may be false.'
        )
    moment = datetime.fromtimestamp(last_beat, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"The last Watchdog beat came at {moment}. Prometheus or Alertmanager is down, or cannot reach the pager: "
        f'no alert would arrive, and every "resolved" notification since then may be false. Look at what fired before.'
    )


def _notification(status: Status, description: str) -> Notification:
    alert = Alert(
        name="DeadMansSwitch",
        labels={"alertname": "DeadMansSwitch", "severity": "critical", "service": "pager", "team": "platform"},
        annotations={
            "summary": "The alerting itself is silent." if status == "firing" else "The alerting is back.",
            "description": description,
            "runbook_url": "/runbooks#watchdog",
        },
        status=status,
    )
    return Notification(channel="deadman", receiver="deadman", status=status, alerts=[alert], body={})
