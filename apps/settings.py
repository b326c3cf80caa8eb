"""The settings that all four services share, and how settings are read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
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
    shown = f"={problem['input']}" if kind.model_fields[name].repr else ""
    return f"{name.upper()}{shown}: {text}"


def _address_like(example: str, *schemes: str) -> AfterValidator:
    def check(address: str) -> str:
        try:
            parts = urlsplit(address)
            hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL allows several hosts
            whole = (
                not parts.fragment and "@" not in parts.path + parts.query
            )  # otherwise urlsplit ended the password too early
            known = parts.scheme in schemes and whole and all(urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"is not an address like {example}; special characters of a password are written as %2F")
        return address

    return AfterValidator(check)


# repr=False, because an address may hold a password.
PostgresAddress = Annotated[
    str, _address_like("postgresql://user:password@host:5432/trading", "postgresql", "postgres"), Field(repr=False)
]
RedisAddress = Annotated[
    str, _address_like("redis://:password@host:6379/0", "redis", "rediss", "unix"), Field(repr=False)
]
ServiceAddress = Annotated[str, _address_like("http://host:8002", "http", "https"), Field(repr=False)]


class ServiceSettings(BaseSettings):
    """The settings of every service. Each field is an environment variable in capital letters."""

    database_url: PostgresAddress = "postgresql://postgres@127.0.0.1:5432/trading"
    redis_url: RedisAddress = "redis://127.0.0.1:6379/0"
    allowed_hosts: str = Field(
        default=",".join(OWN_HOSTS),
        description="host names that the service answers to, separated by commas",
    )

    @field_validator("*", mode="before")
    @classmethod
    def numbers_are_plain(cls, value: object, field: ValidationInfo) -> object:
        """Refuses numbers like 1_000, and digits of other scripts, which Python would read."""
        number = cls.model_fields[str(field.field_name)].annotation in (int, float, Decimal)
        return plain_number(value) if number else value

    @property
    def hosts(self) -> list[str]:
        """`allowed_hosts` as a list."""
        return hosts_from(self.allowed_hosts)
