"""The file descriptors of a service: each open connection needs one, also one on which no request ever ends."""

from __future__ import annotations

import resource
from contextlib import suppress

MOST = 8_192
"""With more, a container's 256 MiB would end first: a connection takes 4 KiB, and up to 16 KiB for half a request."""


def raise_limit() -> None:
    """Raises the soft limit of this process to the hard one, at most to `MOST`. A higher one stays.

    Many systems have a soft limit of 1024, for old programs that use select(). Where the system refuses, it stays, and
    `process_max_fds` says what it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
