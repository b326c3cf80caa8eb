"""Puts a measuring function around a method of a library, once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

_MARK = "_measured_by_telemetry"


def wrap(owner: Any, name: str, measured: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replaces a function of a class or module by a measured one, unless it is one.

    It applies to all objects of the class, also to those that exist. Raises AttributeError if there is none.
    """
    original = getattr(owner, name)
    if not hasattr(original, _MARK):  # also seen through the wrapper of an instrumentation
        wrapper = functools.wraps(original)(measured(original))
        setattr(wrapper, _MARK, True)
        setattr(owner, name, wrapper)


def is_suppressed() -> bool:
    """Whether this runs in a block of `opentelemetry.instrumentation.utils.suppress_instrumentation`, as probes do."""
    return bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
