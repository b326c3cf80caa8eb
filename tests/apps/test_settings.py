"""Wrong settings end the process with one sentence each, and no sentence has a password in it."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings
from starlette.middleware.trustedhost import TrustedHostMiddleware

from apps.execution_gateway import settings as gateway
from apps.hosts import OWN_HOSTS, allowed_hosts
from apps.market_data_service import settings as market_data
from apps.orchestrator import settings as orchestrator
from apps.settings import CheckedSettings, ServiceSettings, load
from apps.signal_service import settings as signal_service


def test_a_wrong_setting_ends_the_process_with_a_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Needs(CheckedSettings):
        speed: float = Field(default=1, gt=0)

    monkeypatch.setenv("SPEED", "0")

    with pytest.raises(SystemExit, match=r"^SPEED=0: must be a number, above 0$"):
        load(Needs)


@pytest.mark.parametrize("number", ["7_3", "\uff17\uff13", "7 3", "inf", "nan", "0x10", ""])
def test_a_number_that_is_not_in_ascii_digits_is_refused(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    class Needs(ServiceSettings):
        shares: int = 1
        speed: float = 1
        cash: Decimal = Decimal(1)

    for name in ("SHARES", "SPEED", "CASH"):
        monkeypatch.setenv(name, number)

    with pytest.raises(SystemExit) as refusal:
        load(Needs)

    assert str(refusal.value).splitlines() == [
        f"{name}={number}: is not a number in digits, like 30 or 0.05" for name in ("SHARES", "SPEED", "CASH")
    ]


@pytest.mark.parametrize(("number", "read"), [("73", 73), ("-1", -1), ("0.5", 0.5), ("1e3", 1000), ("2.5E-3", 0.0025)])
def test_a_number_in_ascii_digits_is_read(monkeypatch: pytest.MonkeyPatch, number: str, read: float) -> None:
    class Needs(ServiceSettings):
        speed: float = 1

    monkeypatch.setenv("SPEED", number)

    assert load(Needs).speed == read


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("DATABASE_URL", "garbage"),
        ("DATABASE_URL", "mysql://user:hunter2@host/trading"),
        ("DATABASE_URL", "postgresql://user:hunter/2@host:5432/trading"),
        ("DATABASE_URL", "postgresql://user:hunt#er2@host:5432/trading"),
        ("DATABASE_URL", "postgresql://user:12#hunter2@host:5432/trading"),
        ("DATABASE_URL", "postgresql://user:hunter2@host:port/trading"),
        ("DATABASE_URL", "postgresql://user:hunter2@[host/trading"),
        ("DATABASE_URL", "garbage with a hunter2 in it"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgresql://user:12?hunter2@host:5432/trading"),
        ("REDIS_URL", "redis://:12?hunter2@host:6379"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://:hunter2@host:6379"),
        ("REDIS_URL", "redis://:hunter/2@host:6379"),
        ("REDIS_URL", "redis://:p@hunt/er2@host:6379"),
    ],
)
def test_a_wrong_address_is_refused_at_the_start_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(variable, address)

    with pytest.raises(SystemExit, match=rf"^{variable}: is not an address like \w+://") as refusal:
        load(ServiceSettings)

    assert "hunt" not in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("DATABASE_URL", "postgresql://postgres@/trading?host=/run/postgres"),
        ("DATABASE_URL", "postgresql://postgres@/trading?host=%2Frun%2Fpostgres"),
        ("DATABASE_URL", "postgres://user:p%2Fw@host:5432/trading"),
        ("DATABASE_URL", "postgresql://user@one:5432,two:5433/trading"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("REDIS_URL", "rediss://:password@host:6379/0"),
    ],
)
def test_a_good_address_is_not_changed(monkeypatch: pytest.MonkeyPatch, variable: str, address: str) -> None:
    monkeypatch.setenv(variable, address)

    assert getattr(load(ServiceSettings), variable.lower()) == address


def test_printed_settings_do_not_show_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@host/trading")

    assert "hunter2" not in repr(load(ServiceSettings))


def test_allowed_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "gateway, 127.0.0.1,")

    assert load(ServiceSettings).hosts == ["gateway", "127.0.0.1"]


@pytest.mark.parametrize("text", ["", " , "])
def test_without_a_name_the_allowed_hosts_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    default = load(ServiceSettings).hosts
    monkeypatch.setenv("ALLOWED_HOSTS", text)

    assert load(ServiceSettings).hosts == default == list(OWN_HOSTS)


KINDS = (gateway.Settings, market_data.Settings, orchestrator.Settings, signal_service.Settings)
NUMBERS = [
    pytest.param(kind, name, id=name)
    for kind in KINDS
    for name, field in kind.model_fields.items()
    if field.annotation in (int, float, Decimal)
]


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize(
    "text", ["inf", "-inf", "nan", "1e300", "-1e300", "9" * 40, "1_0", "\uff11\uff12", "0x10", "ten", ""]
)
def test_a_number_out_of_its_bounds_ends_the_start_with_a_sentence_that_has_both(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, text: str
) -> None:
    monkeypatch.setenv(name.upper(), text)

    with pytest.raises(SystemExit) as refusal:
        load(kind)

    both = r"must be a (whole )?number, (at least|above) [0-9.]+ and (at most|below) [0-9]+"
    assert re.fullmatch(rf"{name.upper()}={text}: {both}(, with 2 decimals at most)?", str(refusal.value))


@pytest.mark.parametrize(
    ("kind", "variable", "highest", "too_high"),
    [
        (market_data.Settings, "REPLAY_DAY_SECONDS", "86400", "86400.1"),
        (gateway.Settings, "SLIPPAGE_BPS", "1000", "20000"),
        (gateway.Settings, "DAILY_LOSS_LIMIT", "0.999", "1"),
        (gateway.Settings, "INITIAL_CASH", "1e12", "0.001"),
        (orchestrator.Settings, "RETRY_SECONDS", "20", "20.1"),
    ],
)
def test_a_number_at_its_bound_is_taken(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], variable: str, highest: str, too_high: str
) -> None:
    monkeypatch.setenv(variable, f" {highest} ")
    assert float(getattr(load(kind), variable.lower())) == float(highest)

    monkeypatch.setenv(variable, too_high)
    with pytest.raises(SystemExit, match=rf"^{variable}={too_high}: must be a number"):
        load(kind)


@pytest.mark.parametrize("text", ["yesterday", "1583712000", "20200309", "2020-3-9", "2020-03-32"])
@pytest.mark.parametrize("variable", ["REPLAY_START", "REPLAY_END"])
def test_a_date_has_one_form(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(SystemExit, match=rf"^{variable}={text}: is not a date like 2020-03-09$"):
        load(market_data.Settings)


@pytest.mark.parametrize(
    "address",
    [
        "redis://h:1/hunter",
        "redis://h:1/0/1",
        "redis://h:1?socket_timeout=hunter2",
        "redis://h?x=hunter2",
        "unix:///s?db=x",
    ],
)
def test_an_address_that_redis_py_cannot_use_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REDIS_URL", address)

    with pytest.raises(SystemExit, match=r"^REDIS_URL: has an option that redis-py does not take, or a database that"):
        load(ServiceSettings)


def test_an_address_of_a_service_has_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_SERVICE_URL", "http://:8003")

    with pytest.raises(SystemExit, match=r"^SIGNAL_SERVICE_URL: is not an address like http://host:8002"):
        load(orchestrator.Settings)


@pytest.mark.parametrize("name", ["*.*", "a b", "http://gateway", "gateway:8002", "näme", "[::1"])
def test_what_is_no_host_name_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", f"gateway, {name}")
    sentence = rf"^ALLOWED_HOSTS.*: '{re.escape(name)}' is not a host name"

    with pytest.raises(SystemExit, match=sentence):
        load(ServiceSettings)
    with pytest.raises(SystemExit, match=sentence):
        allowed_hosts()


@pytest.mark.parametrize("name", ["*", "*.example.com", "a-b_c.example.com", "127.0.0.1", "[::1]"])
def test_host_names_are_taken_as_starlette_takes_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", name)

    assert load(ServiceSettings).hosts == allowed_hosts() == [name]
    TrustedHostMiddleware(lambda *_: None, allowed_hosts=allowed_hosts())  # type: ignore[arg-type]
