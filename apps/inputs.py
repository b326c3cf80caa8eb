"""The types of what comes in through settings, files, Redis and HTTP: symbols, prices, shares, dates, times, texts.

What one of them accepts, the next does not refuse. A value that is refused raises a ValueError that says what to write.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

TICK = Decimal("0.0001")
"""Prices are rounded to this many dollars. It is also the lowest price."""
HIGHEST_PRICE = Decimal("999999999.9999")
MOST_SHARES = 10_000_000
"""The most shares of one order."""
LARGEST_AMOUNT = Decimal(10) ** 26
AMOUNT_CHARACTERS = 40
"""The longest text of an amount, and its most digits after the point."""
TEXT_CHARACTERS = 200
SYMBOL_CHARACTERS = 12
MOST_SYMBOLS = 150
"""The most symbols of one market."""

_SYMBOL = r"[A-Z0-9]+([.\-][A-Z0-9]+)*"
# Zeros at the end change nothing. Many programs write prices with as many digits as they have.
_PRICE = r"([0-9]{1,9})(?:(\.[0-9]{1,4})0*)?"
_NOTHING = r"0+(\.0+)?"
# Control, format and direction characters, line ends, surrogates, and the others that are drawn as nothing. Two texts
# that look the same could differ in them. `\ud800` stays escaped, because it cannot be encoded.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)


def _symbol(value: object) -> str:
    if isinstance(value, str) and len(value) <= SYMBOL_CHARACTERS and re.fullmatch(_SYMBOL, value):
        return value
    raise PydanticCustomError(
        "symbol", "is not a symbol like AAPL, BRK-B or BRK.B: capital letters and digits, at most 12 characters"
    )


def _price(value: object) -> Decimal:
    if isinstance(value, Decimal):
        value = f"{value:f}"
    elif isinstance(value, int | float):
        value = str(value)
    if isinstance(value, str) and (number := re.fullmatch(_PRICE, value)) and not re.fullmatch(_NOTHING, value):
        return Decimal(number[1] + (number[2] or ""))
    raise PydanticCustomError(
        "price", "is not a price: write 0.0001 to 999999999.9999 dollars in digits, with at most 4 after the point"
    )


def iso_date(value: object) -> dt.date:
    """Reads a date like 2020-03-09. Raises ValueError for anything else, also for other forms of ISO 8601."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        if isinstance(value, str) and (date := dt.date.fromisoformat(value)).isoformat() == value:
            return date
    except ValueError:
        pass
    raise PydanticCustomError("date", "is not a date like 2020-03-09")


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS:
        raise PydanticCustomError("text", "is not a text of 1 to 200 characters")
    if unseen := re.search(f"[{_UNSEEN}]", value):
        code, place = f"U+{ord(unseen[0]):04X}", unseen.start() + 1
        raise PydanticCustomError("text", f"has a character that cannot be seen, {code} at place {place}")
    if not value.strip():
        raise PydanticCustomError("text", "has nothing but spaces")
    return value


def in_sight(text: str) -> str:
    """The text made acceptable as `Text`, where a refusal would cost more: `?` for what cannot be seen, and cut."""
    text = re.sub(f"[{_UNSEEN}]", "?", text[:TEXT_CHARACTERS])
    return text if text.strip() else "?"


def _amount(value: object) -> object:
    # Before it is read: what an exponent makes of a short text takes very long to write out or to divide.
    if isinstance(value, str | Decimal | int | float) and len(str(value)) > AMOUNT_CHARACTERS:
        raise PydanticCustomError("amount", f"has more than {AMOUNT_CHARACTERS} characters")
    return plain_number(value)


def plain_number(value: object) -> object:
    """Returns the value, unless it is a text that is not a number in ASCII digits: then it raises ValueError."""
    if isinstance(value, str) and not re.fullmatch(r"[+\-]?[0-9]+(\.[0-9]+)?([eE][+\-]?[0-9]+)?", value):
        raise PydanticCustomError("number", "is not a number in digits, like 30 or 0.05")
    return value


Symbol = Annotated[
    str,
    BeforeValidator(_symbol),
    WithJsonSchema({"type": "string", "pattern": f"^{_SYMBOL}$", "maxLength": SYMBOL_CHARACTERS}),
]
"""A symbol as exchanges write it."""
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^(?!{_NOTHING}$){_PRICE}$"},
                {
                    "type": "number",
                    "minimum": float(TICK),
                    "maximum": float(HIGHEST_PRICE),
                    "multipleOf": float(TICK),
                },
            ]
        }
    ),
]
"""A price in dollars that the platform can represent, as text or as a number of JSON."""
Shares = Annotated[int, Field(gt=0, le=MOST_SHARES, strict=True)]
"""The whole shares of an order."""
TradingDate = Annotated[dt.date, BeforeValidator(iso_date), WithJsonSchema({"type": "string", "format": "date"})]
UnixTime = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
"""Seconds since 1970. How far it may be from now depends on its use, see `market.FUTURE_SECONDS`."""
Amount = Annotated[
    Decimal,
    Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, decimal_places=AMOUNT_CHARACTERS),
    BeforeValidator(_amount),
]
"""A number of any sign, in digits. It is bounded, because a short text may stand for a number of any length."""
Weight = Annotated[Amount, Field(ge=-1, le=1)]
"""The part of equity that a strategy wants in a symbol."""
Text = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": TEXT_CHARACTERS,
            "pattern": rf"^[^{_UNSEEN}]*[^{_UNSEEN}\s][^{_UNSEEN}]*$",
        }
    ),
]
"""A text by a person or a client, in which every character can be seen."""
