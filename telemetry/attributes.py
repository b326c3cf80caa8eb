"""The labels that a metric may carry. They are declared as a `TypedDict`, whose annotations say which values it takes.

class OrderLabels(TypedDict):
    symbol: Annotated[str, telemetry.Open(limit=100)]  # any text, at most 100 different ones
    side: Side  # an enumeration
    status: Literal["success", "failed"]
"""

from __future__ import annotations

import json
import logging
import re
import types
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Protocol,
    Required,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from typing_extensions import is_typeddict

from telemetry.drops import Dropped, Reason, said, warn

logger = logging.getLogger(__name__)

OTHER = "__other__"
"""The label value for every new value after an open label has reached its limit."""

LONGEST_TEXT = 100
"""How many characters a value of an open label has at most: its series are bounded in size, too."""

_LABEL_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = {
    "le": "it is the bound of a bucket",
    "quantile": "it is the quantile of a summary",
    "job": "Prometheus sets it",
    "instance": "Prometheus sets it",
    "alertname": "Prometheus sets it for alerts",
    "alertstate": "Prometheus sets it for alerts",
}
_RESERVED_BEGINNINGS = ("exported_", "otel_scope_")

LabelValue = str | bool | int | float


class NoLabels(TypedDict):
    """The labels of a metric without labels."""


class _User(Protocol):
    def expose_known(self) -> None: ...


class Open:
    """Says in an annotation that a label takes any value, until a metric has `limit` different ones.

    Later ones are recorded as `__other__`, so that nobody can fill the memory of the service and of Prometheus; so are
    texts of more than 100 characters. A value whose last series is removed makes room for another. The first `limit`
    values that were passed to `know` are never recorded as `__other__`, also where strangers came first: so a metric
    has twice the limit at most. Metrics with the same `Open` know the same values; each has its own limit.

    Raises ValueError for a limit below 1.

    Example:

        SYMBOL = Open(limit=100)
        SymbolLabels = TypedDict("SymbolLabels", {"symbol": Annotated[str, SYMBOL]})
        SYMBOL.know(["AAPL", "MSFT"])
    """

    def __init__(self, *, limit: int = 100) -> None:
        if type(limit) is not int or limit < 1:
            raise ValueError(f"the limit of an open label is {limit!r}: it must be a whole number of at least 1")
        self.limit = limit
        self.known_texts: dict[str, None] = {}
        """The values that were passed to `know`. It is never changed, only replaced: a record may be reading it."""
        self.room = limit
        """How many values that nobody announced each metric may have."""
        self._users: weakref.WeakSet[_User] = weakref.WeakSet()
        self._followed_by: list[Open] = []

    def __repr__(self) -> str:
        """As it was written in the annotation."""
        return f"Open(limit={self.limit})"

    def used_by(self, metric: _User) -> None:
        """Has the metric told when more values become known."""
        self._users.add(metric)

    def follow(self, other: Open) -> None:
        """Has this one know what the other one knows, now and later."""
        self.know(other.known)
        if self not in other._followed_by:
            other._followed_by.append(self)

    def know(self, values: Iterable[LabelValue]) -> None:
        """Announces values. Counters and histograms show them at 0 before their first event.

        Never raises. If one of the values cannot be a label, a warning is logged and none is taken. If they are more
        than the limit, a warning is logged and the first ones are taken.

        Example: `SYMBOL.know(["AAPL", "MSFT"])`.
        """
        try:
            if isinstance(values, str):
                raise TypeError(f"{values[:40]!r} is one text, not several")
            given = dict.fromkeys(map(text_of, values))
        except Exception as error:  # iterating runs the caller's code
            logger.warning("the values of a label were not added: %s", said(error))
            return
        known = self.known_texts
        while fresh := self._fitting(given, known):
            after = {**known, **fresh}
            if self._put(known, after, self.limit - len(after)):
                break
            known = self.known_texts  # another thread was faster
        else:
            return
        for metric in list(self._users):
            metric.expose_known()
        for other in self._followed_by:
            other.know(fresh)

    def _fitting(self, given: Mapping[str, None], known: Mapping[str, None]) -> dict[str, None]:
        """Those that are not known yet, as far as there is room for them. Warns about the others."""
        fresh = [text for text in given if text not in known]
        fitting = [text for text in fresh if len(text) <= LONGEST_TEXT][: self.limit - len(known)]
        if len(fitting) < len(fresh):
            warn(
                (str(id(self)), "known"),
                f"{len(fresh) - len(fitting)} values of a label were not announced, and count as {OTHER}: {self.limit} "
                f"values are the most, and {LONGEST_TEXT} characters",
            )
        return dict.fromkeys(fitting)

    def _put(self, before: dict[str, None], after: dict[str, None], room: int) -> bool:
        """Replaces the values, unless they have changed since. At once, as telemetry/store.py says."""
        if self.known_texts is before:
            self.known_texts = after
            self.room = room
            return True
        return False

    @property
    def known(self) -> tuple[str, ...]:
        """The values that were passed to `know`."""
        return tuple(self.known_texts)


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a metric: its values if it is closed, else what makes it open."""

    name: str
    values: tuple[str, ...] = ()
    open: Open | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """The values that are shown from the start."""
        return self.values if self.open is None else self.open.known

    def text(self, value: object) -> str:
        """The label text for a value. Raises `Dropped` when the value may not be recorded."""
        try:
            text = text_of(value)
        except (TypeError, ValueError) as error:
            raise Dropped(Reason.NOT_TEXT, f"{self.name}: {error}") from None
        if self.open is None and text not in self.values:
            raise Dropped(Reason.UNDECLARED_VALUE, f"{self.name} has no value {text[:40]!r}")
        return text

    def describe(self) -> str:
        """The name, with the values or the limit."""
        return f"{self.name}: {self.open or ' | '.join(self.values)}"


def read_labels(metric: str, labels: type[Mapping[str, Any]]) -> tuple[Label, ...]:
    """The labels that a TypedDict declares. Raises ValueError, which names the metric, the label and the way out."""
    if not is_typeddict(labels):
        raise ValueError(f"{metric}: labels are declared as a TypedDict, and {labels!r} is none")
    try:
        hints = get_type_hints(labels, include_extras=True)
    except Exception as error:  # an annotation may be any expression
        raise ValueError(
            f"{metric}: the annotations of {labels.__name__} cannot be read ({error}): what they name must be in the "
            "module, and not under TYPE_CHECKING"
        ) from error
    return tuple(_read(metric, name, hint, labels) for name, hint in hints.items())


def _read(metric: str, name: str, hint: Any, labels: type[Mapping[str, Any]]) -> Label:
    what = f"{metric}: the label {name}"
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(
            f"{metric}: {name!r} is not a label name: lower case letters, digits and underscores, a letter first"
        )
    if "__" in name or name.endswith("_"):
        raise ValueError(f"{what} has underscores that would be lost on the way: one between two words")
    if name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
        why = _RESERVED.get(name, "names that begin so are made on the way to Prometheus")
        raise ValueError(f"{what} is reserved ({why}): choose another name")
    required = name not in getattr(labels, "__optional_keys__", ())
    while get_origin(hint) in (Required, NotRequired):
        required = get_origin(hint) is Required
        [hint] = get_args(hint)
    if not required:
        raise ValueError(f"{what} is not required: each record has a value for each label")
    opens = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Open)]
    if len(opens) > 1:
        raise ValueError(f"{what} has {len(opens)} limits: leave one")
    if opens:
        return Label(name, open=opens[0])
    values = _closed(hint)
    if values is None:
        raise ValueError(
            f"{what} is {_named(hint)}, which says neither its values nor a limit: write an enumeration, a Literal, or "
            "Annotated[str, telemetry.Open(limit=100)]"
        )
    return Label(name, values=_texts(what, values))


def _closed(hint: Any) -> list[object] | None:
    """The values of a closed type; None if it is no closed type."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _closed(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        parts = [_closed(part) for part in get_args(hint)]
        return None if None in parts else [value for part in parts if part is not None for value in part]
    if origin is Literal:
        return list(get_args(hint))
    if hint is bool:
        return [False, True]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)
    return None


def _texts(what: str, values: Iterable[object]) -> tuple[str, ...]:
    try:
        texts = tuple(map(text_of, values))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} has a value that no label can have: {error}") from None
    if len(set(texts)) < len(texts):
        raise ValueError(f"{what} has two values with the same text: {', '.join(texts)}")
    if not texts:
        raise ValueError(f"{what} has no values")
    return texts


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def text_of(value: object) -> str:
    """The value as plain text, as the OpenTelemetry exporter for Prometheus writes it: `true`, `200`, `1.5`, `["a"]`.

    Raises TypeError for a type that no label has, ValueError if it cannot be encoded as UTF-8.
    """
    if isinstance(value, str):
        text = str.__str__(value)  # str() of a member of an enumeration may return its name
    elif isinstance(value, Enum):
        return text_of(value.value)
    elif isinstance(value, bool | int | float):
        text = json.dumps(value)
    elif isinstance(value, list | tuple) and all(isinstance(one, str | bool | int | float) for one in value):
        text = json.dumps(list(value))
    else:
        raise TypeError(f"a value of type {type(value).__name__} is neither text, nor a number, nor a list of these")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!r} is not valid Unicode") from None
    return text
