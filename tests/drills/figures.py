"""Prints what a drill measured, and writes it into the report."""

from __future__ import annotations

import statistics
from collections.abc import Callable


def say(record_property: Callable[[str, object], None], what: str, seconds: list[float]) -> None:
    figures = f"median {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s of {len(seconds)}"
    record_property(what, figures)
    print(f"{what}: {figures}")
