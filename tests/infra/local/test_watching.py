"""What happens to a process is said once, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.data_folder import DataFolder
from infra.local.watching import Watch


def state(name: str, statename: str, pid: int) -> dict[str, object]:
    return {"name": name, "statename": statename, "pid": pid}


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    folder.create()
    return folder


@pytest.fixture
def watch(data: DataFolder) -> Watch:
    watch = Watch(data)
    assert watch.look([state("redis", "RUNNING", 10)]) == []
    return watch


def test_nothing_is_said_while_nothing_happens(watch: Watch) -> None:
    assert watch.look([state("redis", "RUNNING", 10)]) == []


def test_a_process_that_died_and_is_back_already_is_one_sentence(watch: Watch) -> None:
    assert watch.look([state("redis", "STARTING", 11)]) == ["redis died and was restarted (process 11)."]


def test_how_it_died_is_said_when_supervisor_knows(watch: Watch, data: DataFolder) -> None:
    data.log("supervisord").write_text(
        "2026-01-01 WARN exited: redis (exit status 1; not expected)\n"
        "2026-01-01 WARN exited: redis (terminated by SIGKILL; not expected)\n"
        "2026-01-01 WARN exited: pager (exit status 2; not expected)\n"
    )

    assert watch.look([state("redis", "EXITED", 0)]) == ["redis died (terminated by SIGKILL) and will be restarted."]


def test_a_process_that_is_between_two_tries_is_said_to_be_down_and_then_up(watch: Watch) -> None:
    assert watch.look([state("redis", "BACKOFF", 0)]) == ["redis died and will be restarted."]
    assert watch.look([state("redis", "BACKOFF", 0)]) == []
    assert watch.look([state("redis", "STARTING", 12)]) == ["redis was restarted (process 12)."]


def test_one_that_cannot_stay_up_is_said_once_with_the_end_of_its_log(watch: Watch, data: DataFolder) -> None:
    data.log("redis").write_text("cannot bind\n")

    (sentence,) = watch.look([state("redis", "FATAL", 0)])

    assert sentence == (
        f"redis could not stay up and is left down. Its log is {data.log('redis')}, and ends with:\n  cannot bind"
    )
    assert watch.hopeless() == ["redis"]
    assert watch.look([state("redis", "FATAL", 0)]) == []


def test_one_that_was_stopped_on_purpose_is_not_called_dead(watch: Watch) -> None:
    assert watch.look([state("redis", "STOPPED", 0)]) == ["redis was stopped and stays down until it is started."]
    assert watch.look([state("redis", "STARTING", 13)]) == ["redis was started (process 13)."]


def test_one_that_dies_three_times_is_hopeless_and_one_that_was_stopped_is_not(watch: Watch) -> None:
    for pid in (11, 12):
        watch.look([state("redis", "STARTING", pid)])
        watch.look([state("redis", "STOPPING", pid)])
    assert watch.hopeless() == []

    watch.look([state("redis", "BACKOFF", 0)])

    assert watch.hopeless() == ["redis"]
