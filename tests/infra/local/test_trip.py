"""`make trip` uses the PostgreSQL of the running platform, and none of the settings in the environment."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.trip import trip
from tests.servers import Server


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def test_where_nothing_runs_there_is_nothing_to_trip(folder: DataFolder) -> None:
    with pytest.raises(Failure, match=r"Nothing runs in .*: there is nothing to trip"):
        trip(folder, "a test", "ann")


def test_a_setting_that_keeps_the_gateway_from_starting_does_not_keep_it_from_being_tripped(
    folder: DataFolder,
    servers: tuple[Server, Server],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder.run.mkdir(parents=True)
    url = f"postgresql://postgres@/template1?{urlsplit(servers[0].url).query}"
    (folder.run / "addresses.json").write_text(json.dumps({"database_url": url}))
    for name, value in {"POSITION_LIMIT": "-5", "MARKET_DATA_URL": "garbage", "DATABASE_URL": "garbage"}.items():
        monkeypatch.setenv(name, value)

    assert trip(folder, "a test", "ann") == 1

    said = capfd.readouterr()
    assert said.err == (
        "Nothing is tripped: this database has no gateway (it has no tables of gateway). Check DATABASE_URL.\n"
    )
    assert said.out == ""
