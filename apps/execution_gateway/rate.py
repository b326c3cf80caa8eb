"""The risk check on how many orders a client sends. It comes first, so that a program that runs away costs little."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NoReturn

from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.models import OrderRequest
from apps.execution_gateway.recording import record_refusal
from apps.execution_gateway.settings import Settings
from apps.vocabulary import Rejection

logger = logging.getLogger(__name__)

MINUTE = 60.0
CLIENTS = 100
"""How many clients of the last minute are told apart. Further ones count as one client, so that memory is bounded."""
FURTHER = "further clients"


class OrderRate:
    """The orders of the last minute, by client. Nothing is stored in PostgreSQL.

    A client is the address that its connection comes from. Orders carry no other identity: a client_order_id is a name
    of one order, and a program that runs away may make a new one for each. So programs on one machine share a limit.

    Every new order counts, whatever becomes of it, also one that lowers risk: venues count messages, not positions, and
    a program that sells in a loop has run away as well. One that is refused here counts, too. Otherwise a loop would
    get the limit's worth of orders through in every minute; so it gets none until it is slower. Cancellations are
    neither limited nor counted.
    """

    def __init__(self, limits: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._windows = (
            (limits.order_rate_limit_per_second, 1.0, "second"),
            (limits.order_rate_limit_per_minute, MINUTE, "minute"),
        )
        self._kept = max(limit for limit, _, _ in self._windows)
        self._arrivals: dict[str, deque[float]] = {}
        self._refused: set[str] = set()
        """The clients whose last order was refused."""

    def check(self, order: OrderRequest, client: str) -> None:
        """Counts an order of this client. If it is one too many, records that and raises `Rejected`."""
        try:
            self._check(client, self._now())
        except Rejected as refusal:
            record_refusal(order, refusal.reason)
            raise

    def _check(self, client: str, now: float) -> None:
        client = self._known(client, now)
        arrivals = self._arrivals[client]
        arrivals.append(now)
        for limit, seconds, name in self._windows:
            if len(arrivals) > limit and now - arrivals[-1 - limit] < seconds:
                self._refuse(client, f"a client may send {limit} orders a {name}", self._wait(arrivals, now))
        self._refused.discard(client)

    def _wait(self, arrivals: Sequence[float], now: float) -> float:
        """For how many seconds the client must send nothing until its next order is taken."""
        return max(arrivals[-limit] + seconds - now for limit, seconds, _ in self._windows if len(arrivals) >= limit)

    def _refuse(self, client: str, rule: str, wait: float) -> NoReturn:
        if client not in self._refused:
            self._refused.add(client)
            # The address of a machine: without it nobody finds the program that has run away.
            logger.warning("orders from %s are refused until it sends fewer: %s", client, rule)
        raise Rejected(Rejection.ORDER_RATE_LIMIT, f"{rule}; nothing was taken, send it again later", wait)

    def _known(self, client: str, now: float) -> str:
        """The client as which it is counted. Forgets those that have been quiet for a minute when there is no room."""
        if client not in self._arrivals and len(self._arrivals) >= CLIENTS:
            for quiet in [one for one, arrivals in self._arrivals.items() if now - arrivals[-1] >= MINUTE]:
                del self._arrivals[quiet]
                self._refused.discard(quiet)
            if len(self._arrivals) >= CLIENTS:
                client = FURTHER
        self._arrivals.setdefault(client, deque(maxlen=self._kept + 1))
        return client
