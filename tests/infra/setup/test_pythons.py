"""Which Pythons are tested: those that run and are new enough, and those that are not there are named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.setup import pythons
from infra.setup.pythons import Environment, ask, candidates, folders, on_this_machine, said


def python(folder: Path, name: str, script: str) -> Path:
    """A program of that name, for which a shell script stands in."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def answering(folder: Path, minor: int, level: str = "final") -> Path:
    return python(folder, f"python3.{minor}", f"printf '3\\n{minor}\\n{level}\\n{folder}/python3.{minor}\\n'")


def test_the_path_is_searched_first_then_pyenvs_newest_then_the_systems_folders(tmp_path: Path) -> None:
    versions = tmp_path / ".pyenv" / "versions"
    for version in ("3.12.1", "3.12.10", "3.9.18"):
        (versions / version / "bin").mkdir(parents=True)

    assert folders({"PATH": "/opt/bin::/usr/bin"}, tmp_path) == [
        Path("/opt/bin"),
        Path("/usr/bin"),
        versions / "3.12.10" / "bin",
        versions / "3.12.1" / "bin",
        versions / "3.9.18" / "bin",
        Path("/usr/local/bin"),
    ]


def test_only_plain_pythons_from_3_11_on_are_candidates(tmp_path: Path) -> None:
    for name in ("python3", "python3.9", "python3.11", "python3.13", "python3.13t", "python3.12-config"):
        (tmp_path / name).touch()

    assert candidates([tmp_path, tmp_path / "nowhere"]) == [tmp_path / "python3.11", tmp_path / "python3.13"]


def test_a_python_says_its_version_and_where_it_is() -> None:
    assert ask(Path(sys.executable)) == (sys.version_info[:2], Path(sys.executable))


@pytest.mark.parametrize("script", ["echo 'pyenv: python3.12: command not found' >&2; exit 127", "echo 3", "exit 0"])
def test_a_shim_that_does_not_run_does_not_count(tmp_path: Path, script: str) -> None:
    assert ask(python(tmp_path, "python3.12", script)) is None


def test_neither_does_what_is_not_released_or_no_program(tmp_path: Path) -> None:
    assert ask(answering(tmp_path, 15, "alpha")) is None
    assert ask(tmp_path / "nowhere") is None


def test_the_first_of_each_version_that_runs_is_taken(tmp_path: Path) -> None:
    shim = python(tmp_path / "shims", "python3.12", "exit 127")
    first, second = answering(tmp_path / "a", 12), answering(tmp_path / "b", 12)
    older = answering(tmp_path / "b", 11)

    assert on_this_machine([shim, first, second, older]) == {(3, 11): older, (3, 12): first}


def test_every_version_is_said_also_those_that_are_not_there() -> None:
    found = {(3, 11): Path("/usr/bin/python3.11"), (3, 13): Path("/a/python3.13"), (3, 15): Path("/a/python3.15")}

    assert said(found, (3, 11)) == [
        "3.11 is the one of .venv: `make check` tests it.",
        "3.12 is not on this machine: not tested.",
        "3.13 is /a/python3.13.",
        "3.14 is not on this machine: not tested.",
        "3.15 is /a/python3.15.",
    ]


def test_an_environment_is_made_once_and_again_when_the_lock_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1")
    # Stands in for uv: makes the environment's program, and writes down that it was called.
    uv = "case $1 in venv) mkdir -p $6/bin; ln -s /bin/sh $6/bin/python;; esac; echo $1 >> " + str(tmp_path / "called")
    python(tmp_path / ".venv" / "bin", "uv", uv)
    for name, value in {"LOCK": lock, "VENV": tmp_path / ".venv", "LOCAL": tmp_path / ".local"}.items():
        monkeypatch.setattr(pythons, name, value)
    environment = Environment((3, 12), Path("/usr/bin/python3.12"), tmp_path / "3.12")

    environment.install()
    environment.install()
    assert (tmp_path / "called").read_text().split() == ["venv", "pip"]

    lock.write_text("a==2")
    assert not environment.installed()
    environment.install()
    assert (tmp_path / "called").read_text().split() == ["venv", "pip", "venv", "pip"]


def test_a_python_whose_tests_fail_fails_the_command_and_the_others_are_tested_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tested = []

    def tests_pass(environment: Environment) -> bool:
        tested.append(environment.version)
        return environment.version != (3, 98)

    others: dict[tuple[int, int], Path] = {(3, 98): Path("/a"), (3, 99): Path("/b"), sys.version_info[:2]: Path("/c")}
    monkeypatch.setattr(pythons, "on_this_machine", lambda programs: others)
    monkeypatch.setattr(Environment, "install", lambda environment: None)
    monkeypatch.setattr(Environment, "tests_pass", tests_pass)

    assert pythons.main() == 1
    assert tested == [(3, 98), (3, 99)]
    assert "Tests failed on 3.98." in capsys.readouterr().err
