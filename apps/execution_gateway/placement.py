"""Places orders: admitted in one transaction, taken by the venue, and every one counted exactly once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import asyncpg

from apps.catalogue import (
    PlacementStatus,
    Rejection,
    order_placement_duration_seconds,
    order_rejections_total,
    orders_placed_total,
    orders_total,
)
from apps.database import UNAVAILABLE, Connection, Database, Unavailable
from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.models import Order, OrderRequest, OrderStatus
from apps.execution_gateway.risk import Holdings, Rejected, check
from apps.execution_gateway.settings import Settings
from apps.market import MarketState

logger = logging.getLogger(__name__)


class OtherOrder(Exception):
    """The client_order_id was used for an order with other content."""


class NotSettled(Exception):
    """The same order was cut off before; in a moment it is known whether the venue has it."""


class Failed(Exception):
    """An error of ours: the order was not taken, as far as we know."""


class Placement:
    """The way of an order from its arrival to the venue."""

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
        """On their way in this process: `settle` leaves them alone."""
        self._abandoned: set[UUID] = set()
        """Failed, as the client heard; PostgreSQL or the venue may not know."""
        self._accepted: set[UUID] = set()
        """Accepted, as the client heard, and still pending in PostgreSQL."""

    async def place(self, request: OrderRequest) -> tuple[Order, bool]:
        """The order, and whether it is new: the same client_order_id again answers with the first order.

        Raises `Rejected`, `OtherOrder`, `NotSettled` or `Failed`.
        """
        labels = {"symbol": request.symbol, "side": request.side}
        with order_placement_duration_seconds.time(labels):
            try:
                order, new = await self._place(request)
            except Rejected as refusal:
                orders_total.add(1, {**labels, "status": PlacementStatus.REJECTED})
                order_rejections_total.add(1, {"reason": refusal.reason})
                raise
            except (OtherOrder, NotSettled):
                raise
            except BaseException as error:
                orders_total.add(1, {**labels, "status": PlacementStatus.FAILED})
                if not isinstance(error, Exception):
                    raise
                logger.exception("an order for %s failed", request.symbol)
                raise Failed(f"{type(error).__name__}: the order could not be placed") from error
            if new:
                _count_accepted(order)
            return order, new

    async def _place(self, request: OrderRequest) -> tuple[Order, bool]:
        order_id = uuid4()
        self._sending.add(order_id)
        try:
            admitted = await self._admit_or_refuse(request, order_id)
            if isinstance(admitted, Rejected):
                raise admitted
            order, new = admitted
            return (await self._send(order), True) if new else (order, False)
        except (Rejected, OtherOrder, NotSettled):
            raise
        except BaseException:
            # Whether the venue has it is not known, and the client hears that it failed: it must not fill later on.
            self._abandoned.add(order_id)
            raise
        finally:
            self._sending.discard(order_id)

    async def _admit_or_refuse(self, request: OrderRequest, order_id: UUID) -> tuple[Order, bool] | Rejected:
        try:
            async with self._database.transaction() as connection:
                return await self._admit(connection, request, order_id)
        except (Unavailable, *UNAVAILABLE) as error:
            holdings = self._last_holdings()
            if holdings is None or holdings.adds_risk(request.symbol, request.side, request.qty):
                self._abandoned.add(order_id)  # the commit may have got through
                raise Rejected(
                    Rejection.BREAKER_UNKNOWN, "the circuit breaker cannot be read, and the order adds risk"
                ) from error
            raise

    async def _admit(
        self, connection: Connection, request: OrderRequest, order_id: UUID
    ) -> tuple[Order, bool] | Rejected:
        # One order after the other: two that fit the cash one by one may not fit it together.
        await ledger.lock_account(connection)
        if request.client_order_id is not None:
            first = await ledger.find_by_client_order_id(connection, request.client_order_id)
            if first is not None:
                if not _is_same(first, request):
                    raise OtherOrder(f"client_order_id {request.client_order_id!r} belongs to another order")
                if first.status is OrderStatus.PENDING and first.id not in self._sending | self._accepted:
                    raise NotSettled(
                        f"what became of the order {request.client_order_id!r} is not known yet, ask again"
                    )
                return first, False
        market = self._market()
        trading_date = None if market is None else market.trading_date
        try:
            arrival_price = check(
                request,
                await ledger.read_holdings(connection),
                market,
                time.time(),
                await _read_breaker(connection),
                self._settings,
            )
        except Rejected as refusal:
            await ledger.insert_order(
                connection,
                order_id,
                request,
                OrderStatus.REJECTED,
                trading_date=trading_date,
                reason=refusal.reason,
            )
            return refusal
        order = await ledger.insert_order(
            connection, order_id, request, OrderStatus.PENDING, arrival_price=arrival_price, trading_date=trading_date
        )
        return order, True

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
        except Exception as error:  # the venue has it, so it is accepted; `settle` books the rest
            logger.warning("order %s is accepted, booking it waits: %s: %s", order.id, type(error).__name__, error)
            self._accepted.add(order.id)
            return order.model_copy(update={"status": OrderStatus.ACCEPTED})

    async def settle(self) -> None:
        """Ends what was left half-done, by an error or by a crash. A placement that a crash cut off is counted here."""
        for order_id in list(self._abandoned):
            await self._broker.cancel(order_id)
            async with self._database.connection() as connection:
                await ledger.set_status(connection, order_id, OrderStatus.FAILED, only_from=(OrderStatus.PENDING,))
            self._abandoned.discard(order_id)
        async with self._database.connection() as connection:
            waiting = await ledger.find_orders(connection, open_only=True)
        for order in waiting:
            if order.status is OrderStatus.PENDING and order.id not in self._sending | self._abandoned:
                await self._settle(order)

    async def _settle(self, order: Order) -> None:
        known = await self._broker.knows(order.id)
        status = OrderStatus.ACCEPTED if known else OrderStatus.FAILED
        async with self._database.connection() as connection:
            changed = await ledger.set_status(connection, order.id, status, only_from=(OrderStatus.PENDING,))
        if not changed:
            return
        if order.id in self._accepted:
            self._accepted.discard(order.id)
            return
        logger.warning("order %s was cut off: %s", order.id, status)
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
    """Whether it is tripped; None when it cannot be read while the rest of the database can."""
    try:
        async with connection.transaction():
            return (await breaker.read(connection)).state is breaker.BreakerState.TRIPPED
    except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, ValueError, TimeoutError) as error:
        logger.error("the circuit breaker cannot be read: %s: %s", type(error).__name__, error)
        return None


def _is_same(order: Order, request: OrderRequest) -> bool:
    return (order.symbol, order.side, order.qty, order.order_type, order.limit_price) == (
        request.symbol,
        request.side,
        request.qty,
        request.order_type,
        request.limit_price,
    )
