"""The settings that a data folder was made with. The file and start of the replay and the cash cannot change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from apps.inputs import MOST_DOLLARS, Cash
from infra.failure import Failure

DEFAULT_FILE = "crash-2020.csv"
DEFAULT_START = "2020-03-05"  # 9 March, the third day, is the first loss page: soon after the start

_CASH: TypeAdapter[Decimal] = TypeAdapter(Cash)  # as the gateway reads it


@dataclass(frozen=True)
class ReplaySettings:
    """The three settings as in the environment. An empty start means the second row of the file."""

    REPLAY_FILE: str
    REPLAY_START: str
    INITIAL_CASH: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ReplaySettings:
        file, start = environment.get("REPLAY_FILE", ""), environment.get("REPLAY_START", "")
        if not file and not start:
            start = DEFAULT_START
        cash = environment.get("INITIAL_CASH") or "1000000"
        return cls(file or DEFAULT_FILE, start, _dollars(cash))

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


def _dollars(text: str) -> str:
    try:
        amount = _CASH.validate_python(text)
    except ValidationError:
        raise Failure(
            f"INITIAL_CASH is {text!r}, which is not an amount from 1 to {MOST_DOLLARS} dollars. Nothing was started."
        ) from None
    return f"{amount.normalize():f}"  # so that 1000000 and 1000000.00 are the same


def refusal(made_with: ReplaySettings, asked_for: ReplaySettings, folder: Path) -> str:
    """Why a folder cannot be used with these settings. Empty when it can be used."""
    before, now = asdict(made_with), asdict(asked_for)
    different = [name for name in before if before[name] != now[name]]
    if not different:
        return ""

    def said(values: Mapping[str, str]) -> str:
        return " ".join(f"{name}={values[name]}" if values[name] else f"no {name}" for name in different)

    return (
        f"The data in {folder} were made with {said(before)}, and this run has {said(now)}: "
        f"run with the same settings, or start anew with `make clean-data`. Nothing was started."
    )


def check(folder: Path, asked_for: ReplaySettings) -> None:
    file = folder / "made-with.json"
    if not file.exists():
        return
    if reason := refusal(ReplaySettings(**json.loads(file.read_text())), asked_for, folder):
        raise Failure(reason)


def record(folder: Path, settings: ReplaySettings) -> None:
    (folder / "made-with.json").write_text(json.dumps(asdict(settings), indent=2) + "\n")
