"""The state of the market as text, and in Redis."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from apps.background import background
from apps.catalogue import market_state_timestamp_seconds, market_states_refused_total
from apps.inputs import FIRST_DATE, HIGHEST_PRICE, LAST_DATE, MOST_SYMBOLS, TICK
from apps.labels import StateRefusalLabels
from apps.market import MOST_CHARACTERS, VERSION, MarketState, OtherVersion, Quote, schema
from apps.market_stream import KEY, follow, publish
from apps.vocabulary import StateRefusal
from telemetry.testing import Recorded
from tests.apps.markets import market
from tests.servers import folder, redis_running
from tests.waiting import until

STATE = market({"AAPL": "100.25", "BRK.B": 3000}, previous={"AAPL": 99, "BRK.B": 2990}, finished=True)
SCHEMA = Path(__file__).parents[2] / "docs" / "market-state.schema.json"
BOUNDS = st.sampled_from([TICK, HIGHEST_PRICE])
PRICES = BOUNDS | st.decimals(TICK, HIGHEST_PRICE, places=4)
SYMBOLS = st.from_regex(r"[A-Z0-9]{1,4}([.-][A-Z0-9]{1,3}){0,2}", fullmatch=True)
TIMES = st.floats(0, 1e300) | st.integers(0, 10**18).map(float)
STATES = st.builds(
    MarketState,
    at=TIMES,
    trading_date=st.dates(FIRST_DATE, LAST_DATE),
    open=st.booleans(),
    finished=st.booleans(),
    previous_closes=st.dictionaries(SYMBOLS, PRICES, max_size=3),
    quotes=st.dictionaries(SYMBOLS, st.builds(Quote, PRICES, TIMES), max_size=3),
)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.from_url(url) as connected:
        yield connected


def test_a_state_that_is_written_and_read_is_the_same() -> None:
    assert MarketState.from_json(STATE.to_json()) == STATE
    assert MarketState.from_json(STATE.to_json().encode()) == STATE


@given(STATES)
def test_every_state_that_is_written_is_read_and_fits_the_schema(state: MarketState) -> None:
    assert MarketState.from_json(state.to_json()) == state
    jsonschema.validate(json.loads(state.to_json()), schema())


def test_the_schema_is_the_documented_one_and_another_schema_has_another_version() -> None:
    documented = json.loads(SCHEMA.read_text())

    assert documented == schema(), (
        "raise VERSION, and run: .venv/bin/python -m apps.market > docs/market-state.schema.json"
    )
    assert documented["properties"]["version"] == {"const": VERSION}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(json.loads(STATE.to_json()))), value=JSON)
def test_a_field_with_any_other_value_is_read_or_refused_and_what_is_read_is_written_and_read_again(
    name: str, value: object
) -> None:
    try:
        state = MarketState.from_json(with_field(name, value))
    except ValueError:
        return
    assert MarketState.from_json(state.to_json()) == state


@given(st.text() | st.binary())
def test_any_text_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        MarketState.from_json(text)


def with_field(name: str, value: Any) -> str:
    return json.dumps({**json.loads(STATE.to_json()), name: value})


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "5", "[]", "{", "{}", "[" * 100_000, b"\xff\xfe",
        with_field("trading_date", "yesterday"), with_field("trading_date", 5), with_field("trading_date", "20200309"),
        with_field("trading_date", "2020-W11-1"), with_field("trading_date", "2020-02-30"),
        with_field("trading_date", "0001-01-01"), with_field("trading_date", "9999-12-31"),
        with_field("open", "false"), with_field("open", 0), with_field("finished", None), with_field("finished", 1),
        with_field("at", None), with_field("at", "1"), with_field("at", True), with_field("at", 10**400),
        with_field("at", float("nan")), with_field("at", float("inf")), with_field("at", float("-inf")),
        with_field("quotes", {"AAPL": ["1", float("nan")]}), with_field("quotes", {"AAPL": ["1", float("inf")]}),
        with_field("quotes", {"AAPL": ["1", True]}), with_field("quotes", {"AAPL": ["1", -1]}), with_field("at", -1),
        with_field("quotes", {"AAPL": ["1", 1, 1]}), with_field("quotes", {"AAPL": [True, 1]}),
        with_field("previous_closes", None), with_field("previous_closes", {"aapl": "100"}),
        with_field("quotes", {"A\n": ["1", 1]}), with_field("quotes", {"BRK/B": ["1", 1]}), with_field("more", 1),
        with_field("quotes", {"AAPL": ["0.00004", 1]}), with_field("quotes", {"AAPL": ["7_3", 1]}),
        with_field("quotes", {"AAPL": ["\uff17", 1]}),
        with_field("quotes", []), with_field("quotes", {"AAPL": "100"}), with_field("quotes", {"AAPL": ["x", 1]}),
        with_field("quotes", {"AAPL": ["NaN", 1]}), with_field("quotes", {"AAPL": ["-1", 1]}),
        with_field("quotes", {"AAPL": ["0", 1]}), with_field("quotes", {"AAPL": [None, 1]}),
        with_field("quotes", {"AAPL": ["1000000000", 1]}), with_field("quotes", {"AAPL": ["1e27", 1]}),
        with_field("previous_closes", {"AAPL": "1E+9"}),
        with_field("quotes", {"AAPL": ["1", "x"]}), with_field("previous_closes", {"AAPL": "Infinity"}),
    ],
)  # fmt: skip
def test_anything_that_is_not_a_state_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        MarketState.from_json(text)


@pytest.mark.parametrize("version", [0, 1, 3, -1, 10**30, 2.0, True, "2", None, [], {}])
def test_a_state_of_another_version_is_told_from_one_that_cannot_be_read(version: object) -> None:
    with pytest.raises(OtherVersion, match=f"^it has the version {re.escape(repr(version))}, this service reads 2$"):
        MarketState.from_json(with_field("version", version))


def test_a_state_without_a_version_is_of_another_version() -> None:
    fields = json.loads(STATE.to_json())
    del fields["version"]

    with pytest.raises(OtherVersion, match=r"^it has no version, this service reads 2$"):
        MarketState.from_json(json.dumps(fields))


MANY = {f"A{number}": "1" for number in range(MOST_SYMBOLS)}


def test_a_state_has_as_many_symbols_as_a_file_of_closes_may_have() -> None:
    assert len(MarketState.from_json(with_field("previous_closes", MANY)).previous_closes) == MOST_SYMBOLS
    quotes = {symbol: ["1", 1] for symbol in (*MANY, "B")}
    for field, more in (("previous_closes", {**MANY, "B": "1"}), ("quotes", quotes)):
        with pytest.raises(ValueError, match=f"^'{field}': .*at most {MOST_SYMBOLS} items"):
            MarketState.from_json(with_field(field, more))


def test_a_text_that_is_too_long_is_not_even_parsed() -> None:
    text = STATE.to_json()
    longest = text + " " * (MOST_CHARACTERS - len(text))

    assert MarketState.from_json(longest) == STATE
    with pytest.raises(ValueError, match=r"^it has 1000001 characters, and 1000000 is the most$"):
        MarketState.from_json(longest + " ")


def test_what_is_wrong_in_a_state_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^'quotes\.A\\n\.\[key\]': is not a symbol like AAPL, .* characters$"):
        MarketState.from_json(with_field("quotes", {"A\n": ["1", 1]}))


async def test_a_late_follower_gets_the_last_state_and_then_every_new_one(redis_url: str) -> None:
    async with client(redis_url) as publisher, aclosing(follow(redis_url)) as states:
        await publish(publisher, STATE)
        assert await anext(states) == STATE

        for price in (101, 102):
            state = market({"AAPL": price})
            await publish(publisher, state)
            assert await anext(states) == state


async def test_a_follower_that_is_slow_gets_the_newest_state_each_time(redis_url: str, recorded: Recorded) -> None:
    seen: list[MarketState] = []
    may_go_on = asyncio.Semaphore(0)

    async def consume() -> None:
        async with aclosing(follow(redis_url)) as states:
            async for state in states:
                seen.append(state)
                await may_go_on.acquire()

    async with client(redis_url) as publisher:
        await publish(publisher, STATE)
        async with background(consume()):
            await until(lambda: seen == [STATE], "the first state")
            for number, many in enumerate((50, 50, 2000), start=2):  # 2000 are more than a socket holds
                states = [market({f"S{symbol}": price for symbol in range(20)}) for price in range(100, 100 + many)]
                for state in states:
                    await publish(publisher, state)
                may_go_on.release()
                await until(lambda: len(seen) == number, "the next state")  # noqa: B023 - awaited in the loop
                assert seen[-1] == states[-1]

    assert recorded(market_state_timestamp_seconds) == seen[-1].at


def ahead(seconds: float) -> tuple[MarketState, MarketState]:
    """A state that was published that many seconds in the future, and one whose quote is from then."""
    now, later = market({"AAPL": 1}), market({"AAPL": 1}, age=-seconds)
    return later, replace(now, quotes=later.quotes)


SAID = {
    StateRefusal.UNREADABLE: "cannot be read (",
    StateRefusal.VERSION: "is of another version (it has ",
    StateRefusal.FUTURE: "is ahead of the clock of this machine (by 3",
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("junk", StateRefusal.UNREADABLE),
        (with_field("open", "false"), StateRefusal.UNREADABLE),
        (with_field("at", float("nan")), StateRefusal.UNREADABLE),
        (with_field("version", VERSION + 1), StateRefusal.VERSION),
        (
            json.dumps({name: value for name, value in json.loads(STATE.to_json()).items() if name != "version"}),
            StateRefusal.VERSION,
        ),
        *((state.to_json(), StateRefusal.FUTURE) for state in ahead(3600)),
    ],
)
async def test_a_state_that_is_unreadable_or_of_the_future_is_counted_and_logged_once_and_the_next_one_is_used(
    redis_url: str, recorded: Recorded, caplog: pytest.LogCaptureFixture, text: str, reason: StateRefusal
) -> None:
    async with client(redis_url) as publisher:
        await publisher.set(KEY, text)
        async with aclosing(follow(redis_url)) as states:
            waiting = asyncio.ensure_future(anext(states))
            try:
                for times in (1, 2, 3):
                    await until(
                        lambda: recorded(market_states_refused_total, StateRefusalLabels(reason=reason)) == times,  # noqa: B023
                        f"{times} refusals",
                    )
                    if times < 3:
                        await publisher.publish(KEY, text)
                assert not waiting.done()
                state = market({"AAPL": 101})
                await publish(publisher, state)
                assert await asyncio.wait_for(waiting, 3) == state
            finally:
                waiting.cancel()
                await asyncio.wait([waiting])

    [said] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith(f"following the market's state fails: the state in Redis {SAID[reason]}")


REFUSALS: dict[StateRefusal, Callable[[str], str]] = {
    StateRefusal.VERSION: lambda word: with_field("version", word),
    StateRefusal.UNREADABLE: lambda word: with_field(word, "\u202e"),
}


@pytest.mark.parametrize("reason", REFUSALS)
async def test_a_refusal_is_logged_once_whatever_words_it_quotes(
    redis_url: str, recorded: Recorded, caplog: pytest.LogCaptureFixture, reason: StateRefusal
) -> None:
    words = ["\u202ered" + "x" * 1000, "blue\n", "green", "x" * 1000]

    def refused() -> float:
        return recorded(market_states_refused_total, StateRefusalLabels(reason=reason)) or 0

    async with client(redis_url) as publisher, aclosing(follow(redis_url)) as states:
        await publisher.set(KEY, REFUSALS[reason](words[0]))
        waiting = asyncio.ensure_future(anext(states))
        for times, word in enumerate(words, start=1):
            await until(lambda: refused() == times, "the last one is refused")  # noqa: B023  # awaited in the loop
            await publisher.publish(KEY, REFUSALS[reason](word))
        await until(lambda: refused() == len(words) + 1, "the last one is refused")
        waiting.cancel()
        await asyncio.wait([waiting])

    [said] = [record.getMessage() for record in caplog.records]
    assert "red" in said
    assert "\u202e" not in said
    assert len(said) < 300


async def test_a_follower_is_told_that_redis_answers_and_has_nothing_new(redis_url: str) -> None:
    told: list[bool] = []
    async with client(redis_url) as publisher, aclosing(follow(redis_url, lambda: told.append(True))) as states:
        await publish(publisher, STATE)
        await anext(states)
        assert told == []

        waiting = asyncio.create_task(anext(states))
        await until(lambda: told, "a second without a state")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_state_may_be_as_old_as_it_likes_and_a_little_ahead_of_the_clock(redis_url: str) -> None:
    async with client(redis_url) as publisher, aclosing(follow(redis_url)) as states:
        for state in (market({"AAPL": 100}, age=10**9), *ahead(4)):
            await publish(publisher, state)
            assert await asyncio.wait_for(anext(states), 3) == state


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
