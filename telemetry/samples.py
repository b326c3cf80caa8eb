"""Samples: what a metric says at one moment, and how that is written for Prometheus.

Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Sample(NamedTuple):
    """One line: what is added to the name of the metric, the labels, and the value."""

    suffix: str
    labels: Sequence[tuple[str, str]]
    value: int | float


def written(name: str, description: str, kind: str, samples: Sequence[Sample]) -> str:
    """The lines of one metric. Without samples there are none."""
    if not samples:
        return ""
    text = description.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{sample.suffix}{_labels(sample.labels)} {number_text(sample.value)}" for sample in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(value: int | float) -> str:
    """A number as Prometheus reads it back: whole numbers without a point."""
    return repr(value) if isinstance(value, int) or not value.is_integer() or abs(value) > 2**53 else str(int(value))
