"""The settings that all four services share, and how settings are read and checked: each number has both bounds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from apps.addresses import PostgresAddress, RedisAddress
from apps.hosts import OWN_HOSTS, hosts_from
from apps.inputs import number_in_settings

DECIMALS = 4
"""No number in the settings has more digits after the point, so that none is endlessly small."""

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
    places = "" if field.annotation is int else f", with {_decimals(field)} decimals at most"
    return f"must be {_NUMBERS[field.annotation]}, {' and '.join(said)}{places}"


def _decimals(field: FieldInfo) -> int:
    return next((given for each in field.metadata if (given := getattr(each, "decimal_places", None))), DECIMALS)


class CheckedSettings(BaseSettings):
    """Settings from variables in capital letters; an empty one is as if it were not set.

    Numbers are in plain ASCII digits, with `DECIMALS` after the point at most.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # pydantic's own source also reads `position_limit`, which then counts more than POSITION_LIMIT.
        names = [name for name in cls.model_fields if os.environ.get(name.upper())]
        return init_settings, InitSettingsSource(settings_cls, {name: os.environ[name.upper()] for name in names})

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, info: ValidationInfo) -> object:
        assert info.field_name is not None
        field = cls.model_fields[info.field_name]
        if field.annotation not in _NUMBERS:
            return value
        value = number_in_settings(value)
        if isinstance(value, str) and (Fraction(value) * 10**DECIMALS).denominator != 1:
            raise PydanticCustomError("decimals", f"has more than {DECIMALS} digits after the point")
        return value


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
