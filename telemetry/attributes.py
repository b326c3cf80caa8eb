"""Attributes: the labels that metrics may carry, and the label values that are allowed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from telemetry.recording import Dropped, Reason

logger = logging.getLogger(__name__)

OTHER = "__other__"
"""The label value for every new value after an open attribute has reached its limit."""


class Attribute:
    """A label that metrics may carry.

    With `values` the attribute is closed: a record with any other value is dropped and counted. Without `values` it is
    open: it takes new values until it has `limit` values, and records later ones as `__other__`. Values that were
    passed to `know` are never recorded as `__other__`.

    `values` are texts, or members of an enumeration of texts. Raises TypeError for a value that is not text, and
    ValueError for one that is not valid Unicode.

    Example: `Attribute("side", ("buy", "sell"))` is closed, `Attribute("symbol", limit=100)` is open.
    """

    def __init__(self, name: str, values: Iterable[str] | None = None, *, limit: int = 100) -> None:
        self.name = name
        self.values = None if values is None else tuple(map(_text, values))
        self.limit = limit
        self._known: dict[str, None] = dict.fromkeys(self.values or ())
        # Values that were first seen in a record. They are not in `known`, so no other series at 0 is made for them.
        self._met: dict[str, None] = {}
        self._lock = threading.Lock()
        self._exposers: list[Callable[[], None]] = []

    def used_by(self, expose: Callable[[], None]) -> None:
        """Registers a callback that is called when more values become known."""
        self._exposers.append(expose)

    def know(self, values: Iterable[str]) -> None:
        """Announces values of an open attribute. Counters and histograms show them at 0 before their first event.

        Never raises. If one of the values is not text or not valid Unicode, a warning is logged and none is taken. The
        same happens when the attribute is closed.

        Example: `SYMBOL.know(["AAPL", "MSFT"])`.
        """
        try:
            fresh = dict.fromkeys(map(_text, values))
        except (TypeError, ValueError) as error:
            logger.warning("the values of %s were not added: %s", self.name, error)
            return
        if self.values is not None:
            logger.warning("%s is closed: it has only the values in its declaration", self.name)
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
        """The values from the declaration and from `know`."""
        return tuple(self._known)

    def admit(self, value: object) -> str:
        """The label text for a value. Raises `Dropped` when the value may not be recorded."""
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
    """The value as plain text. Raises TypeError if it is not text, ValueError if it cannot be encoded as UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"a value of type {type(value).__name__} is not text")
    text = str.__str__(value)  # str() of an enum member may return its name
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!r} is not valid Unicode") from None
    return text
