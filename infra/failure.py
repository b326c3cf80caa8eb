"""A failure that is shown at the terminal as one sentence, without a traceback."""

from __future__ import annotations

from pathlib import Path


class Failure(Exception):
    """What went wrong and what to do about it."""


def last_lines(log: Path, lines: int = 15) -> str:
    """The end of a log, indented, for a message that names the file before."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "  (there is no such file)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (it is empty)"
