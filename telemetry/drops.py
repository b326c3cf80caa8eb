"""What was not recorded, and why.

A wrong record never raises an error in the calling code. It is dropped and counted in
`telemetry_dropped_total{metric,reason}`. It is also logged, at most once a minute for each metric and reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

logger = logging.getLogger(__name__)

COUNTER = "telemetry_dropped_total"


class Reason(StrEnum):
    """Why a record was dropped. These are the values of the label `reason` of `telemetry_dropped_total`."""

    NOT_A_NUMBER = "not_a_number"
    NEGATIVE = "negative"
    MISSING_ATTRIBUTE = "missing_attribute"
    UNDECLARED_ATTRIBUTE = "undeclared_attribute"
    NOT_TEXT = "not_text"
    UNDECLARED_VALUE = "undeclared_value"
    NOT_OWNED = "not_owned"
    CALLBACK_FAILED = "callback_failed"
    CALLBACK_HANGS = "callback_hangs"
    UNREADABLE = "unreadable"
    NOT_RENDERED = "not_rendered"


class Dropped(Exception):
    """The record must not be taken. This error is always caught inside this package."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_count: Callable[[str, Reason], None] | None = None
_last_said: dict[tuple[str, str], float] = {}
_SILENCE_SECONDS = 60.0
_KEYS_AT_MOST = 1000
"""How many different messages are said in that time. Their keys have texts of libraries, so there may be any number."""
_FULL = ("", "said")


def count_with(count: Callable[[str, Reason], None]) -> None:
    """Sets what counts a drop. The counter is a declared metric, and those need this module."""
    global _count
    _count = count


def dropped(metric: str, problem: Dropped) -> None:
    """Counts a dropped record, and logs it at most once a minute for each metric and reason."""
    if _count is not None and metric != COUNTER:
        _count(metric, problem.reason)
    warn((metric, problem.reason.value), f"a record of {metric} was dropped ({problem.reason.value}): {problem}")


def said(error: BaseException | None) -> str:
    """The type and the text of an error. The text may be the caller's code, so it may raise."""
    try:
        return f"{type_name(error)}: {error}"
    except BaseException:
        return type_name(error)


def type_name(value: object) -> str:
    """The name of the type. A metaclass is the caller's code, too."""
    try:
        return str(type(value).__name__)
    except BaseException:
        return "a type without a name"


def quoted(value: object) -> str:
    """A value as a message shows it. Its `__repr__` may be the caller's code, so it may raise."""
    try:
        return f"{value!r:.300}"
    except BaseException:
        return f"an object of {type_name(value)}"


def warn(key: tuple[str, str], message: str) -> None:
    """Logs a message, at most once a minute for each key. Never raises."""
    with suppress(Exception):  # of a filter or a handler of the application
        now = time.monotonic()
        if not _has_room(key, now):
            key = _FULL
            message = f"there are more than {_KEYS_AT_MOST} different warnings in a minute: not all are said"
        if _is_due(key, now):
            logger.warning("%s", message)


def _has_room(key: tuple[str, str], now: float) -> bool:
    """Whether a message is known, or there is room to note it. Forgets those that may be said again."""
    if key in _last_said or len(_last_said) < _KEYS_AT_MOST:
        return True
    for old, said_at in list(_last_said.items()):
        if now - said_at >= _SILENCE_SECONDS:
            _last_said.pop(old, None)
    return len(_last_said) < _KEYS_AT_MOST


def _is_due(key: tuple[str, str], now: float) -> bool:
    """Whether a message may be logged now, and if so notes it. At once, as telemetry/store.py says."""
    if key in _last_said and now - _last_said[key] < _SILENCE_SECONDS:
        return False
    _last_said[key] = now
    return True
