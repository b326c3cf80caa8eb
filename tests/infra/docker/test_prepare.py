"""What is written before the containers start: where pages go, and a password that only files hold."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import yaml

from infra.alertmanager.destinations import DestinationsError
from infra.docker.prepare import write_alertmanager, write_password
from tests.servers import folder, postgres_server


def prepared(place: Path) -> subprocess.CompletedProcess[str]:
    for name in ("secrets", "configuration", "database"):
        (place / name).mkdir(exist_ok=True)
    arguments = [f"--{name}={place / name}" for name in ("secrets", "configuration", "database")]
    command = [sys.executable, "-m", "infra.docker.prepare", "--pager=http://pager:9099", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_without_secrets_everything_goes_to_the_pager(tmp_path: Path) -> None:
    done = prepared(tmp_path)

    assert done.returncode == 0, done.stderr
    receivers = yaml.safe_load((tmp_path / "configuration" / "config.yml").read_text())["receivers"]
    assert {receiver["name"]: receiver for receiver in receivers}["slack"]["slack_configs"][0]["api_url"] == (
        "http://pager:9099/slack"
    )
    assert "pagerduty/pagerduty  the local pager (http://pager:9099/pagerduty)" in done.stdout


def test_a_secret_that_is_there_is_named_by_its_file_and_printed_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "slack_api_url").write_text("https://hooks.slack.example/very-secret")

    done = prepared(tmp_path)

    configuration = (tmp_path / "configuration" / "config.yml").read_text()
    assert f"api_url_file: {tmp_path}/secrets/slack_api_url" in configuration
    assert "very-secret" not in configuration + done.stdout + done.stderr


def test_a_secret_that_alertmanager_could_not_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slack_api_url").write_text("https://hooks.slack.example/very-secret")
    monkeypatch.setattr(os, "access", lambda file, mode: False)  # root may read everything

    with pytest.raises(DestinationsError, match="slack_api_url cannot be read by others: chmod o\\+r"):
        write_alertmanager(tmp_path, tmp_path, "http://pager:9099")


def test_a_problem_is_one_sentence_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "slack_api_url").touch()

    done = prepared(tmp_path)

    assert done.returncode == 1
    assert "slack_api_url is empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_password_is_made_once_and_is_only_its_owners_to_read(tmp_path: Path) -> None:
    assert write_password(tmp_path)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert not write_password(tmp_path)

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert before["pgpass"] == f"*:*:*:postgres:{before['password']}\n"
    assert len(before["password"]) >= 40
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_a_password_that_was_made_half_way_is_made_anew(tmp_path: Path) -> None:
    write_password(tmp_path)
    (tmp_path / "password").unlink()

    assert write_password(tmp_path)

    assert (tmp_path / "pgpass").read_text() == f"*:*:*:postgres:{(tmp_path / 'password').read_text()}\n"


@pytest.mark.server
def test_a_service_that_is_told_of_pgpass_gets_in_and_another_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with folder() as place, postgres_server(place) as server:
        write_password(place)
        asyncio.run(ask_for_passwords(server.url, place))
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(user_of(server.url))
        monkeypatch.setenv("PGPASSFILE", str(place / "pgpass"))
        assert asyncio.run(user_of(server.url)) == "postgres"


async def ask_for_passwords(url: str, place: Path) -> None:
    administrator = await asyncpg.connect(url)
    await administrator.execute(f"ALTER USER postgres PASSWORD '{(place / 'password').read_text()}'")
    (place / "postgres" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    await administrator.execute("SELECT pg_reload_conf()")
    await administrator.close()


async def user_of(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT current_user")
    finally:
        await connection.close()
