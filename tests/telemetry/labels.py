"""Labels for the metrics that tests declare."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypedDict

from telemetry import Open


class Side(StrEnum):
    """The values of a closed label."""

    BUY = "buy"
    SELL = "sell"


class BySide(TypedDict):
    """One closed label."""

    side: Side


class BySymbol(TypedDict):
    """One open label."""

    symbol: Annotated[str, Open()]


class BySymbolAndSide(BySymbol):
    """An open label and a closed one."""

    side: Side


class ByTwoSymbols(TypedDict):
    """An open label that has room for two values."""

    symbol: Annotated[str, Open(limit=2)]


class ByText(TypedDict):
    """One open label."""

    text: Annotated[str, Open()]


def labels(**annotations: Any) -> type[Mapping[str, Any]]:
    """A TypedDict with these annotations, for a test that needs labels of its own."""
    made: type[Mapping[str, Any]] = TypedDict("Labels", annotations)  # type: ignore[misc]  # at run time
    return made
