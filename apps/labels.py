"""The labels that the platform's metrics carry, and the values that each of them takes."""

from typing import Annotated, Literal, TypedDict

from apps.inputs import MOST_SYMBOLS
from apps.vocabulary import (
    Cancellation,
    DeskDuty,
    Direction,
    Outcome,
    PlacementStatus,
    PnlType,
    Rejection,
    RunResult,
    Side,
    SignalFailure,
    StateRefusal,
    Strategy,
    SubmissionResult,
    TripReason,
)
from telemetry import Open

Dependency = Literal["execution-gateway", "signal-service"]
SYMBOL = Open(limit=MOST_SYMBOLS)
"""The symbols that are quoted are known to every metric, and a stranger needs room.

A symbol is 4 kB in the gateway's /metrics, most of it the histogram of placements. With 150 quoted ones, and as many
strangers before them, that stays under 2 MB, with exemplars.
"""


class SymbolLabels(TypedDict):
    """Something of one symbol."""

    symbol: Annotated[str, SYMBOL]


class SideLabels(TypedDict):
    """Buys apart from sells."""

    side: Side


class SymbolSideLabels(SymbolLabels):
    """Orders or fills of one symbol and side."""

    side: Side


class PlacementLabels(SymbolSideLabels):
    """How the placement of an order ended."""

    status: PlacementStatus


class CancellationLabels(SymbolSideLabels):
    """Why the rest of an order was cancelled."""

    reason: Cancellation


class RejectionLabels(TypedDict):
    """Which check refused an order."""

    reason: Rejection


class PnlLabels(TypedDict):
    """Which part of the profit and loss."""

    type: PnlType


class TripLabels(TypedDict):
    """Why the breaker was tripped."""

    reason: TripReason


class DutyLabels(TypedDict):
    """A duty of the desk."""

    duty: DeskDuty


class OutcomeLabels(TypedDict):
    """Whether something that is repeated succeeded."""

    result: Outcome


class SignalLabels(SymbolLabels):
    """Which way a signal points."""

    direction: Direction


class StrategyLabels(TypedDict):
    """Which strategy made signals."""

    strategy: Strategy


class SignalFailureLabels(TypedDict):
    """Why no signals were made."""

    reason: SignalFailure


class RunLabels(TypedDict):
    """How a run of the orchestrator ended."""

    result: RunResult


class SubmissionLabels(TypedDict):
    """What became of an order that the orchestrator wanted."""

    result: SubmissionResult


class DependencyLabels(TypedDict):
    """A service that the orchestrator needs."""

    dependency: Dependency


class StateRefusalLabels(TypedDict):
    """Why a state of the market was not used."""

    reason: StateRefusal
