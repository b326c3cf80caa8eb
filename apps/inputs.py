"""The types of what comes in through settings, files, Redis and HTTP: symbols, prices, shares, dates, times, texts.

What one of them accepts, the next does not refuse. A value that is refused raises a ValueError that says what to write.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

TICK = Decimal("0.0001")
"""Prices are rounded to this many dollars. It is also the lowest price."""
HIGHEST_PRICE = Decimal("999999999.9999")
MOST_SHARES = 10_000_000
"""The most shares of one order."""
TEXT_CHARACTERS = 200
SYMBOL_CHARACTERS = 12
NUMBER_CHARACTERS = 40
ADDRESS_CHARACTERS = 2000
MOST_DOLLARS = 10**12
"""No amount of money in the settings is larger."""
MOST_SYMBOLS = 150
"""The most symbols of one market."""

_SYMBOL = r"[A-Z0-9]+([.\-][A-Z0-9]+)*"
# Zeros at the end change nothing. Many programs write prices with as many digits as they have.
_PRICE = r"([0-9]{1,9})(?:(\.[0-9]{1,4})0*)?"
_NUMBER = r"[+\-]?[0-9]+(\.[0-9]+)?([eE][+\-]?[0-9]{1,2})?"
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


def plain_number(value: object) -> object:
    """Returns the value, unless it is a text that is not a number in ASCII digits: then it raises ValueError.

    A long text, and an exponent of three digits, are refused as well: a few characters must not become megabytes.
    """
    # pydantic also takes 1_000 and the digits of other scripts, which other programs read otherwise or not at all.
    if isinstance(value, str) and not (len(value) <= NUMBER_CHARACTERS and re.fullmatch(_NUMBER, value)):
        raise PydanticCustomError("number", "is not a number in digits, like 30 or 0.05")
    return value


def number_in_settings(value: object) -> object:
    """The same for a variable, which may have spaces around it."""
    return plain_number(value.strip(" ") if isinstance(value, str) else value)


def http_address(text: str) -> str:
    """Returns the address of a service, with a host, a port and a path. Raises ValueError if it cannot be called."""
    usable = len(text) <= ADDRESS_CHARACTERS and not re.search(r"[\s\x00-\x20\x7f@?#\\]", text)
    try:
        url, parts = httpx.URL(text), urlsplit(text)
        url.host.encode("idna")  # the system does so, to look up the host
        usable = usable and url.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise ValueError("is not an address like http://host:8002, without user, password, query and spaces")
    return text


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
Amount = Annotated[Decimal, BeforeValidator(plain_number)]
"""A finite number of any sign, in digits."""
Cash = Annotated[Decimal, BeforeValidator(number_in_settings), Field(ge=1, le=MOST_DOLLARS, decimal_places=2)]
"""The dollars that an account begins with, in the settings."""
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
