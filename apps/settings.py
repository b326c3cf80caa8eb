"""The settings that all four services share, and how settings are read and checked: each number has both bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import redis.asyncio
from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from apps.hosts import OWN_HOSTS, hosts_from
from apps.inputs import plain_number

Chosen = TypeVar("Chosen", bound=BaseSettings)


def load(kind: type[Chosen]) -> Chosen:
    """The settings from the environment. If some are wrong, ends the process with one sentence for each."""
    try:
        return kind()
    except ValidationError as wrong:
        raise SystemExit("\n".join(_sentence(kind, problem) for problem in wrong.errors())) from None


def _sentence(kind: type[BaseSettings], problem: Mapping[str, Any]) -> str:
    text = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return text
    name = str(problem["loc"][0])
    # Addresses are not shown, because they may hold a password. A wrong one often does: `/` or `#` in a password makes
    # an address wrong.
    field = kind.model_fields[name]
    shown = f"={problem['input']}" if field.repr else ""
    return f"{name.upper()}{shown}: {_bounds(field) or text}"


_NUMBERS = {int: "a whole number", float: "a number", Decimal: "a number"}
_BOUNDS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}


def _bounds(field: FieldInfo) -> str:
    """What a number must be, in a sentence that has both bounds. Empty for other fields."""
    if field.annotation not in _NUMBERS:
        return ""
    bounds = [(_BOUNDS[type(bound)], bound) for bound in field.metadata if type(bound) in _BOUNDS]
    if not bounds:
        return ""
    said = [f"{words} {getattr(bound, name)}" for (words, name), bound in bounds]
    places = [f"with {given} decimals at most" for each in field.metadata if (given := _decimals(each))]
    return f"must be {_NUMBERS[field.annotation]}, {' and '.join(said)}{', '.join(['', *places])}"


def _decimals(constraint: object) -> int | None:
    return getattr(constraint, "decimal_places", None)


class CheckedSettings(BaseSettings):
    """Settings whose numbers are written in plain ASCII digits."""

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, info: ValidationInfo) -> object:
        # pydantic also takes 1_000 and the digits of other scripts, which other programs read otherwise or not at all.
        assert info.field_name is not None
        if cls.model_fields[info.field_name].annotation not in _NUMBERS:
            return value
        return plain_number(value.strip(" ") if isinstance(value, str) else value)


def _address_like(example: str, *schemes: str) -> AfterValidator:
    def check(address: str) -> str:
        try:
            parts = urlsplit(address)
            hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL allows several hosts
            whole = (
                not parts.fragment and "@" not in parts.path + parts.query
            )  # otherwise urlsplit ended the password too early
            known = parts.scheme in schemes and whole and all(urlsplit(f"//{host}").port != 0 for host in hosts)
            known = known and (parts.scheme not in ("http", "https") or bool(parts.hostname))
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"is not an address like {example}; special characters of a password are written as %2F")
        return address

    return AfterValidator(check)


def _takes(address: str) -> str:
    """Raises ValueError for what redis-py cannot use, or would silently take for database 0."""
    parts = urlsplit(address)
    known = parts.scheme == "unix" or re.fullmatch(r"/?|/[0-9]{1,9}", parts.path) is not None
    try:
        pool: Any = redis.asyncio.ConnectionPool.from_url(address)
        pool.make_connection()
    except Exception:  # also a TypeError, for an option that it does not know; the text may quote the password
        known = False
    if not known:
        raise ValueError("has an option that redis-py does not take, or a database that is no number")
    return address


# repr=False, because an address may hold a password.
PostgresAddress = Annotated[
    str, _address_like("postgresql://user:password@host:5432/trading", "postgresql", "postgres"), Field(repr=False)
]
RedisAddress = Annotated[
    str,
    _address_like("redis://:password@host:6379/0", "redis", "rediss", "unix"),
    AfterValidator(_takes),
    Field(repr=False),
]
ServiceAddress = Annotated[str, _address_like("http://host:8002", "http", "https"), Field(repr=False)]


class DatabaseSettings(CheckedSettings):
    """The setting that is all that a tool needs which works on PostgreSQL alone."""

    database_url: PostgresAddress = "postgresql://postgres@127.0.0.1:5432/trading"


class ServiceSettings(DatabaseSettings):
    """The settings of every service. Each field is an environment variable in capital letters."""

    redis_url: RedisAddress = "redis://127.0.0.1:6379/0"
    allowed_hosts: str = Field(
        default=",".join(OWN_HOSTS),
        description="host names that the service answers to, separated by commas",
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, names: str) -> str:
        hosts_from(names)
        return names

    @property
    def hosts(self) -> list[str]:
        """`allowed_hosts` as a list."""
        return hosts_from(self.allowed_hosts)
