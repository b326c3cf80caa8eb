"""State that all instruments of the process share: the service, the declared metrics, and the dropped records.

A wrong record never raises an error in the calling code. It is dropped and counted in
`telemetry_dropped_total{metric,reason}`. It is also logged, at most once a minute for each metric and reason.
"""

from __future__ import annotations

import logging
import math
import numbers
import threading
import time
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.instruments import Instrument

logger = logging.getLogger(__name__)

declared: dict[str, Instrument] = {}
"""Every declared metric by its name, in the order of the declarations."""


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
    UNREADABLE = "unreadable"


class Dropped(Exception):
    """The record must not be taken. This error is always caught inside this package."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Process:
    """What `init` set for this process. Before `init`, every declared metric is recorded."""

    def __init__(self) -> None:
        self.service: str | None = None
        self.disabled = False


process = _Process()

_counts: dict[tuple[str, str], int] = {}
_last_said: dict[tuple[str, str], float] = {}
_lock = threading.Lock()
_SILENCE_SECONDS = 60.0


def dropped(metric: str, problem: Dropped) -> None:
    """Counts a dropped record, and logs it at most once a minute for each metric and reason."""
    key = (metric, problem.reason.value)
    with _lock:
        _counts[key] = _counts.get(key, 0) + 1
    warn(key, f"a record of {metric} was dropped ({problem.reason.value}): {problem}")


def warn(key: tuple[str, str], message: str) -> None:
    """Logs a message, at most once a minute for each key."""
    now = time.monotonic()
    with _lock:
        speak = now - _last_said.get(key, -math.inf) >= _SILENCE_SECONDS
        if speak:
            _last_said[key] = now
    if speak:
        logger.warning("%s", message)


def drops() -> dict[tuple[str, str], int]:
    """The number of records dropped so far, by metric and reason."""
    with _lock:
        return dict(_counts)


_AMOUNTS = (int, float, Decimal, numbers.Real)
"""The abstract class comes last, because asking it takes several times as long."""


def number(amount: object) -> int | float:
    """The amount as a finite number. Takes Decimal (P&L is Decimal) and every type that is a `numbers.Real`.

    An integer that does not fit into 64 bits becomes a float. Raises `Dropped` for everything else: None, text, bool,
    NaN, infinities, and integers too large for a float.
    """
    if isinstance(amount, bool) or not isinstance(amount, _AMOUNTS):
        raise Dropped(Reason.NOT_A_NUMBER, f"{type(amount).__name__} is not an amount")
    try:
        as_float = float(amount)
    except (OverflowError, ValueError, TypeError):
        raise Dropped(Reason.NOT_A_NUMBER, f"a {type(amount).__name__} that cannot be converted to a float") from None
    if not math.isfinite(as_float):
        raise Dropped(Reason.NOT_A_NUMBER, f"{as_float} is not a finite number")
    as_given: object = amount
    return as_given if type(as_given) is int and -(2**63) <= as_given < 2**63 else as_float
