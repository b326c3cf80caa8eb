"""Places orders: checks and stores them, sends them to the venue, and counts each placement exactly once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import asyncpg

from apps.background import described
from apps.catalogue import order_placement_duration_seconds, order_rejections_total, orders_placed_total, orders_total
from apps.database import UNAVAILABLE, Connection, Database, Unavailable
from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.errors import ClientOrderIdConflict, Failed, OrderError, OutcomeUnknown, Rejected
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.risk import check
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.vocabulary import BreakerState, OrderStatus, PlacementStatus, Rejection

logger = logging.getLogger(__name__)


class Placement:
    """Takes an order from its arrival to the venue, and resolves placements that were interrupted."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        fills: Fills,
        settings: Settings,
        market: Callable[[], MarketState | None],
        last_holdings: Callable[[], Holdings | None],
    ) -> None:
        self._database = database
        self._broker = broker
        self._fills = fills
        self._settings = settings
        self._market = market
        self._last_holdings = last_holdings
        self._sending: set[UUID] = set()
        """Orders that `place` is working on now. `resolve_pending` must not touch them."""
        self._abandoned: set[UUID] = set()
        """Orders that the client was told have failed. PostgreSQL or the venue may still have them as open."""
        self._accepted: set[UUID] = set()
        """Orders that the client was told are accepted. In PostgreSQL they are still pending."""

    async def place(self, request: OrderRequest) -> tuple[Order, bool]:
        """Returns the order, and whether it is new. With a known client_order_id it is the first order with that id.

        Raises an `OrderError`: `Rejected`, `ClientOrderIdConflict`, `OutcomeUnknown` or `Failed`.
        """
        labels = {"symbol": request.symbol, "side": request.side}
        with order_placement_duration_seconds.time(labels):
            try:
                order, new = await self._place(request)
            except Rejected as refusal:
                orders_total.add(1, {**labels, "status": PlacementStatus.REJECTED})
                order_rejections_total.add(1, {"reason": refusal.reason})
                raise
            except OrderError:  # this error is about an earlier order, which was counted before
                raise
            except BaseException as error:
                orders_total.add(1, {**labels, "status": PlacementStatus.FAILED})
                if not isinstance(error, Exception):
                    raise
                away = isinstance(error, (Unavailable, *UNAVAILABLE))
                logger.error("an order for %s failed: %s", request.symbol, described(error), exc_info=not away)
                raise Failed(f"{type(error).__name__}: the order could not be placed") from error
            if new:
                _count_accepted(order)
            return order, new

    async def _place(self, request: OrderRequest) -> tuple[Order, bool]:
        order_id = uuid4()
        self._sending.add(order_id)
        try:
            order, new = await self._admit(request, order_id)
            return (await self._send(order), True) if new else (order, False)
        except OrderError:
            raise
        except BaseException:
            # The venue may have the order. But the client is told that it failed, so it must not be filled later.
            self._abandoned.add(order_id)
            raise
        finally:
            self._sending.discard(order_id)

    async def _admit(self, request: OrderRequest, order_id: UUID) -> tuple[Order, bool]:
        try:
            async with self._database.transaction() as connection:
                # Only one order at a time, because two orders may each be small enough for the cash, but not both.
                await ledger.lock_account(connection)
                first = await self._first_of(connection, request)
                if first is not None:
                    return first, False
                order, refusal = await self._check_and_store(connection, request, order_id)
        except (Unavailable, *UNAVAILABLE) as error:
            holdings = self._last_holdings()
            if holdings is None or holdings.adds_risk(request.symbol, request.side, request.qty):
                self._abandoned.add(order_id)  # the commit may have succeeded
                raise Rejected(
                    Rejection.BREAKER_UNKNOWN, "the circuit breaker cannot be read, and the order adds risk"
                ) from error
            raise
        if refusal is not None:
            raise refusal
        return order, True

    async def _first_of(self, connection: Connection, request: OrderRequest) -> Order | None:
        """The earlier order with the same client_order_id, or None."""
        if request.client_order_id is None:
            return None
        first = await ledger.find_by_client_order_id(connection, request.client_order_id)
        if first is None:
            return None
        if not _is_same(first, request):
            raise ClientOrderIdConflict(f"client_order_id {request.client_order_id!r} belongs to another order")
        if first.status is OrderStatus.PENDING and first.id not in self._sending | self._accepted:
            raise OutcomeUnknown(f"the outcome of the order {request.client_order_id!r} is not known yet, ask again")
        return first

    async def _check_and_store(
        self, connection: Connection, request: OrderRequest, order_id: UUID
    ) -> tuple[Order, Rejected | None]:
        """Stores the order, and returns it with the refusal, if any. Raising it would roll back the transaction."""
        market = self._market()
        refusal, arrival_price = None, None
        holdings, tripped = await ledger.read_holdings(connection), await _read_breaker(connection)
        try:
            arrival_price = check(request, holdings, market, time.time(), tripped, self._settings)
        except Rejected as refused:
            refusal = refused
        order = await ledger.insert_order(
            connection,
            order_id,
            request,
            OrderStatus.PENDING if refusal is None else OrderStatus.REJECTED,
            arrival_price=arrival_price,
            trading_date=None if market is None else market.trading_date,
            reason=None if refusal is None else refusal.reason,
        )
        return order, refusal

    async def _send(self, order: Order) -> Order:
        try:
            await self._broker.submit(order)
        except VenueRejected as refusal:
            async with self._database.connection() as connection:
                await ledger.set_status(
                    connection,
                    order.id,
                    OrderStatus.REJECTED,
                    only_from=(OrderStatus.PENDING,),
                    reason=Rejection.VENUE_REJECTED,
                )
            raise Rejected(Rejection.VENUE_REJECTED, str(refusal)) from refusal
        try:
            async with self._database.connection() as connection:
                await ledger.set_status(connection, order.id, OrderStatus.ACCEPTED, only_from=(OrderStatus.PENDING,))
            await self._fills.book()
            async with self._database.connection() as connection:
                return await ledger.find_order(connection, order.id) or order
        except Exception as error:  # the venue has the order, so it is accepted; `Desk.catch_up` does the rest
            logger.warning("order %s is accepted, but could not be booked yet: %s", order.id, described(error))
            self._accepted.add(order.id)
            return order.model_copy(update={"status": OrderStatus.ACCEPTED})

    async def resolve_pending(self) -> None:
        """Ends placements that an error or a crash interrupted. Those that a crash interrupted are counted here."""
        for order_id in list(self._abandoned):
            await self._broker.cancel(order_id)
            async with self._database.connection() as connection:
                await ledger.set_status(connection, order_id, OrderStatus.FAILED, only_from=(OrderStatus.PENDING,))
            self._abandoned.discard(order_id)
        async with self._database.connection() as connection:
            waiting = await ledger.find_orders(connection, open_only=True)
        for order in waiting:
            if order.status is OrderStatus.PENDING and order.id not in self._sending | self._abandoned:
                await self._resolve(order)

    async def _resolve(self, order: Order) -> None:
        known = await self._broker.knows(order.id)
        status = OrderStatus.ACCEPTED if known else OrderStatus.FAILED
        async with self._database.connection() as connection:
            changed = await ledger.set_status(connection, order.id, status, only_from=(OrderStatus.PENDING,))
        if not changed:
            return
        if order.id in self._accepted:
            self._accepted.discard(order.id)
            return
        logger.warning("the placement of order %s was interrupted, its status is now %s", order.id, status)
        if known:
            _count_accepted(order)
        else:
            labels = {"symbol": order.symbol, "side": order.side}
            orders_total.add(1, {**labels, "status": PlacementStatus.FAILED})


def _count_accepted(order: Order) -> None:
    labels = {"symbol": order.symbol, "side": order.side}
    orders_total.add(1, {**labels, "status": PlacementStatus.SUCCESS})
    orders_placed_total.add(1, labels)


async def _read_breaker(connection: Connection) -> bool | None:
    """Whether the breaker is tripped. None if only the breaker cannot be read, and the rest of the database can."""
    try:
        async with connection.transaction():
            return (await breaker.read(connection)).state is BreakerState.TRIPPED
    except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, ValueError, TimeoutError) as error:
        logger.error("the circuit breaker cannot be read: %s", described(error))
        return None


def _is_same(order: Order, request: OrderRequest) -> bool:
    return (order.symbol, order.side, order.qty, order.order_type, order.limit_price) == (
        request.symbol,
        request.side,
        request.qty,
        request.order_type,
        request.limit_price,
    )
