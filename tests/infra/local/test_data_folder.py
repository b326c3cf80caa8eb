"""The data folder: sockets have short paths, and two runs never share one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.failure import Failure
from infra.local.data_folder import DataFolder


def test_sockets_are_in_the_data_folder_while_their_paths_are_short() -> None:
    data = DataFolder(Path("/srv/data"))

    assert data.supervisor_socket == Path("/srv/data/run/supervisor.sock")
    assert data.redis_socket == Path("/srv/data/run/redis.sock")


def test_a_long_path_moves_the_sockets_into_a_short_one_and_always_the_same() -> None:
    root = Path("/" + "long" * 30)

    sockets = DataFolder(root).sockets

    assert sockets == DataFolder(root).sockets
    assert sockets != DataFolder(root / "other").sockets
    assert len(os.fsencode(DataFolder(root).postgres_sockets / ".s.PGSQL.5432")) <= 103


def test_a_moved_socket_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    data = DataFolder(tmp_path / ("long" * 30))
    (tmp_path / "elsewhere").mkdir()
    data.sockets.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Failure, match="is somebody else's"):
        data.create()


def test_others_cannot_look_into_the_folder(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()

    assert data.root.stat().st_mode & 0o066 == 0
    assert data.sockets.stat().st_mode & 0o066 == 0


def test_a_folder_in_use_is_refused_with_the_process_that_has_it(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")

    with data.locked(), pytest.raises(Failure, match=rf"in use by another `make up` \(process {os.getpid()}\)"):
        data.locked().__enter__()


def test_a_folder_is_free_again_when_its_run_is_over(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")

    with data.locked():
        pass
    with data.locked():
        pass


def test_a_path_that_supervisor_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="has a % in it"):
        DataFolder(tmp_path / "100%").create()


def test_the_mount_point_is_that_of_the_disk_on_which_the_folder_will_be(tmp_path: Path) -> None:
    found = DataFolder(tmp_path / "not" / "there" / "yet").mount_point

    assert found.is_mount()
    assert tmp_path.is_relative_to(found)
    assert found.stat().st_dev == tmp_path.stat().st_dev
    assert DataFolder(Path("/nowhere")).mount_point == Path("/")
