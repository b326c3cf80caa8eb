"""Histograms: amounts by buckets."""

from __future__ import annotations

import pytest

from telemetry import Histogram


def test_a_histogram_counts_by_buckets_whose_bounds_are_inclusive() -> None:
    histogram = Histogram("things_seconds", "Things.", unit="s", buckets=(0.1, 1, 10))

    for amount in (0, 0.1, 0.10001, 1, 10, 10.1):
        histogram.record(amount)

    counts, total = histogram.values()[()]
    assert counts == [2, 2, 1, 1]
    assert total == pytest.approx(21.30001)


def test_other_buckets_are_another_declaration() -> None:
    Histogram("took_seconds", "Time.", unit="s", buckets=(1, 2))

    with pytest.raises(ValueError, match="took_seconds is declared twice, with a different set of buckets"):
        Histogram("took_seconds", "Time.", unit="s", buckets=(1, 3))
