"""Wrong settings end the process with one sentence each, and no sentence has a password in it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from apps.hosts import OWN_HOSTS
from apps.settings import ServiceSettings, load


def test_a_wrong_setting_ends_the_process_with_a_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Needs(BaseSettings):
        speed: float = Field(default=1, gt=0)

    monkeypatch.setenv("SPEED", "0")

    with pytest.raises(SystemExit, match=r"^SPEED=0: Input should be greater than 0$"):
        load(Needs)


@pytest.mark.parametrize("number", ["7_3", "\uff17\uff13", " 73", "73 ", "inf", "nan", "0x10", ""])
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
