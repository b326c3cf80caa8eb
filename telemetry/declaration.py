"""What a declaration must be, so that the metric arrives in Prometheus under its own name and harms no other."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

SHOWN_AT_MOST = 2000
"""How many series a metric may show before its first event."""
KNOWN_AT_MOST = 5000
"""The same, when more values of its labels become known later."""
BUCKETS_AT_MOST = 100

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = {
    "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
    "scrape_series_added", "target_info", "otel_scope_info", "alerts", "alerts_for_state",
}  # fmt: skip
_DERIVED = ("_bucket", "_count", "_sum", "_created")
_IN_NAME = {"s": "_seconds", "By": "_bytes"}
"""How a name ends, before `_total`, for the units that Prometheus has a word for."""


def check_name(name: str, kind: str, unit: str, *, named_like_a_counter: bool = False) -> None:
    """Raises ValueError if the name of a metric of this kind would be changed, or taken, on the way to Prometheus."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a metric name: lower case letters, digits and underscores, a letter first")
    if "__" in name or name.endswith("_"):
        raise ValueError(f"{name} has underscores that would be lost on the way: write one between two words")
    if name in _TAKEN:
        raise ValueError(f"{name} is a name of Prometheus's own: choose another one")
    for suffix in _DERIVED:
        if name.endswith(suffix) and not (suffix == "_count" and named_like_a_counter):
            raise ValueError(f"{name} ends in {suffix}, as the series of a histogram do: choose another name")
    if kind == "counter" and not name.endswith("_total"):
        raise ValueError(f"{name} is a counter, and Prometheus would call it {name}_total: call it so")
    if kind == "counter" and "total" in name.removesuffix("_total").split("_"):
        raise ValueError(f"{name} has the word total twice, and would arrive with one: leave the other out")
    if kind != "counter" and name.endswith("_total") and not named_like_a_counter:
        raise ValueError(f"{name} ends in _total, which is for counters: this is a {kind}, so call it {name[:-6]}")
    word = _IN_NAME.get(unit)
    if word is not None and not name.removesuffix("_total").endswith(word):
        raise ValueError(f"{name} has the unit {unit}, so its name must end in {word}")


def check_description(name: str, description: str) -> None:
    """Raises ValueError if the help text is none, or cannot be written."""
    if not isinstance(description, str) or not description.strip():
        raise ValueError(f"{name} has no description: say in a sentence what it counts or measures")
    try:
        description.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: the description is not valid Unicode") from None


def check_unit(name: str, unit: str) -> None:
    """Raises ValueError if the unit is no text."""
    if not isinstance(unit, str) or not unit.isascii() or len(unit) > 63:
        raise ValueError(f"{name}: the unit {unit!r} is none: write a UCUM unit such as s, or {{order}}")


def read_owners(name: str, owner: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The services that record the metric. None: every service does. Raises ValueError."""
    owners = (owner,) if isinstance(owner, str) else owner or ()
    if not isinstance(owners, tuple) or not all(isinstance(one, str) and one for one in owners):
        raise ValueError(f"{name}: the owner {owner!r} is neither the name of a service nor a tuple of names")
    return owners


def read_buckets(name: str, buckets: Sequence[Any]) -> tuple[float, ...]:
    """The bounds as numbers. Raises ValueError if they are not finite and ascending."""
    try:
        given = tuple(itertools.islice(buckets, BUCKETS_AT_MOST + 1))  # they may have no end
    except TypeError:
        raise ValueError(f"{name}: the buckets {buckets!r} are no sequence of numbers") from None
    if not given or len(given) > BUCKETS_AT_MOST:
        number = "no" if not given else f"more than {BUCKETS_AT_MOST}"
        raise ValueError(f"{name} has {number} buckets: give it 1 to {BUCKETS_AT_MOST}")
    if not all(isinstance(b, int | float | Decimal | Fraction) and not isinstance(b, bool) for b in given):
        raise ValueError(f"{name}: the buckets {given} are not all numbers")
    try:
        bounds = tuple(b if type(b) is int and abs(b) <= 2**53 else float(b) + 0.0 for b in given)  # 0.0 for -0.0
    except (OverflowError, ValueError):
        bounds = (math.nan,)
    if not all(map(math.isfinite, bounds)) or any(a >= b for a, b in itertools.pairwise(bounds)):
        raise ValueError(f"{name}: the buckets {given} must be finite and ascending")
    if bounds[0] < 0:
        raise ValueError(f"{name}: the buckets {given} are for amounts below 0, and a histogram takes none")
    return bounds


def check_shown(name: str, numbers: Sequence[int]) -> None:
    """Raises ValueError if labels with so many values each would show too many series before the first event."""
    series = math.prod(numbers)
    if series > SHOWN_AT_MOST:
        raise ValueError(
            f"{name} would show {series:,} series before its first event ({' x '.join(map(str, numbers))} values), and "
            f"{SHOWN_AT_MOST:,} is the most: make one of its labels open, or divide the metric"
        )
