"""What is declared in this process, and which service it is: the one place of global state."""

from __future__ import annotations

from typing import Any, Protocol

from telemetry.names import derived


class Declared(Protocol):
    """A declared metric, as the registry needs it."""

    name: str
    kind: str

    def differences(self, other: Any) -> list[str]:
        """What another declaration of the same name has differently."""

    def merge(self, other: Any) -> None:
        """Takes over what is shared with another declaration that is the same."""

    def open_or_shut(self) -> None:
        """Reads anew whether this process records the metric."""


class Process:
    """What `init` set for this process. Before `init`, every declared metric is recorded."""

    def __init__(self) -> None:
        self._service: str | None = None
        self._disabled = False

    @property
    def service(self) -> str | None:
        """The name that was passed to `init`."""
        return self._service

    @service.setter
    def service(self, name: str | None) -> None:
        self._service = name
        open_or_shut()

    @property
    def disabled(self) -> bool:
        """Whether nothing is recorded."""
        return self._disabled

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self._disabled = disabled
        open_or_shut()


process = Process()

declared: dict[str, Declared] = {}
"""Every declared metric by its name, in the order of the declarations."""


def open_or_shut() -> None:
    """Has every metric read anew which way its records go."""
    for metric in list(declared.values()):
        metric.open_or_shut()


def register(metric: Declared) -> Declared:
    """Registers a metric that is complete. One declaration that is executed twice is one metric: returns the first.

    Raises ValueError if there is another declaration with that name, or with one that would be written twice.
    """
    _check_names(metric)
    first = declared.setdefault(metric.name, metric)
    if first is metric:
        metric.open_or_shut()
        return metric
    differences = first.differences(metric)
    if differences:
        raise ValueError(
            f"{metric.name} is declared twice, with a different {' and '.join(differences)}: give one of them another "
            "name, or import the other one"
        )
    first.merge(metric)
    return first


def _check_names(metric: Declared) -> None:
    """Raises ValueError if a name that is written for this metric is written for another one, too."""
    name = metric.name
    written = written_names(name, metric.kind)
    if not RESOURCE.isdisjoint(written):
        raise ValueError(
            f"{name} would be confused with target_info, which has the attributes of the resource in an answer of "
            "/metrics, so give it another name"
        )
    for near in (f"{name}_total", f"{name}_count", name.removesuffix("_total"), name.removesuffix("_count")):
        other = declared.get(near)
        if other is not None and near != name and (both := written_names(near, other.kind) & written):
            raise ValueError(
                f"{name} would be confused with {near}, which is a {other.kind}: both have the name "
                f"{' and '.join(sorted(both))} in an answer of /metrics, so give one of them another one"
            )


RESOURCE = frozenset({"target", "target_info"})
"""The names of what shows the attributes of the resource."""


def written_names(name: str, kind: str) -> set[str]:
    """The names that nothing else may have in an answer of /metrics.

    A histogram has series with names of their own. A counter is called without `_total` in OpenMetrics. Either has the
    time of its beginning there, with `_created`, even where none is written.
    """
    family = name.removesuffix("_total") if kind == "counter" else name
    created = {f"{family}_created"} if kind in ("counter", "histogram") else set()
    return {name, family, *created, *derived(name, kind)}
