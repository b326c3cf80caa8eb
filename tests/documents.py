"""The commands, code blocks and settings in the documents."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(file for part in ("docs", "apps", "telemetry") for file in (ROOT / part).rglob("*.md"))]
)


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """Every command of the shell blocks; one that goes on after a backslash is one."""
    text = "".join(blocks(document, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))
