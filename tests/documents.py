"""The commands, code blocks, names and queries in the documents."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(file for part in ("docs", "apps", "telemetry") for file in (ROOT / part).rglob("*.md"))]
)
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# PromQL beside other code: a selector, a range, or a function of PromQL.
_QUERY = re.compile(
    r"[a-z_]+\{\w+[!=]|\[\d+[smhd]\]|\b(?:sum|max|min|count|avg|topk|sort|rate|increase|absent|time) ?\((?!\))|\) by \("
)


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language, also those in a list."""
    return [text for found, text in fenced(document) if found == language]


def fenced(document: Path) -> list[tuple[str, str]]:
    """Every fenced block: its language and its text."""
    return [
        (language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in _FENCED.findall(document.read_text())
    ]


def prose(document: Path) -> str:
    """The document without its fenced blocks."""
    return _FENCED.sub("", document.read_text())


def commands(document: Path) -> list[str]:
    """Every command of the shell blocks; one that goes on after a backslash is one."""
    text = "".join(blocks(document, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def spans(document: Path) -> list[str]:
    """The code within lines."""
    return re.findall(r"`([^`]+)`", prose(document))


def queries(document: Path) -> list[str]:
    """The PromQL in blocks and within lines. A name alone is none."""
    return [*blocks(document, "promql"), *(span for span in spans(document) if _QUERY.search(span))]


def anchors(document: Path) -> list[str]:
    """What a link can name after `#`, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))
