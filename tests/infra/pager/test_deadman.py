"""The dead man's switch: silence of 45 s is a page, and only silence."""

from pathlib import Path

import pytest

from infra.pager.book import Book
from infra.pager.deadman import DeadMansSwitch


class Clock:
    """Wall and steady clock in one: it goes when it is told to."""

    def __init__(self) -> None:
        self.moment = 1_800_000_000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Book:
    return Book(tmp_path, clock)


def told(book: Book) -> list[tuple[str, str, str]]:
    return [(page.channel, page.alerts[0].name, page.status) for page in book.since()]


FIRING = ("deadman", "DeadMansSwitch", "firing")
RESOLVED = ("deadman", "DeadMansSwitch", "resolved")


def test_it_pages_once_when_beats_stop_for_more_than_45_seconds(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, clock, clock)
    switch.beat()
    clock.moment += 45
    switch.check()
    assert told(book) == []
    assert switch.beating

    clock.moment += 0.1
    switch.check()
    clock.moment += 100
    switch.check()
    assert told(book) == [FIRING]
    assert not switch.beating


def test_its_page_says_since_when_resolved_may_be_false(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, clock, clock)
    switch.beat()
    clock.moment += 46
    switch.check()

    [page] = book.since()
    assert page.receiver == "deadman"
    description = page.alerts[0].annotations["description"]
    assert description.startswith("The last Watchdog beat came at 2027-01-15 08:00:00 UTC. ")
    assert 'every "resolved" notification since then may be false' in description


def test_it_pages_when_no_beat_ever_came(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, clock, clock)
    clock.moment += 46
    switch.check()

    assert told(book) == [FIRING]
    assert "No Watchdog beat since the pager was started." in book.since()[0].alerts[0].annotations["description"]


def test_it_resolves_when_beats_come_back(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, clock, clock)
    clock.moment += 46
    switch.check()
    switch.beat()
    clock.moment += 10
    switch.beat()

    assert told(book) == [FIRING, RESOLVED]
    assert switch.beating


def test_it_stays_silent_while_beats_come(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, clock, clock)
    for _ in range(20):
        clock.moment += 40
        switch.beat()
        switch.check()

    assert told(book) == []


def test_a_clock_that_is_set_forward_is_no_silence(book: Book, clock: Clock) -> None:
    switch = DeadMansSwitch(book, now=clock, steady=lambda: 0.0)
    switch.beat()
    clock.moment += 3600
    switch.check()

    assert told(book) == []


def test_a_restarted_pager_does_not_repeat_its_page_and_resolves_it_at_the_first_beat(book: Book, clock: Clock) -> None:
    before = DeadMansSwitch(book, clock, clock)
    clock.moment += 46
    before.check()

    after = DeadMansSwitch(book, clock, clock)
    after.check()
    clock.moment += 46
    after.check()
    assert told(book) == [FIRING]

    after.beat()
    assert told(book) == [FIRING, RESOLVED]
