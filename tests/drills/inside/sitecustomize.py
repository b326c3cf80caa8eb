"""Faults inside a service that no process, lock or network can bring about from outside. Signals ask for them.

Python runs this by itself, at the start of each process that has this folder in PYTHONPATH.

SIGUSR1 has the main thread, where the event loop runs, wait for 0.6 s.
SIGUSR2 has the feed of the market data service do what the file says that is named after the process: `cut` is a feed
that delivers nothing, `silent AAPL KO` one on which these symbols do not tick, and an empty file a feed in order.
The file is removed when that is so.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any


def block(*_: object) -> None:
    time.sleep(0.6)


def disturb_the_feed(*_: object) -> None:
    file = Path(tempfile.gettempdir()) / f"drill-{os.getpid()}"
    fault, *symbols = file.read_text().split() or [""]
    feed = sys.modules["apps.market_data_service.feed"].Feed
    restore(feed)
    if fault == "cut":
        cut(feed)
    elif fault == "silent":
        silence(feed, set(symbols))
    file.unlink()


def restore(feed: Any) -> None:
    for name, method in getattr(feed, "as_it_was", {}).items():
        setattr(feed, name, method)


def change(feed: Any, **methods: Any) -> None:
    feed.as_it_was = {name: getattr(feed, name) for name in methods}
    for name, method in methods.items():
        setattr(feed, name, method)


def cut(feed: Any) -> None:
    play = feed.play

    async def wait(self: Any, point: Any) -> Any:
        while type(self).play is wait:  # noqa: ASYNC110  # what ends it is a signal handler, which knows no loop
            await asyncio.sleep(0.05)
        return await play(self, point)

    change(feed, play=wait)


def silence(feed: Any, symbols: set[str]) -> None:
    """What they had last stays in the state, as their last quote does at any feed. It is not counted as a tick."""
    state_at, record = feed._state_at, feed._record

    def with_old_quotes(self: Any, *point: Any) -> Any:
        state = state_at(self, *point)
        return replace(state, quotes=state.quotes | {symbol: self.state.quotes[symbol] for symbol in symbols})

    def only_ticks(self: Any, state: Any) -> None:
        record(self, replace(state, quotes={s: quote for s, quote in state.quotes.items() if s not in symbols}))

    change(feed, _state_at=with_old_quotes, _record=only_ticks)


signal.signal(signal.SIGUSR1, block)
signal.signal(signal.SIGUSR2, disturb_the_feed)
