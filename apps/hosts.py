"""The host names that a service answers to. Settings read them, and must not load FastAPI."""

from __future__ import annotations

import os
import re

OWN_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine for clients on this machine."""


_NAME = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")


def hosts_from(text: str) -> list[str]:
    """The host names in a text, which commas separate. Those of this machine if it names none.

    `*` is every name, `*.example.com` every name below it. Raises ValueError for what is no name.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a host name: write names like gateway or *.example.com, without ports")
    return names or list(OWN_HOSTS)


def allowed_hosts() -> list[str]:
    """The host names in ALLOWED_HOSTS. If one is wrong, ends the process with a sentence that says so."""
    try:
        return hosts_from(os.environ.get("ALLOWED_HOSTS", ""))
    except ValueError as wrong:
        raise SystemExit(f"ALLOWED_HOSTS: {wrong}") from None
