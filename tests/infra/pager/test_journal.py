"""The journal of pages: nothing that was acknowledged is lost."""

import json
import logging
from pathlib import Path

import pytest

from infra.pager.journal import Journal, Unreadable
from infra.pager.pages import Notification

PAGE = Notification(channel="webhook", receiver="ops", status="firing", alerts=[], body={"text": "it burns"})


def test_a_page_is_on_disk_when_it_has_been_added(tmp_path: Path) -> None:
    Journal(tmp_path, lambda: 100.5).add(PAGE)

    [line] = (tmp_path / "pages.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "received_at": 100.5,
        "channel": "webhook",
        "receiver": "ops",
        "status": "firing",
        "alerts": [],
        "body": {"text": "it burns"},
    }


def test_pages_are_read_again_at_the_next_start_oldest_first(tmp_path: Path) -> None:
    moments = iter([100.0, 101.0])
    journal = Journal(tmp_path, lambda: next(moments))
    journal.add(PAGE)
    journal.add(PAGE.model_copy(update={"status": "resolved"}))

    assert [(page.received_at, page.status) for page in Journal(tmp_path).since()] == [
        (100.0, "firing"),
        (101.0, "resolved"),
    ]


def test_a_page_that_could_not_be_read_again_is_refused_and_not_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    kept, refused = 0, 0
    for depth in range(1, 300):
        nested: list[object] = []
        for _ in range(depth):
            nested = [nested]
        try:
            journal.add(PAGE.model_copy(update={"body": {"nested": nested}}))
            kept += 1
        except Unreadable:
            refused += 1

    assert kept > 100
    assert refused > 0
    assert Journal(tmp_path).since() == journal.since()
    assert len(journal.since()) == kept


def test_since_gives_only_what_came_later(tmp_path: Path) -> None:
    moments = iter([100.25, 100.5, 100.75])
    journal = Journal(tmp_path, lambda: next(moments))
    for _ in range(3):
        journal.add(PAGE)

    assert [page.received_at for page in journal.since(100.25)] == [100.5, 100.75]


def test_a_clock_that_is_set_back_hides_no_page_from_those_who_ask_for_what_is_new(tmp_path: Path) -> None:
    moments = iter([100.0, 50.0])
    journal = Journal(tmp_path, lambda: next(moments))
    first, second = journal.add(PAGE), journal.add(PAGE)

    assert journal.since(first.received_at) == [second]


def test_a_last_line_that_is_cut_short_is_left_out_and_said_and_does_not_spoil_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path, lambda: 100.0)
    journal.add(PAGE)
    with (tmp_path / "pages.jsonl").open("a") as file:
        file.write('{"received_at": 101.0, "chan')

    with caplog.at_level(logging.WARNING):
        again = Journal(tmp_path, lambda: 102.0)
    again.add(PAGE)

    assert "the last line is cut short, its 28 bytes are left out" in caplog.text
    assert [page.received_at for page in Journal(tmp_path).since()] == [100.0, 102.0]


def test_a_line_that_is_no_page_is_said_and_the_others_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Journal(tmp_path, lambda: 100.0).add(PAGE)
    with (tmp_path / "pages.jsonl").open("a") as file:
        file.write("garbage\n")
    Journal(tmp_path, lambda: 102.0).add(PAGE)

    with caplog.at_level(logging.WARNING):
        pages = Journal(tmp_path).since()
    assert [page.received_at for page in pages] == [100.0, 102.0]
    assert "line 2 is not a page" in caplog.text
