"""Measures the calls of asyncpg: statements, prepared statements, cursors, COPY and new connections.

asyncpg's own `add_query_logger` is set on each connection. It sees no prepared statement, cursor or COPY, and no error
before the statement is sent. So the methods of its classes are measured: that holds for every subclass, and also for
connections that exist already, and each call is what its caller sees.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal

from asyncpg import connect_utils, connection, cursor, prepared_stmt

from telemetry.catalogue import db_client_errors_total, db_client_operation_duration_seconds
from telemetry.histograms import BoundHistogram
from telemetry.wrapping import is_suppressed, wrap

POSTGRESQL: Literal["postgresql"] = "postgresql"
OPERATIONS = frozenset({
    "ABORT", "ALTER", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMENT", "COMMIT", "COPY",
    "CREATE", "DEALLOCATE", "DECLARE", "DELETE", "DISCARD", "DO", "DROP", "END", "EXECUTE", "EXPLAIN", "FETCH", "GRANT",
    "IMPORT", "INSERT", "LISTEN", "LOAD", "LOCK", "MERGE", "MOVE", "NOTIFY", "PREPARE", "REASSIGN", "REFRESH",
    "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SECURITY", "SELECT", "SET", "SHOW", "START",
    "TABLE", "TRUNCATE", "UNLISTEN", "UPDATE", "VACUUM", "VALUES", "WITH",
})  # fmt: skip
"""The first words of PostgreSQL's commands. A text that begins otherwise is `_OTHER`."""
OTHER = "_OTHER"

# Possessive, so that no text can make it slow.
_FIRST_WORD = re.compile(r"(?>[\s(;]++|--[^\n]*+|/\*.*?\*/)*+([A-Za-z]++)", re.DOTALL)
_RESET = "SELECT pg_advisory_unlock_all();"
"""How the text begins that asyncpg sends when a connection goes back to its pool."""


def operation(statement: object) -> str:
    """The first word of a statement, after comments and parentheses. A statement with a CTE is `WITH`."""
    if not isinstance(statement, str):
        return OTHER
    if statement.startswith(_RESET):
        return "RESET"
    found = _FIRST_WORD.match(statement)
    word = found[1].upper() if found else ""
    return word if word in OPERATIONS else OTHER


def measure() -> None:
    """Has all connections measured, those that exist and those to come. A second call changes nothing."""
    for name in ("execute", "executemany", "fetch", "fetchmany", "fetchrow", "fetchval"):
        wrap(connection.Connection, name, _named(_of_statement))
    for name in ("copy_from_query", "copy_from_table", "copy_records_to_table", "copy_to_table"):
        wrap(connection.Connection, name, _named(lambda *_: "COPY"))
    wrap(connection.Connection, "prepare", _named(lambda *_: "PREPARE"))
    for name in ("executemany", "fetch", "fetchmany", "fetchrow", "fetchval"):
        wrap(prepared_stmt.PreparedStatement, name, _named(lambda args, _: operation(args[0]._query)))
    wrap(cursor.Cursor, "_init", _named(lambda *_: "DECLARE"))
    wrap(cursor.Cursor, "forward", _named(lambda *_: "MOVE"))
    for name in ("fetch", "fetchrow"):
        wrap(cursor.Cursor, name, _named(_of_cursor))
    wrap(cursor.CursorIterator, "__anext__", _named(_of_cursor))
    wrap(connect_utils, "_connect", _named(lambda *_: "CONNECT"))


Name = Callable[[tuple[Any, ...], dict[str, Any]], str | None]
"""What a call with these arguments is. None: it does not ask the server."""


def _of_statement(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return operation(args[1] if len(args) > 1 else kwargs.get("query", kwargs.get("command")))


def _of_cursor(args: tuple[Any, ...], _: dict[str, Any]) -> str | None:
    asks = not args[0]._exhausted and not getattr(args[0], "_buffer", None)
    return "FETCH" if asks else None


def _named(name_of: Name) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Measures a function, each call under its name."""

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        async def measured(*args: Any, **kwargs: Any) -> Any:
            name = None if is_suppressed() else name_of(args, kwargs)
            if name is None:
                return await original(*args, **kwargs)
            began = perf_counter()
            try:
                answer = await original(*args, **kwargs)
            except StopAsyncIteration:  # a cursor has no more rows
                _record(name, began)
                raise
            except BaseException as error:  # also when the caller is cancelled
                _record(name, began, error)
                raise
            _record(name, began)
            return answer

        return measured

    return around


@functools.lru_cache(maxsize=1000)
def _series(name: str, error_type: str) -> BoundHistogram:
    return db_client_operation_duration_seconds.bind(
        {"db_system": POSTGRESQL, "db_operation_name": name, "error_type": error_type}
    )


def _record(name: str, began: float, error: BaseException | None = None) -> None:
    error_type = "" if error is None else type(error).__name__
    _series(name, error_type).record(perf_counter() - began)
    if error is not None:
        db_client_errors_total.add(1, {"db_system": POSTGRESQL, "error_type": error_type})
