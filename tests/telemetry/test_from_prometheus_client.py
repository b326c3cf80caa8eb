"""The pairs of blocks in docs/from-prometheus-client.md show the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, generate_latest

from telemetry.exposition import render
from telemetry.registry import declared
from tests.documents import ROOT, blocks
from tests.telemetry.test_exposition import Series, parsed

BLOCKS = blocks(ROOT / "docs" / "from-prometheus-client.md", "python")
PAIRS = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))


@pytest.fixture(autouse=True)
def registry_as_before() -> Iterator[None]:
    """Forgets what the block declared in prometheus_client."""
    before = set(REGISTRY._collector_to_names)
    yield
    for collector in set(REGISTRY._collector_to_names) - before:
        REGISTRY.unregister(collector)


def run(code: str) -> None:
    namespace: dict[str, object] = {"__name__": __name__}
    # It must not inherit the future import of this module, with which its annotations would be text.
    exec(compile(code, "document", "exec", dont_inherit=True), namespace)  # noqa: S102  # our own document
    work = namespace.get("work")
    if callable(work):
        work()


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=[pair[1].split("\n")[-2][:30] for pair in PAIRS])
def test_both_blocks_show_the_same_series(theirs: str, ours: str) -> None:
    assert "prometheus_client" in theirs
    assert "telemetry" in ours
    known, shown = set(REGISTRY._collector_to_names), set(declared)
    run(theirs)
    run(ours)

    names = [n for c, ns in REGISTRY._collector_to_names.items() if c not in known for n in ns]
    [name] = set(declared) - shown
    before = only(parsed(generate_latest(REGISTRY)), names)
    after = only(parsed(render()), [name, *(f"{name}_{part}" for part in ("bucket", "sum", "count"))])

    assert before != {}
    assert series_of(before) == series_of(after)


def only(series: Series, names: list[str]) -> Series:
    return {key: value for key, value in series.items() if key[0] in names and not key[0].endswith("_created")}


def series_of(series: Series) -> Series:
    """Without the time that a call took, and with bounds as numbers."""
    return {
        (name, frozenset((label, str(float(text)) if label == "le" else text) for label, text in labels)): (
            0.0 if name.endswith("_sum") else value
        )
        for (name, labels), value in series.items()
    }
