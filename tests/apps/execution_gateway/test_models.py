"""The requests of the API: any JSON is read or refused, and what is read stays the same when it is sent again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from apps.execution_gateway.models import BreakerChange, OrderRequest
from apps.inputs import HIGHEST_PRICE, MOST_SHARES, TICK
from apps.vocabulary import Side

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=2)
ORDERS = st.fixed_dictionaries(
    {
        "symbol": st.from_regex(r"[A-Z0-9]{1,4}([.-][A-Z0-9]{1,3}){0,2}", fullmatch=True),
        "side": st.sampled_from(list(Side)),
        "qty": st.integers(1, MOST_SHARES),
    },
    optional={"client_order_id": st.text(alphabet="ab 9-ü李", min_size=1, max_size=200).filter(str.strip)},
)
PRICES = st.decimals(TICK, HIGHEST_PRICE, places=4)


def is_read(kind: type[BaseModel], body: object) -> bool:
    """Whether the body is a request. Then what it says is a request as well, and the same one."""
    try:
        read = kind.model_validate_json(json.dumps(body))
    except ValidationError:
        return False
    assert kind.model_validate_json(read.model_dump_json()) == read
    assert kind.model_validate(json.loads(json.dumps(body))) == read  # as FastAPI does it
    return True


@given(order=ORDERS, price=PRICES, as_number=st.booleans())
def test_every_order_within_the_bounds_is_read(order: dict[str, object], price: object, as_number: bool) -> None:
    limit = {"order_type": "limit", "limit_price": float(str(price)) if as_number else str(price)}

    assert is_read(OrderRequest, order)
    assert is_read(OrderRequest, {**order, **limit})


@given(order=ORDERS, name=st.sampled_from([*OrderRequest.model_fields, "more"]), value=JSON)
def test_an_order_with_any_other_value_is_read_or_refused(order: dict[str, object], name: str, value: object) -> None:
    is_read(OrderRequest, {**order, name: value})
    is_read(OrderRequest, {**order, "order_type": "limit", "limit_price": 1, name: value})


@given(value=JSON)
def test_a_change_by_a_person_with_any_other_value_is_read_or_refused(value: object) -> None:
    is_read(BreakerChange, {"reason": "a test", "by": value})
    is_read(BreakerChange, value)


@pytest.mark.parametrize("model", [OrderRequest, BreakerChange])
def test_the_schema_can_be_sent(model: type[BaseModel]) -> None:
    assert json.dumps(model.model_json_schema(), ensure_ascii=False).encode()
