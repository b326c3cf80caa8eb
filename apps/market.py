"""The state of the market: session, last quotes, previous closes, and its form as JSON. Does no input or output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError
from pydantic_core import from_json

from apps.inputs import MOST_SYMBOLS, Price, Symbol, TradingDate, UnixTime

FUTURE_SECONDS = 5.0
"""How far a time in a state may be ahead of the clock of this machine. Clocks of two machines differ a little."""
VERSION = 2
"""The version of the form as JSON. Raise it at each change of the schema, docs/market-state.schema.json."""

MOST_CHARACTERS = 1_000_000
"""No text that is longer is read. One of 150 symbols has some 12,000."""

Flag = Annotated[bool, Strict()]


class OtherVersion(ValueError):
    """The state was written by another version of the platform."""


class Quote(NamedTuple):
    """A price in dollars, and the time of its tick in unix seconds."""

    price: Price
    at: UnixTime


@dataclass(frozen=True, slots=True)
class MarketState:
    """The market at one moment, as the market data service publishes it. `at` is when, in unix seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    at: UnixTime
    trading_date: TradingDate
    open: Flag
    finished: Flag
    previous_closes: Annotated[dict[Symbol, Price], Field(max_length=MOST_SYMBOLS)]
    quotes: Annotated[dict[Symbol, Quote], Field(max_length=MOST_SYMBOLS)]

    def to_json(self) -> str:
        """The state as text, for `from_json`."""
        return json.dumps(
            {
                "version": VERSION,
                "at": self.at,
                "trading_date": self.trading_date.isoformat(),
                "open": self.open,
                "finished": self.finished,
                "previous_closes": {symbol: f"{close:f}" for symbol, close in self.previous_closes.items()},
                "quotes": {symbol: (f"{quote.price:f}", quote.at) for symbol, quote in self.quotes.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> MarketState:
        """Reads what `to_json` wrote. Raises `OtherVersion` for another version, and ValueError for anything else."""
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"it has {len(text)} characters, and {MOST_CHARACTERS} is the most")
        fields = from_json(text)
        if not isinstance(fields, dict):
            raise ValueError("it is not an object")
        version = repr(fields.pop("version")) if "version" in fields else None
        if version != repr(VERSION):
            has = "no version" if version is None else f"the version {version}"
            raise OtherVersion(f"it has {has}, this service reads {VERSION}")
        try:
            return _STATE.validate_python(fields)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where!r}: {first['msg']}") from None

    @property
    def latest(self) -> float:
        """The latest time in it. Normally that is `at`, because a quote is older than the state that has it."""
        return max([self.at, *(quote.at for quote in self.quotes.values())])


_STATE = TypeAdapter(MarketState)


def schema() -> dict[str, Any]:
    """The JSON schema of a state as `to_json` writes it."""
    fields = _STATE.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **fields,
        "properties": {"version": {"const": VERSION}, **fields["properties"]},
        "required": ["version", *fields["required"]],
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
