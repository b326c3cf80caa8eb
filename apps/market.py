"""The state of the market (session, last quotes, previous closes), and how it is published and followed in Redis."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from apps.background import Duty, described

logger = logging.getLogger(__name__)

KEY = "market:state"
"""The name of a key and of a channel. The key has the last state, for late followers; the channel has every new one."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A price in dollars, and the time of its tick in unix seconds."""

    price: Decimal
    at: float


@dataclass(frozen=True, slots=True)
class MarketState:
    """The market at one moment, as the market data service publishes it."""

    trading_date: dt.date
    open: bool
    finished: bool
    previous_closes: dict[str, Decimal]
    quotes: dict[str, Quote]

    def to_json(self) -> str:
        """The state as text, for `from_json`."""
        return json.dumps(
            {
                "trading_date": self.trading_date.isoformat(),
                "open": self.open,
                "finished": self.finished,
                "previous_closes": {symbol: str(close) for symbol, close in self.previous_closes.items()},
                "quotes": {symbol: [str(quote.price), quote.at] for symbol, quote in self.quotes.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> MarketState:
        """Reads what `to_json` wrote. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            return cls(
                trading_date=dt.date.fromisoformat(fields["trading_date"]),
                open=bool(fields["open"]),
                finished=bool(fields["finished"]),
                previous_closes={symbol: _price(close) for symbol, close in fields["previous_closes"].items()},
                quotes={symbol: Quote(_price(price), float(at)) for symbol, (price, at) in fields["quotes"].items()},
            )
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _price(text: str) -> Decimal:
    price = Decimal(text)
    if not price.is_finite() or price <= 0:
        raise ValueError(f"{text} is not a price")
    return price


async def publish(client: redis.asyncio.Redis, state: MarketState) -> None:
    """Stores the state for late followers, and sends it to the present ones."""
    text = state.to_json()
    async with client.pipeline(transaction=True) as pipe:
        pipe.set(KEY, text)
        pipe.publish(KEY, text)
        await pipe.execute()


async def follow(url: str) -> AsyncGenerator[MarketState, None]:
    """Yields the last state and then every new one. While Redis is unavailable it waits, then it connects again."""
    following = Duty("following the market's state", logger)
    while True:
        # No retry in the client: this loop retries. The client would wait longer each time, also after Redis is back.
        client = redis.asyncio.from_url(url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(KEY)
                last = await client.get(KEY)
                if last is not None:
                    state = MarketState.from_json(last)
                    following.succeeded()
                    yield state
                while True:
                    # A state comes at least once a second. If none comes, the ping fails when Redis is dead or hangs.
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1)
                    if message is not None:
                        state = MarketState.from_json(message["data"])
                        following.succeeded()
                        yield state
                    else:
                        await client.ping()
        except (redis.asyncio.RedisError, OSError, TimeoutError) as error:
            following.failed(described(error), error)
            await asyncio.sleep(0.5)
        except ValueError as error:
            following.failed(f"{KEY} in Redis holds what this service cannot read: {error}")
            await asyncio.sleep(0.5)
        finally:
            await client.aclose()
