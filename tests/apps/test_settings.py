"""Wrong settings end the process with one sentence each, and no sentence has a password in it."""

from __future__ import annotations

import re
from decimal import Decimal

import certifi
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

    with pytest.raises(SystemExit, match=r"^SPEED=0: must be a number, above 0, with 4 decimals at most$"):
        load(Needs)


@pytest.mark.parametrize(
    "number", ["7_3", "\uff17\uff13", "7 3", "inf", "nan", "0x10", " ", "5.", ".5", "1e100", "1e-999999999", "0" * 41]
)
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
        ("DATABASE_URL", "postgresql://user:12?hunter2@host:5432/trading"),
        ("DATABASE_URL", "postgresql://user@host/trading?password=hunter2%00"),
        ("DATABASE_URL", "postgresql://user@host/trading?=hunter2"),
        ("REDIS_URL", "unix:///hunter2%00"),
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
        ("REDIS_URL", "redis://host:6379?db=1&protocol=3&client_name=desk&username=ann&password=hunter2"),
        ("REDIS_URL", "unix://:password@/run/redis.sock?db=2"),
        ("REDIS_URL", f"rediss://host?ssl_ca_certs={certifi.where()}&ssl_cert_reqs=required&ssl_check_hostname=false"),
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
    "text",
    ["inf", "-inf", "nan", "1e300", "-1e300", "9" * 40, "1_0", "\uff11\uff12", "0x10", "ten", " ", "1e-99", "0.00001",
     "1e-99999999", "0.50001", "15.00001"],
)  # fmt: skip
def test_a_number_out_of_its_bounds_ends_the_start_with_a_sentence_that_has_both(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, text: str
) -> None:
    monkeypatch.setenv(name.upper(), text)

    with pytest.raises(SystemExit) as refusal:
        load(kind)

    both = r"(at least|above) [0-9.]+ and (at most|below) [0-9]+"
    kind_of_number = rf"(a whole number, {both}|a number, {both}, with [24] decimals at most)"
    assert re.fullmatch(rf"{name.upper()}={text}: must be {kind_of_number}", str(refusal.value))


@pytest.mark.parametrize("name", ["gross_exposure_limit", "position_limit", "order_size_limit"])
def test_a_limit_in_dollars_is_a_cent_at_least(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name.upper(), "0.01")
    assert getattr(load(gateway.Settings), name) == Decimal("0.01")

    for less in ("0", "0.001", "0.0099", "200000.001"):
        monkeypatch.setenv(name.upper(), less)
        with pytest.raises(SystemExit, match=r"at least 0\.01 and at most 1000000000000, with 2 decimals at most$"):
            load(gateway.Settings)


FIELDS = [pytest.param(kind, name, id=name) for kind in KINDS for name in kind.model_fields]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_an_empty_variable_is_as_if_it_were_not_set(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str
) -> None:
    usual = load(kind)
    monkeypatch.setenv(name.upper(), "")

    assert load(kind) == usual


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_variable_in_small_letters_is_not_read(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str
) -> None:
    usual = load(kind)
    monkeypatch.setenv(name, "garbage")
    monkeypatch.setenv(name.capitalize(), "garbage")

    assert load(kind) == usual


def test_only_the_variable_in_capital_letters_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSITION_LIMIT", "1")
    monkeypatch.setenv("position_limit", "2")

    assert load(gateway.Settings).position_limit == 1


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


@pytest.mark.parametrize("address", ["redis://h:1/hunter", "redis://h:1/0/1", "rediss://h/-1"])
def test_a_database_of_redis_is_a_number(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("REDIS_URL", address)

    with pytest.raises(SystemExit, match=r"^REDIS_URL: has a database that is not a number like /0$"):
        load(ServiceSettings)


@pytest.mark.parametrize(
    "rest", ["a..b:6379", f"{'a' * 64}:6379", "h?ssl_ca_certs=/dev/null", "h?ssl_certfile=/dev/null"]
)
def test_a_host_of_redis_that_cannot_be_looked_up_and_a_certificate_that_is_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    monkeypatch.setenv("REDIS_URL", f"rediss://:hunter2@{rest}")

    with pytest.raises(SystemExit, match=r"^REDIS_URL: cannot be used by redis-py$"):
        load(ServiceSettings)


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("encoding=nope", "the option encoding"),
        ("encoding=utf-16", "the option encoding"),
        ("redis_connect_func=x", "the option redis_connect_func"),
        ("credential_provider=x", "the option credential_provider"),
        ("max_connections=1", "the option max_connections"),
        ("socket_timeout=0", "the option socket_timeout"),
        ("socket_timeout=nan", "the option socket_timeout"),
        ("socket_timeout=hunter2", "the option socket_timeout"),
        ("socket_read_size=0", "the option socket_read_size"),
        ("host=elsewhere", "the option host"),
        ("db=0&path=/hunter2", "the option path"),
        ("ssl_cert_reqs=none", "the option ssl_cert_reqs"),  # without TLS
        ("x=hunter2", "an option"),
        ("hunter2", "an option"),
    ],
)
def test_an_option_of_redis_that_is_not_offered_is_named_and_not_its_value(
    monkeypatch: pytest.MonkeyPatch, option: str, shown: str
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://h:6379/0?{option}")

    with pytest.raises(SystemExit, match=f"^REDIS_URL: has {shown} that is not one of db, protocol, ") as refusal:
        load(ServiceSettings)

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("db", "-1"),
        ("db", "x"),
        ("db", ""),
        ("protocol", "4"),
        ("client_name", "two words"),
        ("ssl_ca_certs", "/hunter2"),
        ("ssl_cert_reqs", "hunter2"),
        ("ssl_check_hostname", "no"),
    ],
)
def test_a_value_of_an_option_of_redis_that_cannot_be_used_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    for scheme in ("rediss://h", "unix:///s") if not option.startswith("ssl") else ("rediss://h",):
        monkeypatch.setenv("REDIS_URL", f"{scheme}?{option}={value}")

        with pytest.raises(SystemExit) as refusal:
            load(ServiceSettings)

        assert str(refusal.value) == f"REDIS_URL: has a value for the option {option} that cannot be used"


NOT_CALLABLE = [
    "garbage",
    "ftp://host",
    "http://",
    "http://:8003",
    "http://999.1.1.1:80",
    "http://\u2603.example:80",
    "http://host\t:80",
    "http://host:80/\x01",
    "http://host:80/" + "x" * 70_000,
    "http://host:80/" + "x" * 2000,
    "http://a b:1",
    "http://host:1/a b",
    "http://host:1\u00a0",
    "http://host?x=hunter2",
    "http://host#hunter2",
    "http://user:hunter2@host:1",
    "http://host:0",
    "http://host:65536",
    "http://host:port",
    "http://[::1",
    "http://a..b:1",
    f"http://{'a' * 64}:1",
    "http://host\udce9:1",
]


@pytest.mark.parametrize("address", NOT_CALLABLE, ids=range(len(NOT_CALLABLE)))
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, id=name)
        for kind in KINDS
        for name in kind.model_fields
        if name.endswith("_url") and name not in ServiceSettings.model_fields
    ],
)
def test_an_address_that_cannot_be_called_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, address: str
) -> None:
    monkeypatch.setenv(name.upper(), address)

    with pytest.raises(SystemExit) as refusal:
        load(kind)

    sentence = "is not an address like http://host:8002, without user, password, query and spaces"
    assert str(refusal.value) == f"{name.upper()}: {sentence}"


@pytest.mark.parametrize(
    "address",
    ["http://host", "https://host:8443/gateway", "http://[::1]:8002", "http://10.0.0.1:80/", "http://a_b.c:1"],
)
def test_an_address_that_can_be_called_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SIGNAL_SERVICE_URL", address)

    assert load(orchestrator.Settings).signal_service_url == address


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
