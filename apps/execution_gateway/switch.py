"""The kill switch: a trip is stored by us and halts the venue, and both are repeated until they are done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from apps.catalogue import circuit_breaker_state
from apps.database import Database
from apps.execution_gateway import commands, ledger, waiting
from apps.execution_gateway.book import Book, Breaker
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.duties import Wake, WatchedDuty
from apps.execution_gateway.waiting import answered, succeeded
from apps.execution_gateway.writer import Request, Writer
from apps.vocabulary import BreakerState

UNREAD_SECONDS = 5.0
"""The breaker counts as unread if it could not be read for this long. A single slow answer is no outage."""


@dataclass(frozen=True, slots=True)
class TripReport:
    """What a trip has reached so far. The desk refuses orders that add risk in any case, and repeats the rest."""

    breaker: Breaker
    stored: bool
    venue_halted: bool


class KillSwitch:
    """The circuit breaker and the halt of the venue.

    `lost` says whether a loss over the limit must trip the breaker and has not done so yet. `reading` is the duty of
    reading the breaker.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        writer: Writer,
        reading: WatchedDuty,
        lost: Callable[[Book], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._broker = broker
        self._writer = writer
        self._reading = reading
        self._lost = lost
        self._now = now
        self._trip: Callable[[Draft], Breaker] | None = None
        """The last trip that a person asked for, until it is stored."""
        self._request: Request[Breaker] | None = None
        self._resume = False
        self._progress = asyncio.Event()
        self.venue_halted: bool | None = None
        """What the venue has confirmed in this process. None: it was not asked yet."""
        self.wake = Wake()
        """Wakes the duty of halting."""

    @property
    def halting(self) -> bool:
        """Whether a trip was asked for, or is due for a loss, and is not stored yet."""
        book = self._writer.book
        return self._trip is not None or (book is not None and self._lost(book))

    @property
    def agreed(self) -> bool:
        """Whether the venue has confirmed what the breaker demands, and that is stored."""
        book = self._writer.opened
        return book.halt.confirmed is (book.tripped or self.halting) and not self._resume

    @property
    def unread(self) -> bool:
        """Whether the breaker cannot be read. Another process may have tripped it."""
        refused = self._reading.error is not None and not isinstance(self._reading.error, TimeoutError)
        return refused or self._reading.age > UNREAD_SECONDS

    async def trip(self, reason: str, by: str) -> TripReport:
        """Trips the breaker: from now on orders that add risk are refused. Returns what is done within some seconds."""
        trip = self._trip = partial(commands.trip, reason=reason, by=by, at=self._now())
        request = self._request = self._ask(trip)
        self.show()
        self.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(waiting.ANSWER_SECONDS):
                await asyncio.wait([request.done])
                while self.venue_halted is not True:
                    await self._progress.wait()
        if succeeded(request.done):
            return TripReport(request.done.result(), True, self.venue_halted is True)
        return TripReport(Breaker(BreakerState.TRIPPED, reason, by), False, self.venue_halted is True)

    async def reset(self, reason: str, by: str) -> Breaker:
        """Opens the breaker again, so that trading is allowed. Raises `Busy` or `NotStoredYet`."""
        before = self._trip
        breaker = await answered(self._writer, partial(commands.reset, reason=reason, by=by, at=self._now()))
        if self._trip is before:  # it was asked for before this reset, and could not be stored
            self._trip = None
        self._resume = True
        self.wake()
        return breaker

    async def halt(self) -> None:
        """Has the venue halted while the breaker is tripped, and resumed after a reset. Repeats until it confirms."""
        self._repeat_trip()
        book = self._writer.opened
        if book.tripped or self.halting:
            self._resume = False
            if self.venue_halted is not True or not book.halt.confirmed:
                self._confirm(True, await self._broker.halt())
        elif self._resume or self.venue_halted or book.halt.confirmed:
            # Not a halt that only the venue knows of: somebody halted it, and could not tell us.
            await self.read()  # another process may have tripped the breaker
            if self._writer.trusted and not self.halting:
                self._confirm(False, await self._broker.resume())
                self._resume = False

    def _confirm(self, halted: bool, seq: int) -> None:
        self.venue_halted = halted
        self.progressed()
        self._writer.ask_once("halt", partial(commands.confirm_halt, halted=halted, seq=seq), first=True)

    def _ask(self, trip: Callable[[Draft], Breaker]) -> Request[Breaker]:
        def stored(done: asyncio.Future[Breaker]) -> None:
            if self._trip is trip and succeeded(done):
                self._trip = None

        request = self._writer.ask(trip, first=True)
        request.done.add_done_callback(stored)
        return request

    def _repeat_trip(self) -> None:
        """Asks again for a trip that could not be stored."""
        if self._trip is not None and (self._request is None or self._request.done.done()):
            self._request = self._ask(self._trip)

    async def read(self) -> None:
        """Reads the breaker, and notices when another process has changed the book."""
        before = self._writer.opened
        self.show()
        async with self._database.connection() as connection:
            present = await ledger.read_present(connection)
        if not self._writer.is_known(present, before):
            self._writer.distrust()

    def show(self) -> None:
        """Sets the gauge. It goes while the breaker cannot be read, unless it is known to be tripped."""
        book = self._writer.book
        if book is None:
            return
        if book.tripped or self.halting:
            circuit_breaker_state.set(1)
        elif self.unread:
            circuit_breaker_state.remove()
        else:
            circuit_breaker_state.set(0)

    def book_changed(self, anew: bool) -> None:
        """After each commit. `anew`: the book was read, and another process may have told the venue other things."""
        if anew:
            self.venue_halted = None
        self.show()
        self.wake()
        self.progressed()

    def progressed(self) -> None:
        """Wakes those that wait for the book or the venue to change."""
        self._progress.set()
        self._progress = asyncio.Event()

    async def opened(self) -> None:
        """Waits until the book has been read."""
        while self._writer.book is None:
            await self._progress.wait()
