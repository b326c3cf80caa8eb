"""What Prometheus calls a metric, a unit and a label of the OpenTelemetry API.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import functools
import re

LONGEST_NAME = 255
"""How many characters the name of an attribute has, as that of an instrument in the specification."""

_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "TiBy": "tibibytes",
    "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "%": "percent", "1": "",
}  # fmt: skip
_PER = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


def metric_name(name: str, unit: str, *, counts: bool) -> str:
    """The name of a metric with its unit, and with `_total` if it is a counter."""
    name = _clean(_led(name))
    name = name.removesuffix("_total") if counts else name
    word = unit_word(unit)
    if word and not name.endswith(f"_{word}"):
        name = f"{name}_{word}"
    return f"{name}_total" if counts else name


def unit_word(unit: str) -> str:
    """The word for a unit at the end of a name. An annotation such as `{order}` has none."""
    unit = re.sub(r"\{[^}]*\}", "", unit)
    if unit in _UNITS:
        return _UNITS[unit]
    above, _, below = unit.partition("/")
    below = _clean(below).strip("_")
    if not below:
        return _clean(unit).strip("_")
    above = _UNITS.get(above, _clean(above).strip("_"))
    return f"{above}_per_{_PER.get(below, below)}".strip("_")


def derived(name: str, kind: str) -> set[str]:
    """The names of the series of a histogram, which nothing else may have."""
    return {f"{name}{part}" for part in ("_bucket", "_count", "_sum")} if kind == "histogram" else set()


@functools.lru_cache(maxsize=10_000)
def label_name(attribute: str) -> str:
    """The name of a label. Another attribute may have the same one."""
    return _clean(_led(attribute), "[^a-zA-Z0-9]+")


def _led(text: str) -> str:
    """Without a digit in front."""
    return f"_{text[1:]}" if text[:1].isdigit() else text


def _clean(text: str, others: str = "[^a-zA-Z0-9:]+") -> str:
    return re.sub(others, "_", text)
