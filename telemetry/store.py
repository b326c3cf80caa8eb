"""The series of one metric: a cell for each, and the room for more.

A cell is a list: the numbers of the series, and last the text that is written before or around them. Nothing here waits
for a lock, because a record may come from a signal handler, from `__del__` in a collection of garbage, or from a thread
that holds a lock of its own. And a lock that another thread holds stays locked in a child after a fork.

CPython with its GIL runs another thread, a signal handler or a finalizer only at a call, at the beginning of a
function, at a jump back, and where a container is made. So each change is a few statements without any of these, on
texts, ints and floats: it happens at once. A test reads the instructions of each such change. Free-threaded builds are
not supported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telemetry.attributes import LONGEST_TEXT, OTHER, Label, Open

Key = tuple[str, ...]
"""The texts of the labels, in the order of the declaration."""
Cell = list[Any]
Cells = dict[Key, Cell]


class Store:
    """The cells of a metric by the texts of their labels. `make` makes the cell of a new series."""

    def __init__(self, labels: tuple[Label, ...], make: Callable[[Key], Cell]) -> None:
        self.cells: Cells = {}
        self._labels = labels
        self._make = make
        self._rooms = self._new_rooms()

    def _new_rooms(self) -> tuple[Room | None, ...]:
        return tuple(Room(label.open) if label.open is not None else None for label in self._labels)

    def cell(self, key: Key) -> Cell:
        """The cell of the series into which a record with these labels goes. It is made if there is none."""
        cell = self.cells.get(key)
        if cell is not None:
            return cell
        shown = self.shown_as(key)
        cell = self.cells.get(shown)
        if cell is not None:
            return cell
        shown = self._shown(key, Room.take)
        made = self._make(shown)
        cell = self.cells.setdefault(shown, made)
        if cell is not made:  # another thread was faster
            self._leave(shown)
        return cell

    def shown_as(self, key: Key) -> Key:
        """The key of that series: `__other__` stands for each value for which there is no room, or that is too long."""
        return self._shown(key, Room.takes)

    def _shown(self, key: Key, takes: Callable[[Room, str], bool]) -> Key:
        return tuple(
            [
                text if room is None or takes(room, text) else OTHER
                for room, text in zip(self._rooms, self._short(key), strict=True)
            ]
        )

    def _short(self, key: Key) -> Key:
        return tuple(
            [
                text if room is None or len(text) <= LONGEST_TEXT else OTHER
                for room, text in zip(self._rooms, key, strict=True)
            ]
        )

    def remove(self, key: Key) -> None:
        """Removes a series, if there is one, and frees what it used."""
        if self.cells.pop(key, None) is not None:
            self._leave(key)

    def forget(self) -> None:
        """Removes all series. What holds a cell has to ask for it again: it has no numbers any more."""
        forgotten = list(self.cells.values())
        self.cells.clear()
        self._rooms = self._new_rooms()
        for cell in forgotten:
            cell.clear()

    def replace(self, other: Store) -> None:
        """Takes over the series of another store of the same metric."""
        self.cells, self._rooms = other.cells, other._rooms

    def copy(self) -> Store:
        """A store with the same series, which can be changed without changing this one."""
        copied = self.empty()
        for key, cell in self.cells.copy().items():
            copied.cell(key)[:] = cell
        return copied

    def empty(self) -> Store:
        """A store of the same metric without series."""
        return Store(self._labels, self._make)

    def announced(self) -> None:
        """Open labels know more values now: those need no room."""
        for room in self._rooms:
            if room is not None:
                room.announced()

    def full_labels(self) -> int:
        """How many labels have values that are shown as `__other__`."""
        return sum(room is not None and room.others > 0 for room in self._rooms)

    def _leave(self, key: Key) -> None:
        for room, text in zip(self._rooms, key, strict=True):
            if room is not None:
                room.leave(text)


class Room:
    """In how many series each value of an open label is that nobody announced, up to the label's limit of values."""

    __slots__ = ("_held", "_open", "_used", "others")

    def __init__(self, opened: Open) -> None:
        self._open = opened
        self._held: dict[str, int] = {}
        self._used = 0
        self.others = 0
        """In how many series `__other__` is."""

    def takes(self, text: str) -> bool:
        """Whether there is room for a series with this value."""
        return text in self._open.known_texts or text in self._held or self._used < self._open.room or text == OTHER

    def take(self, text: str) -> bool:
        """Makes room for a series with this value. Returns False if there is none. At once: see above."""
        if text == OTHER:
            self.others += 1
            return True
        if text in self._open.known_texts:
            return True
        if text in self._held:
            self._held[text] += 1
            return True
        if self._used < self._open.room:
            self._used += 1
            self._held[text] = 1
            return True
        self.others += 1
        return False

    def leave(self, text: str) -> None:
        """Frees the room of a series with this value. At once: see above."""
        if text == OTHER:
            self.others -= 1
        elif text in self._held:
            self._held[text] -= 1
            if not self._held[text]:
                del self._held[text]
                self._used -= 1

    def announced(self) -> None:
        """Frees the room of values that have been announced since."""
        for text in list(self._held):
            self._let_go(text)

    def _let_go(self, text: str) -> None:
        if text in self._held and text in self._open.known_texts:
            del self._held[text]
            self._used -= 1
