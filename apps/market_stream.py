"""Publishes the state of the market in Redis, and follows it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from apps.background import Duty, described
from apps.catalogue import market_state_timestamp_seconds, market_states_refused_total
from apps.inputs import in_sight
from apps.market import FUTURE_SECONDS, MarketState, OtherVersion
from apps.vocabulary import StateRefusal

logger = logging.getLogger(__name__)

KEY = "market:state"
"""The name of a key and of a channel. The key has the last state, for late followers; the channel has every new one."""
PONG_SECONDS = 5.0


async def publish(client: redis.asyncio.Redis, state: MarketState) -> None:
    """Stores the state for late followers, and sends it to the present ones."""
    text = state.to_json()
    async with client.pipeline(transaction=True) as pipe:
        pipe.set(KEY, text)
        pipe.publish(KEY, text)
        await pipe.execute()


async def follow(url: str, idle: Callable[[], None] = lambda: None) -> AsyncGenerator[MarketState, None]:
    """Yields the last state and then always the newest one: a follower that is slow misses those in between.

    A state that cannot be read, of another version, or with a time in the future, is refused. An old one is not: the
    follower looks at its age. While Redis is unavailable it waits, then it connects again. `idle` is called once a
    second while Redis answers and has nothing new.
    """
    following = Duty("following the market's state", logger)
    while True:
        # No retry in the client: this loop retries. The client would wait longer each time, also after Redis is back.
        client = redis.asyncio.from_url(url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(KEY)
                text = await client.get(KEY)
                while True:
                    state = None if text is None else _accepted(text, following)
                    if state is not None:
                        yield state
                    text = await _newest(subscription)
                    if text is None:
                        idle()
        except (redis.asyncio.RedisError, OSError, TimeoutError) as error:
            following.failed(described(error), error)
            await asyncio.sleep(0.5)
        finally:
            await client.aclose()


async def _newest(subscription: PubSub) -> bytes | str | None:
    """The newest of the states that have come, or None after a second without one."""
    message = await subscription.get_message(timeout=1)
    newest = None
    # Redis answers in order: with the pong, every state that was published before the ping is here. A time-out of 0
    # would leave those that Redis holds back because this process did not read. And a Redis that is dead or hangs does
    # not answer.
    await subscription.ping()
    while message is None or message["type"] != "pong":
        if message is not None and message["type"] == "message":
            newest = message["data"]
        message = await subscription.get_message(timeout=PONG_SECONDS)
        if message is None:
            raise TimeoutError("Redis does not answer a ping")
    return newest


def _accepted(text: bytes | str, following: Duty) -> MarketState | None:
    """The state, or None if it is refused. A refusal is counted and logged."""
    try:
        state = MarketState.from_json(text)
    except OtherVersion as error:
        reason, why, detail = StateRefusal.VERSION, "is of another version", str(error)
    except ValueError as error:
        reason, why, detail = StateRefusal.UNREADABLE, "cannot be read", str(error)
    else:
        ahead = state.latest - time.time()
        if ahead <= FUTURE_SECONDS:
            following.succeeded()
            market_state_timestamp_seconds.set(state.at)
            return state
        reason, why, detail = StateRefusal.FUTURE, "is ahead of the clock of this machine", f"by {ahead:.1f} s"
    market_states_refused_total.add(1, {"reason": reason})
    # Whoever writes to Redis chooses the words of the detail: each other one would be a reason of its own.
    following.failed(f"the state in Redis {why}", detail=in_sight(detail))
    return None
