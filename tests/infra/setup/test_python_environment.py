"""A Python that cannot be used is refused in one sentence, and `.venv` is made again when what decides it changes."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from infra.setup import python_environment
from infra.setup.python_environment import refusal


def test_python_3_11_with_venv_is_accepted() -> None:
    assert refusal((3, 11), []) == ""


def test_an_old_python_is_refused_with_its_version_and_the_way_out() -> None:
    sentence = refusal((3, 9), [])

    assert sentence.startswith("Python 3.11 or newer is needed, and this is Python 3.9: ")
    assert "make setup PYTHON=" in sentence


def test_a_python_without_venv_is_refused_with_the_package_to_install() -> None:
    sentence = refusal((3, 11), ["venv", "ensurepip"])

    assert sentence.startswith("Python 3.11 is installed without venv and ensurepip, ")
    assert "apt install python3-venv" in sentence


@pytest.mark.parametrize("path", ["infra/__init__.py", "infra/setup/__init__.py", "infra/setup/python_environment.py"])
def test_old_pythons_can_read_the_files_that_refuse_them(path: str) -> None:
    ast.parse((python_environment.ROOT / path).read_text(), feature_version=(3, 7))


def test_nothing_is_done_while_the_inputs_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, lock = tmp_path / "installed.sha256", tmp_path / "requirements.lock"
    lock.write_text("a==1")
    monkeypatch.setattr(python_environment, "STAMP", stamp)
    monkeypatch.setattr(python_environment, "LOCK", lock)
    monkeypatch.setattr(python_environment, "PYTHON", Path(sys.executable))
    assert not python_environment.installed()

    stamp.write_text(python_environment.inputs())
    assert python_environment.installed()

    lock.write_text("a==2")
    assert not python_environment.installed()


def test_uv_is_pinned_by_hash() -> None:
    requirements = python_environment.UV.read_text()

    assert "uv==" in requirements
    assert "--hash=sha256:" in requirements
