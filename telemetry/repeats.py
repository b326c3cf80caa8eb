"""Cuts the repeats of log lines that any client can cause, as many as it likes. So a client cannot fill a disk."""

from __future__ import annotations

import copy
import logging
import time

PAUSE_SECONDS = 60.0
"""After one of these lines has been logged, the same one is not logged for this time."""
CAUSED_BY_CLIENTS = (
    ("uvicorn.error", "Invalid HTTP request received."),
    ("uvicorn.error", "Unsupported upgrade request."),
    ("uvicorn.error", "No supported WebSocket library detected."),
    ("asyncio", "socket.accept() out of system resource"),
)
"""The logger of each of these lines, and how it begins. Every other event is logged each time."""


class Repeats:
    """When each of these lines was logged, and how often it was not logged since. The handler's lock guards it."""

    def __init__(self) -> None:
        self._logged_at: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def kept(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """The event as it is to be logged, or None if it is a repeat. The next one that is logged says how many were.

        An event that is no such line is returned as it is.
        """
        line = _line(record)
        if line is None:
            return record
        now = time.monotonic()
        if now - self._logged_at.get(line, -PAUSE_SECONDS) < PAUSE_SECONDS:
            self._left_out[line] = self._left_out.get(line, 0) + 1
            return None
        self._logged_at[line] = now
        left_out = self._left_out.pop(line, 0)
        if not left_out:
            return record
        said = copy.copy(record)  # other handlers get the record as it is
        said.msg, said.args = f"{record.msg} ({left_out} earlier times it was not logged)", None
        return said


def _line(record: logging.LogRecord) -> tuple[str, str] | None:
    if isinstance(record.msg, str) and not record.args:
        for name, beginning in CAUSED_BY_CLIENTS:
            if record.name == name and record.msg.startswith(beginning):
                return name, beginning
    return None
