"""How metrics, labels and numbers are written for Prometheus.

Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable


def head(name: str, description: str, kind: str) -> str:
    """The two lines before the series of a metric."""
    text = description.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as they are written behind the name of a series."""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(value: int | float) -> str:
    """A number as Prometheus reads it back: whole numbers without a point."""
    return repr(value) if isinstance(value, int) or not value.is_integer() or abs(value) > 2**53 else str(int(value))
