"""A test that starts a server is marked `server`, by hand or by what it uses; no other test can start one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import marks
from tests.servers import postgres_server, redis_running
from tests.services import started
from tests.stack import Stack


class Item:
    """A collected test, as far as marks are concerned."""

    nodeid = "tests/test_it.py::test_it"

    def __init__(self, *marked: str, uses: tuple[str, ...] = ()) -> None:
        self.marked = set(marked)
        self.fixturenames = uses

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marked else None

    def add_marker(self, marker: pytest.MarkDecorator) -> None:
        self.marked.add(marker.name)


@pytest.mark.parametrize(
    "item",
    [
        Item("integration"),
        Item("drill"),
        Item(uses=("client", "gateway")),
        Item(uses=("tmp_path", "servers", "database_url")),
        Item(uses=("redis_url",)),
    ],
    ids=lambda item: ", ".join([*item.marked, *item.fixturenames]),
)
def test_a_test_is_marked_by_what_it_is_and_by_what_it_uses(item: Item) -> None:
    marks.add(item)

    assert "server" in item.marked


def test_others_are_not_marked() -> None:
    item = Item("timeout", uses=("tmp_path", "recorded"))

    marks.add(item)

    assert item.marked == {"timeout"}


def test_what_is_not_marked_cannot_start_a_server(tmp_path: Path) -> None:
    starting: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "PostgreSQL": lambda: postgres_server(tmp_path),
        "Redis": lambda: redis_running(tmp_path),
        "orchestrator": lambda: started("orchestrator", tmp_path, {}),
        "the platform": Stack,
    }
    for what, start in starting.items():
        expected = f"test_what_is_not_marked_cannot_start_a_server starts {what} and is not marked"
        with pytest.raises(RuntimeError, match=expected), start():
            pass

    assert list(tmp_path.iterdir()) == []


def test_what_is_marked_can_and_so_can_a_command_outside_of_tests() -> None:
    with marks.running(Item("server")):
        marks.starts("PostgreSQL")
    marks.starts("PostgreSQL")
