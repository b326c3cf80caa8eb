"""A data folder goes on only with the settings that it was made with."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from apps.execution_gateway.settings import Settings
from apps.inputs import MOST_DOLLARS
from apps.market_data_service.settings import Settings as MarketDataSettings
from apps.settings import load
from infra.failure import Failure
from infra.local import replay_settings
from infra.local.replay_settings import ReplaySettings


def test_without_settings_the_crash_is_replayed_from_5_march_2020() -> None:
    assert ReplaySettings.from_environment({}) == ReplaySettings("crash-2020.csv", "2020-03-05", "1000000")


def test_a_file_without_a_start_begins_at_its_second_row() -> None:
    settings = ReplaySettings.from_environment({"REPLAY_FILE": "calm-2017.csv"})

    assert settings.REPLAY_START == ""
    assert settings.environment() == {"REPLAY_FILE": "calm-2017.csv", "INITIAL_CASH": "1000000"}


def test_an_empty_start_is_the_second_row_for_the_service_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_FILE", "calm-2017.csv")
    monkeypatch.setenv("REPLAY_START", "")  # the service inherits it

    assert "REPLAY_START" not in ReplaySettings.from_environment(os.environ).environment()
    assert load(MarketDataSettings).replay_start is None


@pytest.mark.parametrize("cash", ["1000000", "1000000.00", "1e6", " 1000000 "])
def test_the_same_cash_in_other_figures_is_the_same(cash: str) -> None:
    assert ReplaySettings.from_environment({"INITIAL_CASH": cash}).INITIAL_CASH == "1000000"


NO_CASH = [
    "much",
    "NaN",
    "-1",
    "0",
    "Infinity",
    "0.99",
    "1e13",
    "1.005",
    "\uff11\uff12",
    "1_000_000",
    "5.",
    ".5e1",
    "1e003",
]


@pytest.mark.parametrize("cash", NO_CASH)
def test_cash_that_is_out_of_its_bounds_is_refused_with_its_name(cash: str) -> None:
    sentence = (
        f"INITIAL_CASH is '{cash}', which is not an amount from 1 to {MOST_DOLLARS} dollars. Nothing was started."
    )
    with pytest.raises(Failure, match=f"^{re.escape(sentence)}$"):
        ReplaySettings.from_environment({"INITIAL_CASH": cash})


@pytest.mark.parametrize("cash", NO_CASH)
def test_the_gateway_refuses_the_same_cash(monkeypatch: pytest.MonkeyPatch, cash: str) -> None:
    monkeypatch.setenv("INITIAL_CASH", cash)

    with pytest.raises(SystemExit, match=r"^INITIAL_CASH="):
        load(Settings)


@pytest.mark.parametrize("cash", ["1", str(MOST_DOLLARS), "1.01", "+5", " 7e0 ", "1e06", "5.00"])
def test_the_gateway_takes_the_same_cash(monkeypatch: pytest.MonkeyPatch, cash: str) -> None:
    monkeypatch.setenv("INITIAL_CASH", cash)

    assert load(Settings).initial_cash == Decimal(ReplaySettings.from_environment(os.environ).INITIAL_CASH)


def test_a_folder_made_with_the_same_settings_is_used_again(tmp_path: Path) -> None:
    settings = ReplaySettings.from_environment({})
    replay_settings.record(tmp_path, settings)

    replay_settings.check(tmp_path, settings)


def test_a_new_folder_takes_any_settings(tmp_path: Path) -> None:
    replay_settings.check(tmp_path, ReplaySettings.from_environment({"REPLAY_FILE": "calm-2017.csv"}))


@pytest.mark.parametrize(
    ("setting", "value", "before"),
    [
        ("REPLAY_FILE", "calm-2017.csv", "REPLAY_FILE=crash-2020.csv REPLAY_START=2020-03-05"),
        ("REPLAY_START", "2020-03-06", "REPLAY_START=2020-03-05"),
        ("INITIAL_CASH", "5", "INITIAL_CASH=1000000"),
    ],
)
def test_another_setting_is_refused_in_a_sentence_that_names_clean_data(
    tmp_path: Path, setting: str, value: str, before: str
) -> None:
    replay_settings.record(tmp_path, ReplaySettings.from_environment({}))

    with pytest.raises(Failure) as refused:
        replay_settings.check(tmp_path, ReplaySettings.from_environment({setting: value}))

    sentence = str(refused.value)
    assert f"were made with {before}, and this run has {setting}={value}" in sentence
    assert "`make clean-data`" in sentence
    assert sentence.endswith("Nothing was started.")
