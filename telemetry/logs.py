"""Logging of a service: one line per event on stderr, as text or as JSON, with secrets masked.

    2020-03-09T14:30:00.123Z WARNING signal-service apps.signal_service.signals: making signals fails: TimeoutError

The service calls `set_up_logging`, because a library should not set up logging when it is imported.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TextIO
from urllib.parse import parse_qsl, unquote, urlsplit

from telemetry.repeats import Repeats
from telemetry.spans import cause

logger = logging.getLogger(__name__)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("text", "json")
MASK = "***"
EVENT_CHARACTERS = 32 * 1024
"""The most characters of a message, and of a traceback, that are logged."""
_LAST_CHARACTERS = 8 * 1024  # of those, because a traceback ends with the error

# Characters that end a line or move the cursor of a terminal: C0, DEL, C1 and the line ends of Unicode.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ESCAPES |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}

_SECRET_VARIABLE = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|KEY|CREDENTIALS|HEADERS)$", re.IGNORECASE)
# Matches up to the last @ of the word, because an unescaped / or @ may be part of the password. The lengths have
# limits: without them a long line of "://" takes minutes.
_IN_ADDRESS = re.compile(r"(?<=://)([^\s:@/]{0,100}):\S{0,400}@")
# A quoted value may contain escaped quotes. One without its closing quote was cut, and is masked to its end.
_QUOTED = r"(?:\\{1,3}|b)?(?:\"(?:[^\"\\]|\\.){0,4000}\"?|'(?:[^'\\]|\\.){0,4000}'?)"
_NAME_ENDS = r"(?:\\{0,3}['\"])?\s{0,9}"
_IN_PAIR = re.compile(
    r"(?i)\b((?:\w{0,40}_|pg)?(?:pass(?:word|wd)?|pwd|secret|token|api[_-]?key|routing_key))\b"
    rf"({_NAME_ENDS}[=:]\s{{0,9}})({_QUOTED}|[^\s,;&'\"]+)"
)
# The value of this header has several words. Without quotes, it goes to the end of the line.
_IN_HEADER = re.compile(rf"(?i)\b((?:proxy-)?authorization)\b({_NAME_ENDS}[=:,]\s{{0,9}})({_QUOTED}|[^\r\n]+)")


class Secrets:
    """Masks passwords in addresses, secrets in pairs such as `token=...`, and secrets from the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        known = {secret for name, value in environment.items() for secret in _secrets_in(name, value)}
        # The longest first, because one secret may be a part of another. Only whole words, because a short secret may
        # be a part of many words.
        words = "|".join(re.escape(secret) for secret in sorted(known, key=len, reverse=True))
        self._known = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None

    def masked(self, text: str) -> str:
        """The text with every secret replaced by `***`. Of more than `EVENT_CHARACTERS`, the middle is left out."""
        left_out = len(text) - EVENT_CHARACTERS
        if left_out <= 0:
            return self._mask(text)
        # More is masked than is kept, because half a secret would not be found.
        first = EVENT_CHARACTERS - _LAST_CHARACTERS
        head = self._mask(text[: 2 * first])[:first]
        tail = self._mask(text[-2 * _LAST_CHARACTERS :])[-_LAST_CHARACTERS:]
        return f"{head} ... {left_out} characters are left out ... {tail}"

    def _mask(self, text: str) -> str:
        text = _IN_ADDRESS.sub(rf"\1:{MASK}@", text)
        text = _IN_HEADER.sub(rf"\1\2{MASK}", text)
        text = _IN_PAIR.sub(rf"\1\2{MASK}", text)
        return text if self._known is None else self._known.sub(MASK, text)


def _secrets_in(name: str, value: str) -> Iterator[str]:
    if name.upper().endswith("HEADERS"):  # OTEL_EXPORTER_OTLP_HEADERS: name=value,name=value
        for pair in value.split(","):
            secret = pair.partition("=")[2].strip()
            if len(secret) > 3:  # a shorter one is the number of a tenant, and no key
                yield from (secret, unquote(secret))
    elif _SECRET_VARIABLE.search(name) and value.strip():
        yield value.strip()
    if "://" in value:
        yield from _passwords(value)


def _passwords(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
        # urlsplit ends a password at an unescaped / or #. The rest of it is then in the path or in the fragment.
        well_formed = parts.port != 0 and not parts.fragment and "@" not in parts.path + parts.query
        password = parts.password if well_formed else None
        queried = [value for name, value in parse_qsl(parts.query) if name == "password"]
    except ValueError:
        well_formed, password, queried = False, None, []
    found = [*queried, *([password] if password else [])]
    if not well_formed:
        # We cannot know where the password ends, and an error may quote a piece of it. So every piece is a secret.
        credentials = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
        found += [credentials, *(piece for piece in re.split(r"[:/?#@\[\]\s]", credentials) if len(piece) > 2)]
    for each in filter(None, found):
        yield each
        yield unquote(each)


class LineFormatter(logging.Formatter):
    """Formats an event as one line of text, also when its message or its traceback has line ends."""

    def __init__(self, service: str, secrets: Secrets) -> None:
        super().__init__()
        self._service = service
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The event as one line. Line ends in the message or the traceback are written as `\\n`."""
        fields = self.fields(record)
        message = " ".join(filter(None, (fields["message"], fields.get("exception"))))
        head = f"{fields['time']} {fields['level']} {fields['service']} {fields['logger']}"
        if "trace_id" in fields:
            head += f" trace_id={fields['trace_id']} span_id={fields['span_id']}"
        return f"{head}: {message}".translate(_ESCAPES)

    def fields(self, record: logging.LogRecord) -> dict[str, str]:
        """The parts of the event, masked. The time is in UTC with milliseconds.

        `exception` is there if there was one, and `trace_id` and `span_id`, in hexadecimal digits, within a span.
        """
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": self._secrets.masked(_message(record)),
        }
        error = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None
        if traces := "\n".join(filter(None, (error, record.stack_info))):
            fields["exception"] = self._secrets.masked(traces)
        if (here := cause()) is not None:
            fields["trace_id"] = format(here.place.trace_id, "032x")
            fields["span_id"] = format(here.place.span_id, "016x")
        return fields


class JsonFormatter(LineFormatter):
    """Formats an event as one JSON object per line, with the same parts."""

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON, which escapes line ends itself."""
        return json.dumps(self.fields(record))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the arguments may not fit the message, or may raise: the event must be logged anyway
        return f"{_shown(record.msg)} (its arguments do not fit)"


def _shown(message: object) -> str:
    try:
        return repr(message)
    except Exception:
        return f"a {type(message).__name__} that cannot be written"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr, without repeats. An event that cannot be formatted becomes a line that says so."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the event, unless it is one of the repeats that clients cause."""
        kept = self._repeats.kept(record)
        if kept is not None:
            super().emit(kept)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        kind = sys.exc_info()[0]
        said = logging.LogRecord(
            logger.name,
            logging.ERROR,
            record.pathname,
            record.lineno,
            "an event of %s cannot be written: %s in %s, line %s",
            (record.name, kind and kind.__name__, record.pathname, record.lineno),
            None,
        )
        with suppress(Exception):  # stderr itself may be closed
            self.stream.write(self.format(said) + self.terminator)
            self.flush()


def set_up_logging(service_name: str) -> None:
    """Makes this process log one line per event on stderr, including uvicorn's events and Python's warnings.

    `service_name` is the name that is passed to `init`. Call this first, so that errors at the start are logged in the
    same form. A second call replaces the first. Of a line that any client can cause, one a minute is logged.

    `LOG_LEVEL` is DEBUG, INFO (the default), WARNING, ERROR or CRITICAL. `LOG_FORMAT` is `text` (the default) or
    `json`, with the keys time, level, service, logger and message, and exception, trace_id and span_id where they are
    known. For another value, the default is used and a warning is logged.

    Example:

        telemetry.set_up_logging("execution_gateway")
        app = FastAPI()
        telemetry.init("execution_gateway", app)
    """
    level, level_problem = _chosen("LOG_LEVEL", "INFO", LEVELS)
    form, format_problem = _chosen("LOG_FORMAT", "text", FORMATS)
    formatter = JsonFormatter if form == "json" else LineFormatter
    handler = _Handler(sys.stderr)
    handler.setFormatter(formatter(service_name.replace("_", "-"), Secrets(os.environ)))
    root = logging.getLogger()
    for before in [each for each in root.handlers if isinstance(each.formatter, LineFormatter)]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(level)
    # httpx logs every request that a client sends, and redis every pool that is created.
    for name in ("httpx", "redis.observability"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
        theirs.setLevel(max(theirs.level, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable
    for problem in filter(None, (level_problem, format_problem)):
        logger.warning("%s", problem)


def _chosen(variable: str, default: str, known: tuple[str, ...]) -> tuple[str, str]:
    given = os.environ.get(variable, "").strip()
    chosen = given.upper() if default.isupper() else given.lower()
    if not chosen or chosen in known:
        return chosen or default, ""
    return default, f"{variable}={given} is none of {', '.join(known)}: {default} is used"


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger.critical("the process ends: %s", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not issubclass(arguments.exc_type, SystemExit):
        name = arguments.thread.name if arguments.thread else "?"
        logger.error(
            "thread %s ended: %s",
            name,
            arguments.exc_type.__name__,
            exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
        )


def _log_unraisable(arguments: sys.UnraisableHookArgs) -> None:
    """An error in a finalizer, such as `__del__`. Python would print its traceback over several lines."""
    error = arguments.exc_value
    logger.error(
        "%s: %s",
        arguments.err_msg or "an error that no code can catch",
        arguments.exc_type.__name__,
        exc_info=error and (type(error), error, arguments.exc_traceback),
    )
