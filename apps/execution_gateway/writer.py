"""The only writer of the book: applies commands to it in batches, and stores each batch as the next version.

A batch whose outcome is unknown is stored again until PostgreSQL says what became of it. That is safe, because the
first statement fits only the version before it: a second attempt waits for the first, and then changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import asyncpg

import telemetry
from apps.background import AWAY
from apps.database import Connection, Database
from apps.execution_gateway import ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.models import OPEN, Order
from apps.execution_gateway.recording import record
from apps.execution_gateway.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 100
"""The most commands in one commit."""

# PostgreSQL says with these that a command can never be stored. Its other errors may pass: a read-only server, say.
_POISON = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.SyntaxOrAccessError,
    asyncpg.FeatureNotSupportedError,
)


class NotOpened(Exception):
    """The book has not been read from PostgreSQL since the start."""


class _Unstorable(Exception):
    """A statement failed for what is in the batch. Its cause says why. Nothing of the batch is stored."""


@dataclass(eq=False, slots=True)
class Request(Generic[T]):
    """A command on its way. `client_order_id` names an earlier order that the command must know, if there is one."""

    command: Callable[[Draft], T]
    done: asyncio.Future[T]
    client_order_id: str | None = None
    cause: telemetry.Cause | None = None
    """The request of a client that it serves, in a trace."""
    taken: bool = False
    """Whether the writer works on it. From then on it cannot be taken back."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """A batch that was applied to a version of the book, and waits to be stored."""

    id: UUID
    before: Book
    draft: Draft
    answers: list[tuple[Request[Any], Any, BaseException | None]] = field(default_factory=list)


class Writer:
    """Owns the book. `book` is always what the last commit left."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        changed: Callable[[Book, Mapping[UUID, Order] | None], None] = lambda *_: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`changed` is called with each new book and the orders that it changed, or None when it was read anew."""
        self._database = database
        self.settings = settings
        self._changed = changed
        self._now = now
        self._urgent: deque[Request[Any]] = deque()
        self._waiting: deque[Request[Any]] = deque()
        self._named: dict[str, Request[object]] = {}
        self._arrived = asyncio.Event()
        self._working: list[Request[Any]] = []
        self._applied: _Applied | None = None
        self._reload = True
        self.book: Book | None = None

    @property
    def waiting(self) -> int:
        """How many commands have not been taken yet."""
        return len(self._urgent) + len(self._waiting)

    @property
    def in_doubt(self) -> bool:
        """Whether commands are being stored, so that it is not known yet whether they are."""
        return bool(self._working)

    @property
    def trusted(self) -> bool:
        """Whether the book is the last one that is stored, as far as we know."""
        return not self._reload

    @property
    def opened(self) -> Book:
        """The book. Raises `NotOpened` before it was read for the first time."""
        if self.book is None:
            raise NotOpened
        return self.book

    def ask(
        self, command: Callable[[Draft], T], *, client_order_id: str | None = None, first: bool = False
    ) -> Request[T]:
        """Gives a command to the writer, which answers in `done` after the commit.

        With `first` it overtakes all others but those that came with `first` before it: a reset stays behind its trip.
        """
        done = asyncio.get_running_loop().create_future()
        request = Request(command, done, client_order_id, telemetry.cause())
        (self._urgent if first else self._waiting).append(request)
        self._arrived.set()
        return request

    def ask_once(self, name: str, command: Callable[[Draft], object], *, first: bool = False) -> Request[object] | None:
        """The same, unless the last command of that name is still on its way: then it returns None."""
        if self.is_asked(name):
            return None
        self._named[name] = self.ask(command, first=first)
        return self._named[name]

    def is_asked(self, name: str) -> bool:
        """Whether the last command of that name is still on its way."""
        return name in self._named and not self._named[name].done.done()

    def withdraw(self, request: Request[Any]) -> bool:
        """Takes a command back. Returns False if the writer has begun with it: then its outcome is not known."""
        if request.taken:
            return False
        (self._urgent if request in self._urgent else self._waiting).remove(request)
        request.done.cancel()
        return True

    def is_known(self, present: ledger.Present, before: Book) -> bool:
        """Whether what PostgreSQL has now is a version of ours. `before` is the book before it was asked."""
        book = self.opened
        if present.version == book.version:
            return present.breaker is book.breaker.state
        committing = self._applied is not None and self._applied.id in present.batches
        return committing or before.version <= present.version < book.version

    def distrust(self) -> None:
        """Has the book read again before the next commit, because another process may have changed it."""
        self._reload = True
        self._arrived.set()

    async def arrived(self, seconds: float) -> None:
        """Waits until there is something to do, at most that long."""
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            pass

    async def work(self) -> None:
        """Stores all that waits. Raises what prevents it; the next call goes on where this one ended."""
        await self.step()
        while self._working or self.waiting:
            await self.step()

    async def step(self) -> None:
        """Stores a batch of what waits."""
        if self._reload:
            await self._take_over()
        if not self._working:
            self._working = [(self._urgent or self._waiting).popleft() for _ in range(min(BATCH, self.waiting))]
            for request in self._working:
                request.taken = True
        if self._working:
            await self._commit(list(self._working))
        if not self._working and not self.waiting:
            self._arrived.clear()

    async def _take_over(self) -> None:
        async with self._database.transaction() as connection:
            await ledger.open_account(connection, self.settings.initial_cash)
            book, batches = await ledger.take_over(connection, self.settings)
        self._reload = False
        applied, self._applied = self._applied, None
        self.book = book
        self._changed(book, None)
        if applied is not None and applied.id in batches:
            self._settle(applied)

    async def _commit(self, batch: list[Request[Any]]) -> None:
        """Stores a batch. If one of its commands cannot be stored, that one fails alone."""
        try:
            await self._store(batch)
        except _Unstorable as unstorable:
            self._applied = None
            if len(batch) == 1:
                logger.error("a command cannot be stored: %s", unstorable.__cause__, exc_info=unstorable.__cause__)
                self._working.remove(batch[0])
                _answer([(batch[0], None, unstorable.__cause__)])
                return
            for request in batch:
                await self._commit([request])

    async def _store(self, batch: list[Request[Any]]) -> None:
        while batch[0] in self._working:
            if self._reload:
                await self._take_over()
                continue
            if self._applied is None:
                with telemetry.span("apply commands", [request.cause for request in batch]):
                    self._applied = await self._apply(batch)
            applied = self._applied
            if applied.draft.changed:
                try:
                    async with self._stored_for(batch) as connection:
                        with _statements():
                            await ledger.store(connection, applied.before.version, applied.id, applied.draft)
                except ledger.OtherBook as other:  # it was stored before, or another process has changed the book
                    logger.warning("PostgreSQL has another book than expected (%s): it is read again", other)
                    self._reload = True
                    continue
                self.book = applied.draft.finished(applied.before.version + 1, self._now())
            self._applied = None
            self._settle(applied)

    @asynccontextmanager
    async def _stored_for(self, batch: list[Request[Any]]) -> AsyncIterator[Connection]:
        """A transaction that is part of the traces of those who asked."""
        with telemetry.span("store commands", [request.cause for request in batch]):
            async with self._database.transaction() as connection:
                yield connection

    def _settle(self, applied: _Applied) -> None:
        """What was applied is stored now: answers, and records what happened. An error in that undoes nothing."""
        for request, _, _ in applied.answers:
            self._working.remove(request)
        _answer(applied.answers)
        try:
            record(applied.draft.events)
        finally:
            if applied.draft.changed:
                self._tell(applied.draft.changed_orders)

    def _tell(self, changed: Mapping[UUID, Order]) -> None:
        # As they are now: another process may have gone on with them, if the book was read again.
        present = self.opened.orders
        now = {order_id: present.get(order_id, order) for order_id, order in changed.items()}
        self._changed(self.opened, {i: one for i, one in now.items() if one.status not in OPEN or i in present})

    async def _apply(self, batch: list[Request[Any]]) -> _Applied:
        ids = [request.client_order_id for request in batch if request.client_order_id is not None]
        known: dict[str, Order] = {}
        if ids:
            async with self._database.connection() as connection:
                with _statements():
                    known = await ledger.find_known(connection, ids)
        before = self.opened
        applied = _Applied(uuid4(), before, Draft(before, self.settings, known))
        for request in batch:
            try:
                applied.answers.append((request, request.command(applied.draft), None))
            except Exception as error:  # the command's own refusal, or an error of ours: only its sender gets it
                applied.answers.append((request, None, error))
        return applied


@contextmanager
def _statements() -> Iterator[None]:
    """Around statements, not around COMMIT: an error of COMMIT never says that nothing was stored."""
    try:
        yield
    except ledger.OtherBook:
        raise
    except Exception as error:
        if _passes(error):
            raise
        raise _Unstorable from error


def _passes(error: Exception) -> bool:
    """Whether a later attempt may succeed. Everything else is the fault of a command."""
    if isinstance(error, asyncpg.PostgresError):
        return not isinstance(error, _POISON)
    return isinstance(error, AWAY)


def _answer(answers: Iterable[tuple[Request[Any], Any, BaseException | None]]) -> None:
    for request, result, error in answers:
        if request.done.done():  # its sender does not wait any more
            continue
        if error is None:
            request.done.set_result(result)
        else:
            request.done.set_exception(error)
            request.done.exception()  # nobody may be waiting: then Python must not complain
