"""Logs are followed from their end, line by line, whatever happens to the file; of our services', alarms are shown."""

from __future__ import annotations

import json
import logging.handlers
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.logs import Log, Logs, alarming, follow
from infra.local.processes import NAMES
from tests.waiting import wait_until


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.log"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    folder.create()
    return folder


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    """The log of a process that wrote one line in an earlier run."""
    add(path, "before\n")
    log = Log(path)
    yield log
    log.close()


def test_only_what_is_written_from_now_on_is_read_and_each_line_once(log: Log, path: Path) -> None:
    assert log.lines() == []

    add(path, "one\ntwo\n")

    assert log.lines() == ["one", "two"]
    assert log.lines() == []


def test_the_last_lines_come_first_when_they_are_asked_for(path: Path) -> None:
    add(path, "".join(f"{number}\n" for number in range(100_000)))
    log = Log(path, last=2)
    add(path, "new\n")

    assert log.close() == ["99998", "99999", "new"]


def test_the_last_lines_are_whole_lines_also_where_a_line_is_longer_than_what_is_read_back(path: Path) -> None:
    add(path, "x" * 100_000 + "\none\n")
    log = Log(path, last=10)

    assert log.close() == ["one"]


def test_a_line_that_is_longer_than_what_is_read_back_is_left_out_to_its_end(path: Path) -> None:
    add(path, "x" * 100_000)
    log = Log(path, last=10)
    assert log.lines() == []

    add(path, "x\none\n")

    assert log.close() == ["one"]


@pytest.mark.parametrize("last", [1, 10])
def test_a_last_line_that_is_half_written_is_shown_whole(path: Path, last: int) -> None:
    add(path, "one\ntw")
    log = Log(path, last=last)
    add(path, "o\n")

    assert log.close()[-1:] == ["two"]


def test_lines_end_only_where_a_process_ended_them(path: Path) -> None:
    lines = ["one\rstill one", "two\x0bstill\x0ctwo"]
    add(path, "".join(f"{line}\n" for line in ["before", *lines]))
    log = Log(path, last=2)
    assert log.lines() == lines

    add(path, lines[0] + "\n")

    assert log.close() == lines[:1]


def test_of_a_line_that_was_half_written_at_the_beginning_the_rest_is_not_shown(path: Path) -> None:
    add(path, "before\n2020-03-09T14:30:00.123Z INFO pa")
    log = Log(path)
    assert log.lines() == []

    add(path, "ger: a")
    assert log.lines() == []

    add(path, " beat\none\n")
    assert log.close() == ["one"]


@pytest.mark.parametrize("replace", [Path.unlink, lambda path: path.write_text("")], ids=["removed", "emptied"])
def test_a_new_file_is_shown_from_its_beginning_also_after_a_half_written_line(
    path: Path, replace: Callable[[Path], object]
) -> None:
    add(path, "before\nhalf")
    log = Log(path)
    replace(path)
    assert log.lines() == []

    add(path, "one\n")

    assert log.close() == ["one"]


def test_half_a_line_waits_for_its_other_half(log: Log, path: Path) -> None:
    add(path, "one\ntw")
    assert log.lines() == ["one"]

    add(path, "o\n")
    assert log.lines() == ["two"]


def test_at_the_end_half_a_line_is_given_too(log: Log, path: Path) -> None:
    add(path, "one\ntw")

    assert log.close() == ["one", "tw"]


def test_a_file_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    log = Log(path)
    assert log.lines() == []

    add(path, "one\n")

    assert log.close() == ["one"]


def test_nothing_is_lost_when_the_file_is_rotated(log: Log, path: Path) -> None:
    add(path, "one\ntw")
    assert log.lines() == ["one"]
    add(path, "o, written just bef")
    path.rename(path.with_suffix(".log.1"))
    add(path, "ore\nthree\n")

    assert log.lines() == ["two, written just before", "three"]


def test_nothing_is_lost_in_many_rotations(path: Path) -> None:
    """As supervisor rotates: closed, renamed, opened anew."""
    log = Log(path)
    rotating = logging.handlers.RotatingFileHandler(path, maxBytes=60, backupCount=2)
    read = []
    for number in range(200):
        rotating.emit(logging.makeLogRecord({"msg": f"line {number}"}))
        read += log.lines()
    rotating.close()

    assert read + log.close() == [f"line {number}" for number in range(200)]


def test_a_file_that_was_removed_and_made_anew_is_read_from_its_beginning(log: Log, path: Path) -> None:
    path.unlink()
    assert log.lines() == []

    add(path, "one\n")

    assert log.lines() == ["one"]


def test_a_line_without_an_end_ends_where_the_file_was_removed_and_made_anew(log: Log, path: Path) -> None:
    add(path, "one\ntw")
    assert log.lines() == ["one"]

    path.unlink()
    add(path, "new\n")

    assert log.lines() == ["tw", "new"]


def test_a_file_that_was_emptied_is_read_from_its_beginning(log: Log, path: Path) -> None:
    add(path, "one\ntw")
    assert log.lines() == ["one"]

    path.write_text("new\n")

    assert log.lines() == ["tw", "new"]


def test_bytes_that_are_no_text_do_not_end_it(log: Log, path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\xff\r\n")

    assert log.lines() == ["\ufffd"]


def test_each_line_has_its_processs_name_before_it_as_in_docker_compose(data: DataFolder) -> None:
    logs = Logs(data, ["pager", "execution_gateway"])
    add(data.log("execution_gateway"), "it trades\n")
    add(data.log("pager"), "it burns\nstill")

    assert logs.lines() == ["pager              | it burns", "execution_gateway  | it trades"]
    assert logs.close() == ["pager              | still"]


def test_what_is_not_wanted_is_left_out(data: DataFolder) -> None:
    logs = Logs(data, ["pager"], wanted=lambda line: line != "noise")
    add(data.log("pager"), "noise\nalarm\nnoise")

    assert logs.lines() == ["pager  | alarm"]
    assert logs.close() == []


def text(level: str) -> str:
    return f"2020-03-09T14:30:00.123Z {level} execution-gateway apps.execution_gateway.desk: redis does not answer"


def as_json(level: str) -> str:
    return json.dumps({"time": "2020-03-09T14:30:00.123Z", "level": level, "service": "pager", "message": "no answer"})


@pytest.mark.parametrize("written", [text, as_json])
def test_warnings_and_worse_are_alarming_and_the_rest_is_not(written: Callable[[str], str]) -> None:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

    assert [level for level in levels if alarming(written(level))] == ["WARNING", "ERROR", "CRITICAL"]


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "STRATEGY=foo: Input should be 'equal_weight' or 'momentum'",
        "ERROR:    [Errno 98] error while attempting to bind on address",
        "{not json",
        '{"without": "a level"}',
        "2020-03-09 14:30:00 INFO another format",
    ],
)
def test_a_line_in_neither_format_is_alarming(line: str) -> None:
    assert alarming(line)


def test_a_process_that_does_not_exist_is_refused_with_the_names_of_all(data: DataFolder) -> None:
    with pytest.raises(Failure) as refused:
        follow(data, ["pager", "gateway"])

    assert str(refused.value) == f"There is no process gateway. The processes are {', '.join(NAMES)}."


def test_without_logs_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^There are no logs yet, .*nowhere/logs does not exist"):
        follow(DataFolder(tmp_path / "nowhere"), [])


def test_the_command_shows_the_end_goes_on_and_ends_quietly_with_ctrl_c(data: DataFolder, tmp_path: Path) -> None:
    add(data.log("pager"), "".join(f"{number}\n" for number in range(11)))
    add(data.log("redis"), "not asked for\n")
    output = tmp_path / "output"
    with output.open("wb") as file:
        command = [sys.executable, "-m", "infra.local", "logs", "--data", str(tmp_path), "pager"]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "pager  | 10\n" in output.read_text(), 20, "the end is shown")
        add(data.log("pager"), "new\n")
        wait_until(lambda: "new" in output.read_text(), 5, "it goes on")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()

    assert output.read_text() == "".join(f"pager  | {line}\n" for line in [*range(1, 11), "new"])


def test_a_reader_that_leaves_is_no_error(data: DataFolder, tmp_path: Path) -> None:
    add(data.log("pager"), "one\n")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "infra.local", "logs", "--data", str(tmp_path)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")
