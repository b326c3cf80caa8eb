"""`make setup` says what `make up` will miss, when it can still be installed at leisure."""

from __future__ import annotations

import signal

import pytest

from infra.local import redis_server
from infra.setup import __main__ as setup
from infra.setup import installation


@pytest.fixture(autouse=True)
def nothing_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "set_up", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)


def test_a_missing_redis_is_a_note_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_server, "missing", lambda: "Redis is missing.")

    assert setup.main() == 0
    assert capsys.readouterr().out == "Note: Redis is missing.\n"


def test_nothing_is_said_where_redis_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_server, "missing", lambda: "")

    assert setup.main() == 0
    assert capsys.readouterr().out == ""
