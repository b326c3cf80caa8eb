"""Alerts are silenced for a while, by somebody and for a reason, and others are told of as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.silence import silence
from tests.infra.alertmanager.alerting import Alerting
from tests.infra.alertmanager.conftest import alerting  # noqa: F401  # a fixture
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def running(folder: DataFolder, alertmanager: str) -> None:
    folder.run.mkdir(parents=True)
    (folder.run / "addresses.json").write_text(json.dumps({"alertmanager": alertmanager}))


def test_where_nothing_runs_nothing_can_be_silenced(folder: DataFolder) -> None:
    with pytest.raises(Failure, match=r"Nothing runs in .*: nothing can be silenced"):
        silence(folder, ["job=orchestrator"], "1h", "a reason", "me")


@pytest.mark.parametrize(("reason", "by"), [("", "me"), ("we deploy", "")])
def test_a_silence_says_why_and_by_whom(folder: DataFolder, reason: str, by: str) -> None:
    running(folder, "http://127.0.0.1:9")

    with pytest.raises(Failure, match="says why and by whom"):
        silence(folder, ["job=orchestrator"], "1h", reason, by)


@pytest.mark.integration
def test_what_its_matchers_select_is_silenced_and_listed_and_nothing_else(
    folder: DataFolder,
    alerting: Alerting,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    running(folder, alerting.alertmanager)

    assert silence(folder, ["alertname=ServiceDown", "job=orchestrator"], "10m", "we deploy; it's short", "me") == 0
    alerting.fire(*({"labels": {"alertname": "ServiceDown", "job": job}} for job in ("orchestrator", "market-data")))

    def states() -> dict[str, Any]:
        listed = httpx.get(f"{alerting.alertmanager}/api/v2/alerts").raise_for_status().json()
        return {alert["labels"]["job"]: alert["status"]["state"] for alert in listed if "job" in alert["labels"]}

    wait_until(lambda: states() == {"orchestrator": "suppressed", "market-data": "active"}, 10, "one is silenced")
    assert "Silenced for 10m." in capfd.readouterr().out
    assert silence(folder, [], "1h", "", "") == 0
    listed = capfd.readouterr().out
    assert "we deploy; it's short" in listed
    assert 'job="orchestrator"' in listed


@pytest.mark.integration
def test_a_time_that_cannot_be_read_is_named_and_nothing_is_silenced(
    folder: DataFolder,
    alerting: Alerting,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    running(folder, alerting.alertmanager)

    assert silence(folder, ["job=signal-service"], "ten", "a reason", "me") != 0
    said = capfd.readouterr()
    assert "ten" in said.err
    assert "Silenced" not in said.out
