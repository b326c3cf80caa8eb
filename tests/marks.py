"""The mark `server`: who gets it by itself, and that nobody starts a server without it.

`make check` leaves out what is marked, and so needs Python alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# Whoever uses one of these, also through other fixtures, uses a server.
FIXTURES = frozenset({"servers", "database_url", "redis_url", "gateway"})

_unmarked: list[str] = []


def add(item: pytest.Item | Any) -> None:
    """Marks a test by what it uses, and by what it is."""
    uses = FIXTURES.intersection(getattr(item, "fixturenames", ()))
    if uses or item.get_closest_marker("integration") or item.get_closest_marker("drill"):
        item.add_marker(pytest.mark.server)


@contextmanager
def running(item: pytest.Item | Any) -> Iterator[None]:
    """Remembers, while the test and the set-up of its fixtures run, that it is not marked."""
    _unmarked[:] = [] if item.get_closest_marker("server") else [item.nodeid]
    try:
        yield
    finally:
        _unmarked.clear()


def starts(what: str) -> None:
    """Called by whoever starts a server for tests."""
    if _unmarked:
        raise RuntimeError(
            f"{_unmarked[0]} starts {what} and is not marked: write `@pytest.mark.server` above it, "
            "or `pytestmark = pytest.mark.server` in its file."
        )
