"""The strategies, which turn prices into target weights."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.signal_service.strategies import equal_weight, momentum

prices = st.dictionaries(st.sampled_from("ABCDEFGH"), st.decimals("0.01", 4000, places=2), min_size=1)


def d(**values: object) -> dict[str, Decimal]:
    return {name: Decimal(str(value)) for name, value in values.items()}


def test_equal_weight_gives_every_symbol_the_same() -> None:
    assert equal_weight(d(A=1, B=100, C=3, D=4)) == d(A="0.25", B="0.25", C="0.25", D="0.25")
    assert equal_weight(dict.fromkeys(map(str, range(20)), Decimal(1)))["7"] == Decimal("0.05")


def test_momentum_takes_the_better_half_if_it_rose() -> None:
    before = d(A=100, B=100, C=100, D=100)

    assert momentum(d(A=104, B=103, C=102, D=101), before) == d(A="0.5", B="0.5", C=0, D=0)
    assert momentum(d(A=104, B=99, C=98, D=97), before) == d(A=1, B=0, C=0, D=0)
    assert momentum(d(A=100, B=99, C=98, D=97), before) == d(A=0, B=0, C=0, D=0)


def test_momentum_sorts_equal_returns_by_name() -> None:
    assert momentum(d(B=110, A=110), d(A=100, B=100)) == d(A=1, B=0)


def test_momentum_leaves_out_symbols_without_an_earlier_price() -> None:
    assert momentum(d(A=110, NEW=500), d(A=100)) == d(A=1, NEW=0)
    assert momentum(d(NEW=500), {}) == d(NEW=0)


@given(prices, prices)
def test_weights_cover_every_symbol_and_add_up_to_one_or_zero(
    now: dict[str, Decimal], before: dict[str, Decimal]
) -> None:
    for weights in (equal_weight(now), momentum(now, before)):
        assert weights.keys() == now.keys()
        assert all(weight >= 0 for weight in weights.values())
        total = sum(weights.values(), Decimal(0))
        assert total == 0 or abs(total - 1) < Decimal("1e-20")
