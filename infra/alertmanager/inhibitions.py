"""Which alert mutes which, read from config.yml: one cause, one page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
CONFIG = FOLDER / "config.yml"
_MATCHER = re.compile(r'^(\w+)(=~|!=|=)"(.*)"$')


@dataclass(frozen=True)
class Pair:
    """An alert that mutes another one.

    Attributes:
        cause: The alert that mutes.
        symptom: The alert that is muted.
        only: Further matchers of both, in the words of the configuration.
        equal: The labels that both must share.
        reason: The comment above it.
    """

    cause: str
    symptom: str
    only: tuple[str, ...]
    equal: tuple[str, ...]
    reason: str


def pairs(config: Path = CONFIG) -> list[Pair]:
    """Every pair, in the order of the configuration."""
    text = config.read_text(encoding="utf-8")
    rules = yaml.safe_load(text)["inhibit_rules"]
    found = []
    for rule, reason in zip(rules, _reasons(text), strict=True):
        causes, its = _split(rule["source_matchers"])
        symptoms, theirs = _split(rule["target_matchers"])
        only = tuple(f"cause {each}" for each in its) + tuple(f"symptom {each}" for each in theirs)
        equal = tuple(rule.get("equal", ()))
        found += [Pair(cause, symptom, only, equal, reason) for cause in causes for symptom in symptoms]
    return found


def _split(matchers: list[str]) -> tuple[list[str], list[str]]:
    """The names of the alerts, and the other matchers."""
    names: list[str] = []
    others = []
    for matcher in matchers:
        label, operator, value = _parsed(matcher)
        if label == "alertname" and operator in ("=", "=~"):
            names += value.split("|")
        else:
            others.append(f"{label}{operator}{value}")
    return names, others


def _parsed(matcher: str) -> tuple[str, str, str]:
    found = _MATCHER.match(matcher)
    if not found:
        raise ValueError(f'{matcher} is not of the form label="value"')
    return found[1], found[2], found[3]


def _reasons(text: str) -> list[str]:
    """The comment above each inhibition. Several may share the one above the first of them."""
    reasons: list[str] = []
    comment: list[str] = []
    for line in text.partition("\ninhibit_rules:\n")[2].splitlines():
        words = line.strip()
        if words.startswith("# "):
            comment.append(words.removeprefix("# "))
        elif words.startswith("- source_matchers:"):
            reasons.append(" ".join(comment) if comment else reasons[-1])
            comment = []
        elif line and not line.startswith(" "):
            break
    return reasons
