"""The journal of pages: an append-only file. Each page is on disk before its sender gets an answer."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from infra.pager.pages import Notification, Page

logger = logging.getLogger(__name__)


class Unreadable(Exception):
    """A page that could not be read again at the next start."""


class Journal:
    """The pages in memory, and their file."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "pages.jsonl"
        self._now = now
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._pages = self._read(path)
        logger.info("%d pages are in %s", len(self._pages), path)

    def add(self, notification: Notification) -> Page:
        """Writes a page. Raises `Unreadable`, and writes nothing, if it could not be read again."""
        with self._lock:
            moment = self._now()
            if self._pages and moment <= self._pages[-1].received_at:
                # Times must rise, also when the clock is set back: readers ask for what came after the last page.
                moment = math.nextafter(self._pages[-1].received_at, math.inf)
            page = Page(received_at=moment, **dict(notification))
            self._write(_line(page))
            self._pages.append(page)
            names = ", ".join(sorted({alert.name for alert in page.alerts})) or "alerts that cannot be read"
            logger.info("page %d by %s, %s: %s", len(self._pages), page.channel, page.status, names)
            return page

    def since(self, moment: float = 0.0) -> list[Page]:
        with self._lock:
            return [page for page in self._pages if page.received_at > moment]

    def last(self, channel: str) -> Page | None:
        with self._lock:
            return next((page for page in reversed(self._pages) if page.channel == channel), None)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes of a page could be written")
            os.fsync(self._file)
        except OSError:
            # Half a line would spoil the next line. The sender gets a 500 and tries again.
            os.ftruncate(self._file, size)
            raise

    def _read(self, path: Path) -> list[Page]:
        pages: list[Page] = []
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            logger.warning("%s: the last line is cut short, its %d bytes are left out", path, len(content) - whole)
            os.ftruncate(self._file, whole)
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                pages.append(Page.model_validate_json(line))
            except ValidationError as error:
                logger.warning("%s: line %d is not a page and is left out: %s", path, number, error.errors()[0]["msg"])
        return pages


def _line(page: Page) -> bytes:
    try:
        line = page.model_dump_json().encode()
        # Pydantic reads less nesting than it writes.
        Page.model_validate_json(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable from error
    return line + b"\n"
