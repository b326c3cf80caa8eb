"""The mark `server`: which tests get it automatically, and that no other test starts a server.

`make check` leaves out what is marked, and so needs Python alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# A test that uses one of these fixtures, directly or through another one, uses a server.
FIXTURES = frozenset({"servers", "database_url", "redis_url", "gateway", "chromium"})

_unmarked: list[str] = []


def add(item: pytest.Item | Any) -> None:
    """Marks a test by its fixtures and by its other marks."""
    uses = FIXTURES.intersection(getattr(item, "fixturenames", ()))
    if uses or item.get_closest_marker("integration") or item.get_closest_marker("drill"):
        item.add_marker(pytest.mark.server)


@contextmanager
def running(item: pytest.Item | Any) -> Iterator[None]:
    """Remembers, while a test and the set-up of its fixtures run, whether the test is unmarked."""
    _unmarked[:] = [] if item.get_closest_marker("server") else [item.nodeid]
    try:
        yield
    finally:
        _unmarked.clear()


def starts(what: str) -> None:
    """Called before a server is started for a test. Raises RuntimeError in a test that is not marked."""
    if _unmarked:
        raise RuntimeError(
            f"{_unmarked[0]} starts {what} and is not marked: write `@pytest.mark.server` above it, "
            "or `pytestmark = pytest.mark.server` in its file."
        )
