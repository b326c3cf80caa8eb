"""Says once that nothing can be sent, and once that it is sent again. The exporter would say it each time."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Sending:
    """What is known of one exporter. `what` is what it sends, such as `spans`."""

    def __init__(self, what: str, exporter: object) -> None:
        self._what = what
        self._fails = False
        logging.getLogger(type(exporter).__module__).addFilter(lambda _: not self._fails)

    def ended(self, *, well: bool) -> None:
        """Notes how one export ended."""
        if well and self._fails:
            logger.info("%s are sent again", self._what)
        elif not well and not self._fails:
            logger.warning("%s are not sent; it is tried again, and not said again", self._what)
        self._fails = not well
