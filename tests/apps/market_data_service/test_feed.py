"""The feed in real time, with a real Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from apps.background import Duty, background, every
from apps.catalogue import (
    feed_connection_status,
    feed_reconnects_total,
    last_tick_timestamp_seconds,
    market_session_open,
    market_state_published_timestamp_seconds,
    market_states_published_total,
    quote_price_dollars,
    subscribed_symbols,
    tick_gaps_total,
    tick_processing_duration_seconds,
    ticks_received_total,
    trading_date_timestamp_seconds,
)
from apps.database import Database
from apps.labels import OutcomeLabels, SymbolLabels
from apps.market import MarketState
from apps.market_data_service import storage
from apps.market_data_service.closes import Closes, read_closes
from apps.market_data_service.feed import TICK_SECONDS, Feed
from apps.market_data_service.replay import Replay, ReplayPoint
from apps.market_data_service.settings import DATA
from apps.market_data_service.storage import SCHEMA
from apps.market_stream import KEY, follow
from apps.vocabulary import Outcome
from telemetry.testing import Recorded
from tests.servers import both, folder, redis_running
from tests.services import Service, running
from tests.waiting import until, wait_until

CRASH = read_closes(DATA / "crash-2020.csv")
START, NEXT = dt.date(2020, 3, 9), dt.date(2020, 3, 10)


def replay(end: dt.date | None = None) -> Replay:
    return Replay(CRASH, START, end, 12)


@asynccontextmanager
async def database_at(url: str) -> AsyncIterator[Database]:
    database = Database(url, SCHEMA)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


logger = logging.getLogger(__name__)


@dataclass
class Clock:
    """The part of `time` that the feed uses, at the moments of a test."""

    time: Callable[[], float]

    @property
    def monotonic(self) -> Callable[[], float]:
        return self.time


@asynccontextmanager
async def playing(clock: Replay, database_url: str, redis_url: str) -> AsyncIterator[Feed]:
    """Runs a feed and its repeated jobs, as the service does."""
    database = Database(database_url, SCHEMA)
    client = redis.asyncio.from_url(redis_url)
    await client.delete(KEY)
    feed = Feed(clock, "crash-2020.csv", database, client)
    try:
        async with background(feed.run(), every(0.05, Duty("storing", logger), feed.remember)):
            yield feed
    finally:
        await client.aclose()
        await database.close()


async def test_a_symbol_that_is_not_in_the_market_any_more_has_no_quote_and_no_tick(
    database_url: str, redis_url: str, recorded: Recorded
) -> None:
    ko = CRASH.symbols.index("KO")
    less = Closes(("KO",), CRASH.dates, tuple((row[ko],) for row in CRASH.rows))
    shown = []
    async with aclosing(redis.asyncio.from_url(redis_url)) as client:
        for closes in (CRASH, less):
            clock = Replay(closes, START, None, 12)
            await Feed(clock, "crash-2020.csv", Database(database_url, SCHEMA), client).play(clock.first())
            shown.append(
                [
                    recorded(gauge, SymbolLabels(symbol=symbol)) is not None
                    for gauge in (quote_price_dollars, last_tick_timestamp_seconds)
                    for symbol in ("KO", "AAPL")
                ]
            )

    assert shown == [[True] * 4, [True, False] * 2]


async def test_a_session_ticks_and_closes_and_a_restart_continues_at_the_stored_point(
    database_url: str, redis_url: str, recorded: Recorded
) -> None:
    states: list[MarketState] = []

    async def watch() -> None:
        async with aclosing(follow(redis_url)) as followed:
            async for state in followed:
                states.append(state)  # noqa: PERF401 - the loop never ends

    async with playing(replay(), database_url, redis_url) as feed:
        async with background(watch()):
            await until(lambda: feed.state is not None and not feed.state.open, "the close", seconds=10)
            await until(lambda: states and not states[-1].open, "the close was published")
            await until(lambda: feed.point is not None and not replay().is_open(feed.point), "the point of the close")
        await feed.remember()
        closed = feed.state
    assert closed is not None

    session = [state for state in states if state.open]
    assert TICK_SECONDS <= 1.0
    assert len(session) >= 2  # of two seconds, also on a machine that is busy
    assert session[-1].quotes["AAPL"].price == CRASH.of(CRASH.dates.index(START))["AAPL"]
    assert session[0].previous_closes == CRASH.of(CRASH.dates.index(START) - 1)
    assert all(before.quotes["XOM"].at < after.quotes["XOM"].at for before, after in itertools.pairwise(session))
    assert recorded(ticks_received_total, SymbolLabels(symbol="AAPL")) in (len(session), len(session) + 1)
    assert recorded(market_session_open) == 0
    assert recorded(feed_connection_status) == 1
    assert recorded(subscribed_symbols) == 20
    assert recorded(quote_price_dollars, SymbolLabels(symbol="AAPL")) == float(closed.quotes["AAPL"].price)
    assert recorded(last_tick_timestamp_seconds, SymbolLabels(symbol="AAPL")) == session[-1].quotes["AAPL"].at
    assert recorded(trading_date_timestamp_seconds) == dt.datetime(2020, 3, 9, tzinfo=dt.UTC).timestamp()
    assert (recorded(tick_processing_duration_seconds) or 0) >= len(session)

    async with playing(replay(), database_url, redis_url) as feed:
        await until(lambda: feed.state is not None, "the restart")
        again = feed.state
    assert again is not None
    assert (again.trading_date, again.open, again.quotes) == (START, False, closed.quotes)


async def test_after_the_last_day_the_replay_is_finished_and_the_market_stays_closed(
    database_url: str, redis_url: str, recorded: Recorded
) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        await storage.store(database, ReplayPoint(START, 1.99, 0.0))

    async with playing(replay(end=START), database_url, redis_url) as feed:
        await until(lambda: feed.state is not None and feed.state.finished, "the end")
        ticks = recorded(ticks_received_total, SymbolLabels(symbol="AAPL"))
        rounds = recorded(tick_processing_duration_seconds) or 0
        await until(lambda: (recorded(tick_processing_duration_seconds) or 0) >= rounds + 2, "two more rounds")

        assert feed.state is not None
        assert (feed.state.open, feed.state.finished, feed.state.trading_date) == (False, True, START)
        assert recorded(ticks_received_total, SymbolLabels(symbol="AAPL")) == ticks


async def test_the_market_continues_while_redis_and_postgresql_are_unavailable(
    redis_url: str, recorded: Recorded
) -> None:
    class Away(Database):
        """A database that is available only at the start."""

        async def open(self) -> None:
            """Does nothing, because the database is open already."""

    database = Away("postgresql://nowhere", "")
    feed = Feed(replay(), "crash-2020.csv", database, redis.asyncio.from_url("unix:///nowhere/redis.sock"))
    point = replay().first()
    for _ in range(2):
        began = asyncio.get_running_loop().time()
        point = await feed.play(point)
        assert asyncio.get_running_loop().time() - began < 0.5
    with pytest.raises(Exception, match="has not been reached"):
        await feed.remember()

    assert recorded(ticks_received_total, SymbolLabels(symbol="AAPL")) == 2


@pytest.mark.server
async def test_a_redis_that_is_full_is_counted_and_logged_once_until_it_takes_a_state_again(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    moment = 1000.0
    monkeypatch.setattr("apps.market_data_service.feed.time", Clock(lambda: moment))
    with folder() as place, redis_running(place) as server:
        async with redis.asyncio.from_url(server.url) as client:
            feed = Feed(replay(), "crash-2020.csv", Database("postgresql://nowhere", ""), client)
            publishing = [feed.publishing]
            point = await feed.play(replay().first())
            publishing.append(feed.publishing)
            assert recorded(market_state_published_timestamp_seconds) == moment

            await client.config_set("maxmemory", 1)
            for _ in range(2):
                moment += 2.5
                point = await feed.play(point)
            publishing.append(feed.publishing)  # the last success is 5 s old
            moment += 0.1
            publishing.append(feed.publishing)
            assert recorded(market_states_published_total, OutcomeLabels(result=Outcome.FAILED)) == 2
            assert recorded(market_states_published_total, OutcomeLabels(result=Outcome.SUCCESS)) == 1
            assert recorded(market_state_published_timestamp_seconds) == 1000.0

            await client.config_set("maxmemory", 0)
            await feed.play(point)
            publishing.append(feed.publishing)
            assert recorded(market_state_published_timestamp_seconds) == moment

    assert publishing == [False, True, True, False, True]
    failed, works = [record.getMessage() for record in caplog.records]
    assert failed.startswith("publishing the market's state fails: ")
    assert works.startswith("publishing the market's state works again, after 2 failures")


@pytest.mark.server
def test_the_service_is_not_healthy_while_redis_takes_no_states() -> None:
    with folder() as place, both() as (postgres, redis_server):
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": redis_server.url}
        with running("market_data_service", place, settings) as service, redis.from_url(redis_server.url) as client:
            client.config_set("maxmemory", 1)
            answer = wait_until(lambda: _unavailable(service), 10, "it says that it is not healthy")
            assert answer["publishing"] is False
            assert answer["redis"] is True

            client.config_set("maxmemory", 0)
            wait_until(lambda: not _unavailable(service), 5, "it is healthy again")


def _unavailable(service: Service) -> dict[str, object]:
    """What it says while it is not healthy."""
    answer = httpx.get(f"{service.url}/health")
    return {} if answer.status_code == 200 else dict(answer.json())


async def test_a_silent_feed_is_not_connected_and_then_counts_a_reconnect_and_a_gap(
    redis_url: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1000.0
    monkeypatch.setattr("apps.market_data_service.feed.time.monotonic", lambda: moment)
    feed = Feed(
        replay(), "crash-2020.csv", Database("postgresql://nowhere", ""), redis.asyncio.from_url("unix:///nowhere")
    )
    point = await feed.play(replay().first())
    moment += 2.0
    await feed.watch()
    assert recorded(feed_connection_status) == 1

    moment += 0.1
    await feed.watch()
    assert recorded(feed_connection_status) == 0
    await feed.play(point)

    assert recorded(feed_connection_status) == 1
    assert recorded(feed_reconnects_total) == 1
    assert recorded(tick_gaps_total) == 1


async def test_a_new_trading_date_starts_at_its_open(database_url: str, redis_url: str) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        await storage.store(database, ReplayPoint(START, 11.9, 5.0))

    async with playing(replay(), database_url, redis_url) as feed:
        await until(lambda: feed.state is not None and feed.state.trading_date == NEXT, "the next date")
        assert feed.state is not None
        assert feed.state.open
        assert feed.state.previous_closes == CRASH.of(CRASH.dates.index(START))


def with_day(seconds: float) -> Replay:
    return Replay(CRASH, START, None, seconds)


@pytest.mark.parametrize(
    ("before", "stored", "day", "seconds", "is_open"),
    [
        (3600, 312.7, 12, 312.7 / 3240 * 2, True),
        (3600, 3420.0, 12, 7.0, False),
        (12, 11.0, 3600, 3564.0, False),  # closed: it must not open again
    ],
)
async def test_a_restart_with_another_length_of_a_day_continues_at_the_same_part_of_the_date_and_says_so(
    before: float,
    stored: float,
    day: float,
    seconds: float,
    is_open: bool,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", with_day(before))
        await storage.store(database, ReplayPoint(START, stored, 5.0))

        points = [await storage.load(database, "crash-2020.csv", with_day(day)) for _ in range(2)]

    assert points[0] == points[1] == ReplayPoint(START, points[0].seconds, 5.0)
    assert points[0].seconds == pytest.approx(seconds)
    assert with_day(day).is_open(points[0]) is is_open
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].startswith(f"a day had {before} s and has {day} s now (REPLAY_DAY_SECONDS): the replay continues at")
    assert said[0].endswith(f"2020-03-09, {seconds:.1f} s after the open instead of {stored:.1f} s")


async def test_a_point_without_the_length_of_its_day_is_at_most_at_the_end_of_its_date(database_url: str) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        loaded = []
        for seconds in (1.5, 312.7):
            await storage.store(database, ReplayPoint(START, seconds, 5.0))
            async with database.connection() as connection:
                await connection.execute("ALTER TABLE market_data.replay DROP COLUMN day_seconds")
                await connection.execute(SCHEMA)
            loaded.append(await storage.load(database, "crash-2020.csv", replay()))

    assert loaded == [ReplayPoint(START, 1.5, 5.0), ReplayPoint(START, 12.0, 5.0)]


async def test_a_restart_with_a_shorter_day_plays_each_session_for_its_whole_time(
    database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", with_day(3600))
        await storage.store(database, ReplayPoint(START, 3599.9, 5.0))

    async with playing(replay(), database_url, redis_url) as feed:
        await until(lambda: feed.state is not None and feed.state.trading_date > START, "the next date")
        await until(lambda: feed.state is not None and not feed.state.open, "its close", seconds=10)
        assert feed.state is not None
        assert feed.state.trading_date == NEXT

    assert [text for record in caplog.records if "opens" in (text := record.getMessage())] == [
        "trading date 2020-03-10 opens"
    ]


@pytest.mark.parametrize("end", [START, None], ids=["finished", "closed"])
async def test_after_the_clock_went_back_the_last_ticks_are_of_now_until_the_next_open(
    end: dt.date | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moment = 10_000.0
    monkeypatch.setattr("apps.market_data_service.feed.time", Clock(lambda: moment))
    client = redis.asyncio.from_url("unix:///nowhere/redis.sock")
    feed = Feed(replay(end), "crash-2020.csv", Database("postgresql://nowhere", ""), client)
    point = ReplayPoint(START, 11.0, 9_990.0)
    assert await feed.play(point) == point

    moment -= 3600.0
    back = await feed.play(point)
    moment += 0.5
    later = await feed.play(back)

    assert [back.last_tick, later.last_tick] == [6_400.0, 6_400.0]
    assert feed.state is not None
    assert feed.state.latest == moment
    assert feed.point == later  # it is stored
    assert [text for record in caplog.records if "clock" in (text := record.getMessage())] == [
        "the clock of this machine went back: the last tick was 3590.0 s ahead, it is of now"
    ]


@pytest.mark.parametrize(
    ("file", "clock", "sentence"),
    [
        ("calm-2017.csv", replay(), "REPLAY_FILE=crash-2020.csv REPLAY_START=2020-03-09, now they are calm-2017.csv"),
        ("crash-2020.csv", Replay(CRASH, NEXT, None, 12), "now they are crash-2020.csv and 2020-03-10"),
    ],
)
async def test_a_stored_point_of_another_replay_is_refused(
    database_url: str, file: str, clock: Replay, sentence: str
) -> None:
    async with database_at(database_url) as database:
        assert await storage.load(database, "crash-2020.csv", replay()) == ReplayPoint(START, 0.0, 0.0)
        await storage.store(database, ReplayPoint(NEXT, 3.5, 7.25))
        assert await storage.load(database, "crash-2020.csv", replay()) == ReplayPoint(NEXT, 3.5, 7.25)

        with pytest.raises(storage.MadeWithOtherData) as refusal:
            await storage.load(database, file, clock)
        assert sentence in str(refusal.value)
        assert "`make clean-data`" in str(refusal.value)

        with pytest.raises(storage.MadeWithOtherData, match="past REPLAY_END=2020-03-09"):
            await storage.load(database, "crash-2020.csv", replay(end=START))


def changed(path: Path) -> Replay:
    """A replay of the same name and start, in whose file one close is another."""
    path.write_text((DATA / "crash-2020.csv").read_text().replace("\n2020-03-12,", "\n2020-03-12,1", 1))
    return Replay(read_closes(path), START, None, 12)


def without(path: Path, date: dt.date) -> Replay:
    """A replay whose file does not have that date."""
    lines = (DATA / "crash-2020.csv").read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(date.isoformat())))
    return Replay(read_closes(path), START, None, 12)


OTHER_CLOSES = "^REPLAY_FILE=crash-2020.csv has other closes than those .*: put the earlier file back, or"


@pytest.mark.parametrize("make", [changed, lambda path: without(path, NEXT)])
async def test_a_file_that_changed_under_its_name_is_refused(
    database_url: str, tmp_path: Path, make: Callable[[Path], Replay]
) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        await storage.store(database, ReplayPoint(NEXT, 3.5, 7.25))

        with pytest.raises(storage.MadeWithOtherData, match=OTHER_CLOSES):
            await storage.load(database, "crash-2020.csv", make(tmp_path / "crash-2020.csv"))
        assert await storage.load(database, "crash-2020.csv", replay()) == ReplayPoint(NEXT, 3.5, 7.25)


async def test_a_file_in_another_form_has_the_same_closes(database_url: str, tmp_path: Path) -> None:
    lines = (DATA / "crash-2020.csv").read_text().splitlines()
    file = tmp_path / "crash-2020.csv"
    file.write_text("\r\n".join([lines[0], *(f"{line}0" if "." in line[-4:] else line for line in lines[1:])]))
    assert file.read_text() != (DATA / "crash-2020.csv").read_text()

    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        assert await storage.load(database, file.name, Replay(read_closes(file), START, None, 12)) == replay().first()


async def test_data_without_a_hash_take_that_of_a_file_that_has_their_date(database_url: str, tmp_path: Path) -> None:
    async with database_at(database_url) as database:
        await storage.load(database, "crash-2020.csv", replay())
        await storage.store(database, ReplayPoint(NEXT, 3.5, 7.25))
        async with database.connection() as connection:
            await connection.execute("ALTER TABLE market_data.replay DROP COLUMN closes")
            await connection.execute(SCHEMA)
        with pytest.raises(storage.MadeWithOtherData, match=OTHER_CLOSES):
            await storage.load(database, "crash-2020.csv", without(tmp_path / "crash-2020.csv", NEXT))

        assert await storage.load(database, "crash-2020.csv", replay()) == ReplayPoint(NEXT, 3.5, 7.25)
        with pytest.raises(storage.MadeWithOtherData, match=OTHER_CLOSES):
            await storage.load(database, "crash-2020.csv", changed(tmp_path / "crash-2020.csv"))


def test_decimal_prices_stay_decimal() -> None:
    assert all(isinstance(price, Decimal) for price in replay().prices(ReplayPoint(START, 1.0, 0.0)).values())
