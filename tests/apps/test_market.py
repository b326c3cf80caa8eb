"""The state of the market as text, and in Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import redis.asyncio

from apps.market import KEY, MarketState, follow, publish
from tests.apps.markets import market
from tests.servers import folder, redis_running
from tests.waiting import until

STATE = market({"AAPL": "100.25", "BRK.B": 3000}, previous={"AAPL": 99, "BRK.B": 2990}, finished=True)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.from_url(url) as connected:
        yield connected


def test_a_state_that_is_written_and_read_is_the_same() -> None:
    assert MarketState.from_json(STATE.to_json()) == STATE
    assert MarketState.from_json(STATE.to_json().encode()) == STATE


def with_field(name: str, value: Any) -> str:
    return json.dumps({**json.loads(STATE.to_json()), name: value})


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "5", "[]", "{", "{}", "[" * 100_000, b"\xff\xfe",
        with_field("trading_date", "yesterday"), with_field("trading_date", 5),
        with_field("quotes", []), with_field("quotes", {"AAPL": "100"}), with_field("quotes", {"AAPL": ["x", 1]}),
        with_field("quotes", {"AAPL": ["NaN", 1]}), with_field("quotes", {"AAPL": ["-1", 1]}),
        with_field("quotes", {"AAPL": ["0", 1]}), with_field("quotes", {"AAPL": [None, 1]}),
        with_field("quotes", {"AAPL": ["1", "x"]}), with_field("previous_closes", {"AAPL": "Infinity"}),
    ],
)  # fmt: skip
def test_anything_that_is_not_a_state_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        MarketState.from_json(text)


async def test_a_late_follower_gets_the_last_state_and_then_every_new_one(redis_url: str) -> None:
    async with client(redis_url) as publisher, aclosing(follow(redis_url)) as states:
        await publish(publisher, STATE)
        assert await anext(states) == STATE

        for price in (101, 102):
            state = market({"AAPL": price})
            await publish(publisher, state)
            assert await anext(states) == state


async def test_a_follower_continues_after_junk_in_redis(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with client(redis_url) as publisher, aclosing(follow(redis_url)) as states:
        await publisher.set(KEY, "junk")
        waiting = asyncio.ensure_future(anext(states))
        await until(lambda: "cannot read" in caplog.text, "the junk was read")

        await publish(publisher, STATE)
        assert await asyncio.wait_for(waiting, 3) == STATE

        await publisher.publish(KEY, "junk")
        assert await asyncio.wait_for(anext(states), 3) == STATE  # from the key


@pytest.mark.server
async def test_a_follower_continues_when_redis_is_killed_and_comes_back_empty(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with folder() as place, redis_running(place) as server:
        async with aclosing(follow(server.url)) as states:
            async with client(server.url) as publisher:
                await publish(publisher, STATE)
                assert await anext(states) == STATE
            server.kill()
            waiting = asyncio.ensure_future(anext(states))
            await until(lambda: "following the market's state fails" in caplog.text, "an attempt")
            assert not waiting.done()

            with redis_running(place):
                state = market({"AAPL": 101})
                async with client(server.url) as publisher:
                    await publish(publisher, state)
                assert await asyncio.wait_for(waiting, 3) == state
