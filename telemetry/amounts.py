"""Which amounts a metric takes."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any

from telemetry.drops import Dropped, Reason

Amount = int | float | Decimal

_AMOUNTS = (int, float, Decimal, numbers.Real)
"""The abstract class comes last, because asking it takes several times as long."""


def number(amount: object) -> int | float:
    """The amount as a finite number. Takes Decimal (P&L is Decimal) and every type that is a `numbers.Real`.

    An integer that does not fit into 64 bits becomes a float. Raises `Dropped` for everything else: None, text, bool,
    NaN, infinities, and integers too large for a float.
    """
    if isinstance(amount, bool) or not isinstance(amount, _AMOUNTS):
        raise Dropped(Reason.NOT_A_NUMBER, f"{type(amount).__name__} is not an amount")
    try:
        as_float = float(amount)
    except (OverflowError, ValueError, TypeError):
        raise Dropped(Reason.NOT_A_NUMBER, f"a {type(amount).__name__} that cannot be converted to a float") from None
    if not math.isfinite(as_float):
        raise Dropped(Reason.NOT_A_NUMBER, f"{as_float} is not a finite number")
    as_given: object = amount
    return as_given if type(as_given) is int and -(2**63) <= as_given < 2**63 else as_float


def sized(value: int | float) -> int | float:
    """The number, as a float if it is an integer that does not fit into 64 bits."""
    return value if isinstance(value, float) or -(2**63) <= value < 2**63 else float(value)


def added(cell: list[Any], at: int, amount: int | float) -> bool:
    """Adds an amount to one number of a cell, unless that would be infinite. At once, as telemetry/store.py says."""
    after = cell[at] + amount
    if after - after == 0:
        cell[at] = after
        return True
    return False


def counted(cell: list[Any], bucket: int, amount: int | float) -> bool:
    """Counts an amount in a bucket and adds it to the sum, unless that would be infinite. At once, like `added`."""
    after = cell[-2] + amount
    if after - after == 0:
        cell[bucket] += 1
        cell[-2] = after
        return True
    return False


def raised(cell: list[Any], at: int, amount: int | float) -> None:
    """Raises one number of a cell to an amount, unless it is higher. At once, as telemetry/store.py says."""
    if cell[at] < amount:
        cell[at] = amount
