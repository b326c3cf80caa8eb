"""How metrics, labels and numbers are written for Prometheus.

Its text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/, and OpenMetrics 1.0,
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterable

END = b"# EOF\n"
"""What an answer in OpenMetrics ends with."""
_WHOLE_BOUND = re.compile(r'(?<=[{,])le="(-?\d+)"}')


def head(name: str, description: str, kind: str, unit: str = "", *, openmetrics: bool = False) -> str:
    """The lines before the series of a metric. `unit` is the word for its unit."""
    text = description.replace("\\", "\\\\").replace("\n", "\\n")
    if not openmetrics:
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    text = text.replace('"', '\\"')
    name = name.removesuffix("_total") if kind == "counter" else name
    unit_line = f"# UNIT {name} {unit}\n" if unit and name.endswith(f"_{unit}") else ""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{unit_line}"


def with_float_bounds(lines: str) -> str:
    """Lines of histograms whose bounds are floats, as OpenMetrics has them: `le="1.0"`."""
    return _WHOLE_BOUND.sub(r'le="\1.0"}', lines)


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as they are written behind the name of a series."""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(value: int | float) -> str:
    """A number as Prometheus reads it back: whole numbers without a point."""
    return repr(value) if isinstance(value, int) or not value.is_integer() or abs(value) > 2**53 else str(int(value))
