"""Which amounts a metric takes."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal

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


def total(before: int | float, amount: int | float) -> int | float:
    """The sum of both, a float if it does not fit into 64 bits. Raises `Dropped` if it would be infinite."""
    after = before + amount
    if isinstance(after, int) and not -(2**63) <= after < 2**63:
        after = float(after)
    if not math.isfinite(after):
        raise Dropped(Reason.NOT_A_NUMBER, f"the sum is {before}, and adding {amount} would make it infinite")
    return after
