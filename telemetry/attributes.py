"""Attributes: the labels that metrics may carry, closed or open, and what becomes of a value nobody declared."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from telemetry.recording import Dropped, Reason

logger = logging.getLogger(__name__)

OTHER = "__other__"
"""The label value that takes what comes after an open attribute's limit."""


class Attribute:
    """A label that metrics may carry.

    Closed when `values` is given: any other value is dropped and counted. Open otherwise: the first `limit` values
    get series of their own, what comes later is recorded as `__other__`.
    """

    def __init__(self, name: str, values: Iterable[str] | None = None, *, limit: int = 100) -> None:
        self.name = name
        self.values = None if values is None else tuple(map(_text, values))
        self.limit = limit
        self._known: dict[str, None] = dict.fromkeys(self.values or ())
        # Values that came with a record. They have series, but nobody said that they would come.
        self._met: dict[str, None] = {}
        self._lock = threading.Lock()
        self._exposers: list[Callable[[], None]] = []

    def used_by(self, expose: Callable[[], None]) -> None:
        """Has a metric told when more values are known."""
        self._exposers.append(expose)

    def know(self, values: Iterable[str]) -> None:
        """Says which values an open attribute will have: counters show them at 0 before their first event.

        Never raises: values that no label can have, and those of a closed attribute, are logged and left out.
        """
        try:
            fresh = dict.fromkeys(map(_text, values))
        except (TypeError, ValueError) as error:
            logger.warning("values of %s were not taken: %s", self.name, error)
            return
        if self.values is not None:
            logger.warning("%s is closed: what it may be is said where it is declared", self.name)
            return
        with self._lock:
            if fresh.keys() <= self._known.keys():
                return
            self._known.update(fresh)
            for value in fresh:
                self._met.pop(value, None)
        for expose in self._exposers:
            expose()

    @property
    def known(self) -> tuple[str, ...]:
        """The values that were declared, or said to come."""
        return tuple(self._known)

    def admit(self, value: object) -> str:
        """The label's text for a value; raises `Dropped` for one that may not be recorded."""
        try:
            text = _text(value)
        except (TypeError, ValueError) as error:
            raise Dropped(Reason.NOT_TEXT, f"{self.name}: {error}") from None
        if text in self._known or text in self._met:
            return text
        if self.values is not None:
            raise Dropped(Reason.UNDECLARED_VALUE, f"{self.name} has no value {text[:40]!r}")
        with self._lock:
            if len(self._known) + len(self._met) >= self.limit and text not in self._known:
                return OTHER
            self._met[text] = None
        return text


def _text(value: object) -> str:
    """The value as plain text. Raises TypeError or ValueError for one that cannot be written as UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"a value of type {type(value).__name__} is not text")
    text = str.__str__(value)  # str() of an enum's member may be its name
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!r} is not valid Unicode") from None
    return text
