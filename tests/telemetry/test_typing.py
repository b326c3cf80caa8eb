"""What mypy says of labels: each kind of mistake is an error where it is made."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CODE = """
from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypedDict

from opentelemetry import metrics

from telemetry import Counter, Gauge, Histogram, Open
from telemetry.testing import Recorded


class Side(StrEnum):
    BUY = "buy"


class ItemLabels(TypedDict):
    item: Annotated[str, Open(limit=9)]
    side: Side


class SentLabels(ItemLabels):
    status: Literal["ok", "lost"]


sent_total = Counter("sent_total", "Sent.", SentLabels)
bare_total = Counter("bare_total", "Bare.")
level = Gauge("level", "A level.", ItemLabels)
took_seconds = Histogram("took_seconds", "Time.", ItemLabels, unit="s")


def good(recorded: Recorded, item: str, by_item: ItemLabels) -> None:
    sent_total.add(1, {"item": item, "side": Side.BUY, "status": "ok"})
    sent_total.add(1, {**by_item, "status": "lost"})
    bare_total.add(1)
    level.set(1, by_item)
    level.remove(by_item)
    level.bind(by_item).set(1)
    with took_seconds.time(by_item):
        recorded(sent_total, SentLabels(item=item, side=Side.BUY, status="ok"))
    counter: metrics.Counter = bare_total
    counter.add(1)


def bad(recorded: Recorded, item: str, by_item: ItemLabels) -> None:
    try:
        bare_total.add(1)
    except ValueError:
        sent_total.add(1, {"item": item, "side": Side.BUY, "statsu": "ok"})  # misspelt
    sent_total.add(1, {"item": item, "side": Side.BUY})  # missing
    sent_total.add(1, {"item": item, "side": Side.BUY, "status": "ok", "venue": "X"})  # extra
    sent_total.add(1, {"item": item, "side": Side.BUY, "status": "gone"})  # no such value
    sent_total.add(1, {"item": item, "side": "buy", "status": "ok"})  # no member
    sent_total.add(1, {"item": 5, "side": Side.BUY, "status": "ok"})  # no text
    sent_total.add(1, {**by_item, "status": "gone"})  # no such value
    sent_total.add(1, {**by_item, "stats": "ok"})  # misspelt
    sent_total.add(1)  # none at all
    bare_total.add(1, {"item": item})  # it has none
    bare_total.add("1")  # no amount
    level.set(1, {"item": item})  # missing
    level.remove()  # none at all
    level.bind({"item": item})  # missing
    sent_total.bind({**by_item, "status": "gone"})  # no such value
    took_seconds.record(1, {"item": item, "side": "buy"})  # no member
    took_seconds.time({"side": Side.BUY})  # missing
    recorded(sent_total, SentLabels(item=item, side=Side.BUY, status="gone"))  # no such value
    recorded(sent_total, by_item)  # those of another metric
    recorded(sent_total)  # none at all
"""


def test_each_wrong_label_is_an_error_and_no_right_one_is(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_text(CODE)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={tmp_path}", str(file)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stderr == ""
    wrong = {int(line) for line in re.findall(r"service\.py:(\d+): error", done.stdout)}
    marked = {number for number, line in enumerate(CODE.splitlines(), start=1) if "  # " in line}
    assert wrong == marked, done.stdout
