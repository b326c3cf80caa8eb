"""How much memory this process may use before the system ends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def limit_bytes(membership: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The least limit of its control groups, or the memory of the machine if that is less. None: the system tells none.

    `membership` is the file that names the control groups of the process, and `groups` is where they are mounted.
    """
    limits = [*_machine(), *_control_groups(membership, groups)]
    return min(limits, default=None)


def _machine() -> Iterator[int]:
    with suppress(AttributeError, OSError, ValueError):  # as other systems answer
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _control_groups(membership: Path, groups: Path) -> Iterator[int]:
    try:
        lines = membership.read_text().splitlines()
        found = [(controllers, path) for _, controllers, path in (line.split(":", 2) for line in lines)]
    except (OSError, ValueError):
        return
    for controllers, path in found:
        if controllers == "":
            mounted, file = groups, "memory.max"
        elif "memory" in controllers.split(","):
            mounted, file = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A group has the limits of those above it, too. A container may see only its own group, as the topmost one.
        own = PurePosixPath(path.lstrip("/"))
        for group in (own, *own.parents):
            with suppress(OSError, ValueError):  # there is no such group here, or its limit is "max"
                yield int((mounted / group / file).read_text())
