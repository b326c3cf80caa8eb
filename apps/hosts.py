"""The host names that a service answers to. Settings read them, and must not load FastAPI."""

from __future__ import annotations

OWN_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine for clients on this machine."""


def hosts_from(text: str) -> list[str]:
    """The host names in a text, which commas separate. Those of this machine if it names none."""
    return [name.strip() for name in text.split(",") if name.strip()] or list(OWN_HOSTS)
