"""Attributes: the labels that metrics may carry, closed or open, and what becomes of a value nobody declared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from telemetry.recording import Dropped, Reason

OTHER = "__other__"
"""The label value that takes what comes after an open attribute's limit."""


class Attribute:
    """A label that metrics may carry.

    Closed when `values` is given: any other value is dropped and counted. Open otherwise: the first `limit` values
    get series of their own, what comes later is recorded as `__other__`.
    """

    def __init__(self, name: str, values: Iterable[str] | None = None, *, limit: int = 100) -> None:
        self.name = name
        self.values = None if values is None else tuple(str(value) for value in values)
        self.limit = limit
        self._known: dict[str, None] = dict.fromkeys(self.values or ())
        self._lock = threading.Lock()
        self._exposers: list[Callable[[], None]] = []

    def used_by(self, expose: Callable[[], None]) -> None:
        """Has a metric told when more values are known."""
        self._exposers.append(expose)

    def know(self, values: Iterable[str]) -> None:
        """Says which values an open attribute will have: counters show them at 0 before their first event."""
        with self._lock:
            self._known.update(dict.fromkeys(values))
        for expose in self._exposers:
            expose()

    @property
    def known(self) -> tuple[str, ...]:
        """The values that series of their own exist for, or may."""
        return tuple(self._known)

    def admit(self, value: object) -> str:
        """The label's text for a value; raises `Dropped` for one that may not be recorded."""
        if not isinstance(value, str):
            raise Dropped(Reason.NOT_TEXT, f"{self.name} is {type(value).__name__}, not text")
        if value in self._known:
            return str(value)
        if self.values is not None:
            raise Dropped(Reason.UNDECLARED_VALUE, f"{self.name} has no value {value[:40]!r}")
        with self._lock:
            if len(self._known) >= self.limit:
                return OTHER
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Dropped(Reason.NOT_TEXT, f"{self.name} is not valid Unicode") from None
            self._known[str(value)] = None
        return str(value)
