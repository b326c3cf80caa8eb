"""What a service is told by its environment: what all four are told, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings

Chosen = TypeVar("Chosen", bound=BaseSettings)


def load(kind: type[Chosen]) -> Chosen:
    """The settings from the environment; ends the process with a sentence for each that is wrong."""
    try:
        return kind()
    except ValidationError as wrong:
        raise SystemExit("\n".join(_sentence(kind, problem) for problem in wrong.errors())) from None


def _sentence(kind: type[BaseSettings], problem: Mapping[str, Any]) -> str:
    text = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return text
    name = str(problem["loc"][0])
    # An address may hold a password, above all one that cannot be read: a `/` or `#` in it is why.
    shown = f"={problem['input']}" if kind.model_fields[name].repr else ""
    return f"{name.upper()}{shown}: {text}"


def _address_like(example: str, *schemes: str) -> AfterValidator:
    def check(address: str) -> str:
        try:
            parts = urlsplit(address)
            hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL's may be several
            whole = not parts.fragment and "@" not in parts.path  # else its password ended too early
            known = parts.scheme in schemes and whole and all(urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"is not an address like {example}; special characters of a password are written as %2F")
        return address

    return AfterValidator(check)


# Not shown where settings are shown: a password may be in it.
PostgresAddress = Annotated[
    str, _address_like("postgresql://user:password@host:5432/trading", "postgresql", "postgres"), Field(repr=False)
]
RedisAddress = Annotated[
    str, _address_like("redis://:password@host:6379/0", "redis", "rediss", "unix"), Field(repr=False)
]
ServiceAddress = Annotated[str, _address_like("http://host:8002", "http", "https"), Field(repr=False)]


class ServiceSettings(BaseSettings):
    """Where a service finds what it needs; each field is an environment variable in capitals."""

    database_url: PostgresAddress = "postgresql://postgres@127.0.0.1:5432/trading"
    redis_url: RedisAddress = "redis://127.0.0.1:6379/0"
    allowed_hosts: str = Field(
        default="127.0.0.1,localhost,[::1]",
        description="names by which the service may be asked, with commas between them",
    )

    @property
    def hosts(self) -> list[str]:
        """The names as a list."""
        return [name.strip() for name in self.allowed_hosts.split(",") if name.strip()]
