"""PromQL, parsed: which series a query selects, which labels its result can have, and what of it nothing has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import cast

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    Matcher,
    MatchOp,
    MatrixSelector,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatchCardinality,
    VectorSelector,
)

Known = Mapping[str, Set[str]]
"""The labels of every series by its name."""
Labels = set[str] | None
"""The labels that a vector can have. None: it is a number or a text."""

_KEEP = {"topk", "bottomk", "limitk", "limit_ratio"}
_ALTERNATIVES = re.compile(r"[\w:-]+(?:\|[\w:-]+)*")


def parse(query: str) -> Expr:
    """Raises ValueError for what is no PromQL."""
    try:
        return promql_parser.parse(query)
    except ValueError as error:
        raise ValueError(f"{query}: {error}") from None


def selectors(query: str) -> list[VectorSelector]:
    """Every selection of series in a query."""
    found: list[VectorSelector] = []

    def visit(part: Expr) -> None:
        if isinstance(part, VectorSelector):
            found.append(part)
        elif isinstance(part, MatrixSelector):
            found.append(part.vector_selector)

    promql_parser.walk(parse(query), visit)
    return found


def names(query: str) -> set[str]:
    """The names of the series that a query selects."""
    return {selector.name for selector in selectors(query) if selector.name}


def values(matcher: Matcher) -> list[str]:
    """What a matcher compares its label with; empty for a pattern that is more than a list."""
    if matcher.op in (MatchOp.Equal, MatchOp.NotEqual):
        return [matcher.value]
    return matcher.value.split("|") if _ALTERNATIVES.fullmatch(matcher.value) else []


class Reading:
    """A query, read against the series that there are.

    Attributes:
        labels: The labels that the result can have; empty for a number.
        strangers: The names and labels in the query that are not there.
    """

    def __init__(self, query: str, known: Known) -> None:
        self._known = known
        self._all = set[str]().union(*known.values())
        self.strangers: set[str] = set()
        self.labels: set[str] = self._read(parse(query)) or set()

    def _read(self, part: Expr) -> Labels:
        match part:
            case VectorSelector():
                return self._select(part)
            case MatrixSelector():
                return self._select(part.vector_selector)
            case ParenExpr() | UnaryExpr() | SubqueryExpr():
                return self._read(part.expr)
            case AggregateExpr():
                return self._aggregate(part)
            case Call():
                return self._call(part)
            case BinaryExpr():
                return self._combine(part)
        return None

    def _select(self, selector: VectorSelector) -> set[str]:
        if selector.name and selector.name not in self._known:
            self.strangers.add(selector.name)
        has = set(self._known.get(selector.name or "", self._all))
        self._demand({matcher.name for matcher in selector.matchers.matchers} - {"__name__"}, has)
        return has

    def _demand(self, asked: Set[str], there: Set[str]) -> None:
        self.strangers |= asked - there

    def _aggregate(self, part: AggregateExpr) -> set[str]:
        has = self._read(part.expr) or set()
        named = set(part.modifier.labels) if part.modifier else set()
        self._demand(named, has)
        if part.modifier is not None and part.modifier.type == AggModifierType.Without:
            left = has - named
        else:
            left = has if str(part.op) in _KEEP else named
        return left | {part.param.val} if str(part.op) == "count_values" and part.param else left

    def _call(self, part: Call) -> Labels:
        read = [self._read(cast(Expr, argument)) for argument in part.args]
        vectors = [labels for labels in read if labels is not None]
        texts = [argument.val for argument in part.args if isinstance(argument, StringLiteral)]
        match part.func.name:
            case "absent" | "absent_over_time":
                [selector] = selectors(part.prettify())
                return {one.name for one in selector.matchers.matchers if one.op == MatchOp.Equal}
            case "vector":
                return set()
            case "scalar":
                return None
            case "histogram_quantile":
                self._demand({"le"}, vectors[0])
                return vectors[0] - {"le"}
            case "label_replace":
                self._demand({texts[2]}, vectors[0] | {"__name__"})
                return vectors[0] | {texts[0]}
            case "label_join":
                self._demand({*texts[2:]}, vectors[0])
                return vectors[0] | {texts[0]}
            case "sort_by_label" | "sort_by_label_desc":
                self._demand({*texts}, vectors[0])
        return vectors[0] if vectors else None

    def _combine(self, part: BinaryExpr) -> Labels:
        left, right = self._read(part.lhs), self._read(part.rhs)
        if left is None or right is None:
            return right if left is None else left
        matching = part.modifier.matching if part.modifier else None
        on = matching is not None and matching.type == LabelModifierType.Include
        named = set(matching.labels) if matching else set()
        self._demand(named, left & right if on else left | right)
        match str(part.op):
            case "or":
                return left | right
            case "and" | "unless":
                return left
        card = part.modifier.card if part.modifier else VectorMatchCardinality.OneToOne
        taken = set(part.modifier.group_labels or ()) if part.modifier else set()
        if card == VectorMatchCardinality.ManyToOne:
            self._demand(taken, right)
            return left | taken
        if card == VectorMatchCardinality.OneToMany:
            self._demand(taken, left)
            return right | taken
        if on:
            return named
        if (left ^ right) - named:
            self.strangers |= {f"{label} on one side only" for label in (left ^ right) - named}
        return (left & right) - named
