"""The dead man's switch: silence of 45 s is a page, and only silence."""

from pathlib import Path

import pytest

from infra.pager.deadman import DeadMansSwitch
from infra.pager.journal import Journal


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
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(tmp_path, clock)


def told(journal: Journal) -> list[tuple[str, str, str]]:
    return [(page.channel, page.alerts[0].name, page.status) for page in journal.since()]


FIRING = ("deadman", "DeadMansSwitch", "firing")
RESOLVED = ("deadman", "DeadMansSwitch", "resolved")


def test_it_pages_once_when_beats_stop_for_more_than_45_seconds(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, clock, clock)
    switch.beat()
    clock.moment += 45
    switch.check()
    assert told(journal) == []
    assert switch.beating

    clock.moment += 0.1
    switch.check()
    clock.moment += 100
    switch.check()
    assert told(journal) == [FIRING]
    assert not switch.beating


def test_its_page_says_since_when_resolved_may_be_false(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, clock, clock)
    switch.beat()
    clock.moment += 46
    switch.check()

    [page] = journal.since()
    assert page.receiver == "deadman"
    description = page.alerts[0].annotations["description"]
    assert description.startswith("The last Watchdog beat came at 2027-01-15 08:00:00 UTC. ")
    assert 'every "resolved" notification since then may be false' in description


def test_it_pages_when_no_beat_ever_came(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, clock, clock)
    clock.moment += 46
    switch.check()

    assert told(journal) == [FIRING]
    assert "No Watchdog beat since the pager was started." in journal.since()[0].alerts[0].annotations["description"]


def test_it_resolves_when_beats_come_back(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, clock, clock)
    clock.moment += 46
    switch.check()
    switch.beat()
    clock.moment += 10
    switch.beat()

    assert told(journal) == [FIRING, RESOLVED]
    assert switch.beating


def test_it_stays_silent_while_beats_come(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, clock, clock)
    for _ in range(20):
        clock.moment += 40
        switch.beat()
        switch.check()

    assert told(journal) == []


def test_a_clock_that_is_set_forward_is_no_silence(journal: Journal, clock: Clock) -> None:
    switch = DeadMansSwitch(journal, now=clock, steady=lambda: 0.0)
    switch.beat()
    clock.moment += 3600
    switch.check()

    assert told(journal) == []


def test_a_restarted_pager_does_not_repeat_its_page_and_resolves_it_at_the_first_beat(
    journal: Journal, clock: Clock
) -> None:
    before = DeadMansSwitch(journal, clock, clock)
    clock.moment += 46
    before.check()

    after = DeadMansSwitch(journal, clock, clock)
    after.check()
    clock.moment += 46
    after.check()
    assert told(journal) == [FIRING]

    after.beat()
    assert told(journal) == [FIRING, RESOLVED]
