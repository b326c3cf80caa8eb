"""The addresses of PostgreSQL, Redis and services in settings: what is wrong with one is said, and none is shown."""

from __future__ import annotations

import inspect
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import asyncpg
import redis.asyncio
from pydantic import AfterValidator, Field
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from apps.inputs import http_address


def _address_like(example: str, *schemes: str) -> AfterValidator:
    def check(address: str) -> str:
        try:
            parts = urlsplit(address)
            hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL allows several hosts
            whole = (
                not parts.fragment and "@" not in parts.path + parts.query
            )  # otherwise urlsplit ended the password too early
            known = parts.scheme in schemes and whole and all(urlsplit(f"//{host}").port != 0 for host in hosts)
            known = known and "\0" not in unquote(address) and all(name for name, _ in parse_qsl(parts.query))
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"is not an address like {example}; special characters of a password are written as %2F")
        return address

    return AfterValidator(check)


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK)


# What somebody may need who has a Redis elsewhere. Not time-outs, sizes and encodings: the services have their own, and
# what they promise depends on them.
_OPTIONS: dict[str, Callable[[str], bool]] = {
    "db": _matches("[0-9]{1,9}"),
    "protocol": _matches("[23]"),
    "username": bool,
    "password": bool,
    "client_name": _matches("[!-~]{1,200}"),  # Redis refuses others
    "ssl_ca_certs": _is_readable,
    "ssl_ca_path": _is_readable,
    "ssl_certfile": _is_readable,
    "ssl_keyfile": _is_readable,
    "ssl_password": bool,
    "ssl_cert_reqs": _matches("none|optional|required"),
    "ssl_check_hostname": _matches("true|false"),
}
# Any other word in the place of an option may be a part of a password, and is not shown.
_REDIS_KNOWS = {
    name
    for made in (
        *(AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection),
        redis.asyncio.ConnectionPool,
    )
    for name in inspect.signature(made.__init__).parameters
}


def _redis_takes(address: str) -> str:
    """Raises ValueError for what redis-py cannot use, or would silently take for something else."""
    parts = urlsplit(address)
    if parts.scheme != "unix" and not re.fullmatch(r"/?|/[0-9]{1,9}", parts.path):
        raise ValueError("has a database that is not a number like /0")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        allowed = _OPTIONS.get(name)
        if allowed is None or (name.startswith("ssl_") and parts.scheme != "rediss"):
            shown = f"the option {name}" if name in _REDIS_KNOWS else "an option"
            raise ValueError(f"has {shown} that is not one of {', '.join(_OPTIONS)} (ssl_* only with rediss://)")
        if not allowed(value):
            raise ValueError(f"has a value for the option {name} that cannot be used")
    try:
        unquote(parts.hostname or "").encode("idna")  # the system does so, to look up the host
        pool: Any = redis.asyncio.ConnectionPool.from_url(address)
        connection = pool.make_connection()
        if parts.scheme == "rediss":
            connection.ssl_context.get()  # reads the certificates
    except Exception:  # of many types, and the text may quote the password
        raise ValueError("cannot be used by redis-py") from None
    return address


# repr=False, because an address may hold a password.
PostgresAddress = Annotated[
    str, _address_like("postgresql://user:password@host:5432/trading", "postgresql", "postgres"), Field(repr=False)
]
RedisAddress = Annotated[
    str,
    _address_like("redis://:password@host:6379/0", "redis", "rediss", "unix"),
    AfterValidator(_redis_takes),
    Field(repr=False),
]
ServiceAddress = Annotated[str, AfterValidator(http_address), Field(repr=False)]


# What PostgreSQL answers to a new connection for a user, database or option that it does not have or does not allow.
_REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError,
             asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.CantChangeRuntimeParamError,
             asyncpg.UndefinedFileError)  # fmt: skip


def problem_of_postgres(error: Exception, address: str) -> str | None:
    """Why no connection can be had with this address, without a password. None for an error that may pass."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # a certificate that was refused is both
        return f"asyncpg does not take one of its parts or options ({type(error).__name__})"
    if isinstance(error, _REFUSALS):
        return f"PostgreSQL says {str(error).splitlines()[0]}"
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched) and (option := only_reads(address)):
        return f"its option {option} asks for a server to read from"
    # A socket that is not there yet and a certificate that is not there are the same error.
    if isinstance(error, OSError) and (option := _unreadable(address)):
        return f"the file of its option {option} cannot be read"
    return None


def _unreadable(address: str) -> str:
    """The option whose file cannot be read. Empty if there is none."""
    for name in ("sslrootcert", "sslcrl", "sslcert", "sslkey"):
        if file := _option(address, name):
            try:
                if name in ("sslrootcert", "sslcrl"):
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
                else:
                    Path(file).read_bytes()
            except OSError:  # an error of SSL as well
                return name
    return ""


def _option(address: str, name: str) -> str:
    return parse_qs(urlsplit(address).query).get(name, [""])[-1]


def only_reads(address: str) -> str:
    """The option that asks for a server that only reads. Empty if there is none: then a server may change its role."""
    if _option(address, "target_session_attrs") in ("standby", "read-only"):
        return "target_session_attrs"
    asked = _option(address, "default_transaction_read_only").lower() not in ("", "off", "false", "no", "0")
    return "default_transaction_read_only" if asked else ""
