"""What callers give to the MeterProvider, as it can be kept: never an object whose methods are the caller's code."""

from __future__ import annotations

from collections.abc import Hashable
from types import MethodType
from typing import Any

from telemetry.drops import quoted, said, warn
from telemetry.made import plain


def exact(given: object) -> str:
    """The text that is given, without the subclass that it may be of. What only says that it is a text is none."""
    return str.__str__(given) if issubclass(type(given), str) else ""


def text_of(given: object) -> str:
    """The text that is given, as UTF-8 can have it. One that it cannot would make everything that is sent fail."""
    return exact(given).encode(errors="replace").decode()


def identity_of(callback: Any) -> Hashable:
    """What is the same for the same callback. A method is a new object each time that it is asked for."""
    if type(callback) is MethodType:
        return id(callback.__self__), id(callback.__func__)
    return id(callback)


def attributes_of(attributes: Any) -> tuple[tuple[str, Any], ...]:
    """The attributes of a scope, without those that cannot be sent."""
    kept: dict[str, Any] = {}
    try:
        for name, value in ({} if attributes is None else attributes).items():
            try:
                if not issubclass(type(name), str):
                    raise TypeError(f"{quoted(name)} is no name of an attribute")
                plain_name, plain_value = plain(name), plain(value)
                hash(plain_value)
            except BaseException as error:
                _unreadable(error)
            else:
                kept[plain_name] = plain_value
    except BaseException as error:  # it is no mapping, or has methods that raise
        _unreadable(error)
    return tuple(sorted(kept.items()))


def _unreadable(error: BaseException) -> None:
    warn(("", "meter"), f"get_meter was called with attributes that cannot be read: {said(error)}")
