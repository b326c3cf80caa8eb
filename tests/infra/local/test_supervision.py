"""supervisor's configuration, and that a session is ended to its last process."""

from __future__ import annotations

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import psutil
import pytest

from infra.local import supervision
from infra.local.data_folder import DataFolder
from infra.local.processes import Process
from tests.waiting import wait_until

# A session with a child that has a session of its own, as PostgreSQL's workers have.
FAMILY = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True).wait()"


def read(process: Process, data: DataFolder) -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(supervision.configuration([process], data))
    return parser


def test_a_process_is_restarted_with_growing_pauses_and_stopped_as_a_group(tmp_path: Path) -> None:
    section = read(Process("pager", ["run"], lambda: ""), DataFolder(tmp_path))["program:pager"]

    assert section["autorestart"] == "true"
    # Tries 1, 2, ... 5 s after a death within 10 s: one that dies at once is given up after 15 to 30 s.
    assert (section["startsecs"], section["startretries"]) == ("10", "5")
    assert (section["stopasgroup"], section["killasgroup"], section["stopwaitsecs"]) == ("true", "true", "5")
    assert section["stdout_logfile"] == f"{tmp_path}/logs/pager.log"


def test_spaces_percent_signs_and_quotes_arrive_as_they_are(tmp_path: Path) -> None:
    process = Process("pager", ["/a folder/run", "100%"], lambda: "", {"SAID": '50% of "all"'})

    section = read(process, DataFolder(tmp_path))["program:pager"]

    assert section["command"] == "'/a folder/run' 100%%"
    assert section["environment"] == 'SAID="50%% of \\"all\\""'


def test_a_store_that_runs_as_another_user_is_started_as_that_user(tmp_path: Path) -> None:
    process = Process("postgres", ["run"], lambda: "", user="somebody", stop_signal="INT")

    section = read(process, DataFolder(tmp_path))["program:postgres"]

    assert (section["user"], section["stopsignal"]) == ("somebody", "INT")


def test_a_session_is_ended_with_the_descendants_that_have_left_it() -> None:
    leader = subprocess.Popen([sys.executable, "-c", FAMILY], start_new_session=True)
    (child,) = wait_until(lambda: psutil.Process(leader.pid).children(), 10, "the child is there")

    supervision.end_session(leader.pid)

    leader.wait(5)
    assert not child.is_running()
    assert not psutil.pid_exists(leader.pid)
    assert supervision.members(leader.pid) == []


def test_what_a_killed_run_left_is_ended_by_the_next(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    leader = subprocess.Popen(["sleep", "600"], start_new_session=True)
    supervision._remember(data, leader.pid)

    assert supervision.end_leftover(data)

    leader.wait(5)
    assert not psutil.pid_exists(leader.pid)
    assert not supervision.end_leftover(data)


@pytest.mark.parametrize("content", [None, "", "not json"])
def test_nothing_is_ended_where_nothing_is_remembered(tmp_path: Path, content: str | None) -> None:
    data = DataFolder(tmp_path)
    data.create()
    if content is not None:
        (data.run / "supervisor.json").write_text(content)

    assert not supervision.end_leftover(data)


def test_another_process_that_was_given_the_same_id_is_left_alone(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        created = psutil.Process(other.pid).create_time() - 3600
        (data.run / "supervisor.json").write_text(f'{{"pid": {other.pid}, "created": {created}}}')

        assert not supervision.end_leftover(data)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
