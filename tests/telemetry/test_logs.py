"""The log has one line per event, in text or JSON, with the time in UTC and with secrets masked."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import set_up_logging
from telemetry.logs import EVENT_CHARACTERS, JsonFormatter, LineFormatter, Secrets
from tests.telemetry.apart import apart

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([A-Z]+) ([\w-]+) ([\w.]+): (.*)")


def record(message: object, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    information = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("a.module", logging.WARNING, "module.py", 1, message, arguments, information)
    made.created = 1583764200.12345
    return made


def line(message: object, *arguments: object, error: BaseException | None = None) -> str:
    return LineFormatter("a-service", Secrets({})).format(record(message, *arguments, error=error))


def masked(text: str, **environment: str) -> str:
    said = LineFormatter("a-service", Secrets(environment)).format(record("%s", text))
    return said.removeprefix("2020-03-09T14:30:00.123Z WARNING a-service a.module: ")


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_line_has_time_level_service_logger_and_message() -> None:
    assert line("%d fills", 3) == "2020-03-09T14:30:00.123Z WARNING a-service a.module: 3 fills"


def test_json_has_the_same_parts_as_keys() -> None:
    said = JsonFormatter("a-service", Secrets({})).format(record("%d fills", 3, error=raised(KeyError("x"))))

    fields = json.loads(said)
    trace = fields.pop("exception")
    assert fields == {
        "time": "2020-03-09T14:30:00.123Z",
        "level": "WARNING",
        "service": "a-service",
        "logger": "a.module",
        "message": "3 fills",
    }
    assert trace.startswith("Traceback (most recent call last):\n")
    assert trace.endswith("\nKeyError: 'x'")


def test_a_traceback_is_in_the_line_of_its_event() -> None:
    said = line("no book", error=raised(ValueError("two\nlines")))

    assert "\n" not in said
    assert "no book Traceback (most recent call last):\\n  File " in said
    assert said.endswith("ValueError: two\\nlines")


def test_a_stack_that_was_asked_for_is_in_the_line() -> None:
    made = record("where")
    made.stack_info = "Stack (most recent call last):\n  here"

    assert LineFormatter("s", Secrets({})).format(made).endswith(": where Stack (most recent call last):\\n  here")


def test_a_traceback_and_a_stack_are_both_in_the_line() -> None:
    made = record("where", error=raised(KeyError("x")))
    made.stack_info = "Stack (most recent call last):\n  here"

    said = LineFormatter("s", Secrets({})).format(made)

    assert said.endswith("KeyError: 'x'\\nStack (most recent call last):\\n  here")


@given(st.text())
def test_every_message_is_one_line_without_control_characters(text: str) -> None:
    said = line("%s", text)

    assert len(said.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", said)
    assert len(JsonFormatter("s", Secrets({})).format(record("%s", text)).splitlines()) == 1


@pytest.mark.parametrize(("message", "arguments"), [("%d fills", ("three",)), ("%s", ()), ("%s %s", (1,))])
def test_a_message_that_does_not_fit_its_arguments_is_still_logged(message: str, arguments: tuple[object, ...]) -> None:
    said = line(message, *arguments)

    assert said.split(": ", 1)[1].startswith((repr(message), message))


class Unwritable:
    """Raises when it is converted to text."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_a_message_with_an_argument_that_cannot_be_written_is_still_logged() -> None:
    assert line("it is %s", Unwritable()).endswith("'it is %s' (its arguments do not fit)")
    assert line(Unwritable()).endswith(": a Unwritable that cannot be written (its arguments do not fit)")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://user:hunter2@host:5432/trading", "postgresql://user:***@host:5432/trading"),
        ("postgresql://user:hun/t@er#2@host/trading", "postgresql://user:***@host/trading"),
        ("redis://:hunter2@host:6379/0 is away", "redis://:***@host:6379/0 is away"),
        ("'https://hooks:hunter2@host/x'", "'https://hooks:***@host/x'"),
        ("password=hunter2 host=x", "password=*** host=x"),
        ("host=x?password=hunter2&x=1", "host=x?password=***&x=1"),
        ("{'password': 'hunter2'}", "{'password': ***}"),
        ("PGPASSWORD is not it, but Password: hunter2", "PGPASSWORD is not it, but Password: ***"),
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ("Authorization: Token hunter2", "Authorization: ***"),
        ('authorization: Digest username="u", response="hunter2"', "authorization: ***"),
        ("[(b'authorization', b'ApiKey hunter2'), (b'a', b'b')]", "[(b'authorization', ***), (b'a', b'b')]"),
        ("{'Proxy-Authorization': 'Basic hunter2', 'a': 'b'}", "{'Proxy-Authorization': ***, 'a': 'b'}"),
        ("access_token=hunter2&client_secret=hunter2", "access_token=***&client_secret=***"),
        ("DB_PASSWORD=hunter2 PGPASSWORD=hunter2", "DB_PASSWORD=*** PGPASSWORD=***"),
        (r"""{"password": "hun\"hunter2", "a": 1}""", '{"password": ***, "a": 1}'),
        (r"""{\"password\": \"hunter2\"}""", r"""{\"password\": ***"""),
        ('{"token": "hunter2 which is cut he', '{"token": ***'),
        ("compass: north, bypass=1", "compass: north, bypass=1"),
        ("api_key=hunter2, token = 'hun ter2'", "api_key=***, token = ***"),
        ("a host:port@x is none, user@host neither", "a host:port@x is none, user@host neither"),
        ("http://127.0.0.1:8002/health answers 503", "http://127.0.0.1:8002/health answers 503"),
    ],
)
def test_a_password_in_an_address_or_a_pair_is_masked(said: str, shown: str) -> None:
    assert masked(said) == shown


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE_URL", "postgresql://user:hunter2@host/trading", "authentication of hunter2 failed"),
        ("DATABASE_URL", "postgresql://user:hunter%2F2@host/trading", "authentication of hunter/2 failed"),
        ("DATABASE_URL", "postgresql://user:hunter/2@host/trading", "Port could not be cast to integer: 'hunter'"),
        ("DATABASE_URL", "postgresql://user:12#hunter2@host/trading", "invalid hunter2@host"),
        ("DATABASE_URL", "postgresql://user@host/trading?password=hunter2", "hunter2 is wrong"),
        ("DATABASE_URL", "postgresql://user:12?hunter2@host/x", "bad query field: 'hunter2@host/x'"),
        ("REDIS_URL", "redis://:hunter2@host", "AUTH hunter2"),
        ("PGPASSWORD", "ab://hunter2", "refused ab://hunter2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-origin=https://a.b,x-team=hunter2", "header hunter2 refused"),
        ("REDIS_URL", "redis://:p@hunter/2@host", "Error -2 connecting to hunter:6379"),
        ("PGPASSWORD", "hunter2", "'hunter2'"),
        ("SLACK_TOKEN", "hunter2", "(hunter2)"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=7,authorization=Basic%20hunter2", "sent Basic hunter2"),
    ],
)
def test_a_secret_from_the_environment_is_masked_everywhere(variable: str, value: str, said: str) -> None:
    assert "hunter" in masked(said)
    assert "hunter" not in masked(said, **{variable: value})
    assert "***" in masked(said, **{variable: value})


def test_a_secret_is_masked_in_an_exception_too() -> None:
    error = raised(ValueError("invalid DSN postgresql://user:hunter2@host:port/trading"))

    said = line("no database", error=error)

    assert "hunter2" not in said
    assert said.endswith("invalid DSN postgresql://user:***@host:port/trading")


@pytest.mark.parametrize("piece", ["://", "://a:", "a:", "password", "password= ", "password ", "token='", "\n"])
@pytest.mark.timeout(20)  # patterns without limits take minutes
def test_a_line_of_a_megabyte_is_cut(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    said = masked(text)

    assert len(said) < 3 * EVENT_CHARACTERS
    assert f" ... {len(text) - EVENT_CHARACTERS} characters are left out ... " in said


def test_a_long_traceback_keeps_its_end_because_the_error_is_there() -> None:
    said = line("no book", error=raised(ValueError("x" * EVENT_CHARACTERS + " in the end")))

    assert "no book Traceback (most recent call last):" in said
    assert said.endswith(" in the end")


def test_no_half_of_a_secret_is_left_where_a_line_is_cut() -> None:
    text = "x" * (EVENT_CHARACTERS - 10) + " hunter2-and-more " + "x" * 100_000

    assert "hunter2" not in masked(text, DB_PASSWORD="hunter2-and-more")  # noqa: S106
    text = "x" * 100_000 + " hunter2-and-more " + "x " * (4 * 1024 - 5)
    assert "more" not in masked(text, DB_PASSWORD="hunter2-and-more")  # noqa: S106


def test_the_number_of_a_tenant_is_no_secret() -> None:
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "X-Scope-OrgID=1"}

    assert masked("run 1 of 127.0.0.1", **environment) == "run 1 of 127.0.0.1"


def test_a_short_secret_is_not_masked_inside_words() -> None:
    environment = {"DB_PASSWORD": "a"}

    assert masked("a trade at the open", **environment) == "*** trade at the open"


def an_untidy_service() -> list[str]:
    set_up_logging("execution_gateway")
    set_up_logging("execution_gateway")
    logging.getLogger("apps.desk").info("begun")
    logging.getLogger("apps.desk").debug("on a tick")
    logging.getLogger("uvicorn.error").error("of the server")
    logging.getLogger("httpx").info("a request")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("old\nways", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    return []


def lines(log: str) -> list[tuple[str, str, str, str]]:
    """Level, service, logger and message of each line. Fails when a line has another format."""
    found = [LINE.fullmatch(each) for each in log.splitlines()]
    assert all(found), log
    return [(each[2], each[3], each[4], each[5]) for each in found if each is not None]


def test_everything_in_a_process_is_logged_once_and_in_one_form() -> None:
    # `apart` has its own handler, which also writes every event, in another format.
    log = apart(an_untidy_service).log
    said = lines("\n".join(each for each in log.splitlines() if LINE.match(each)))

    assert [entry[:3] for entry in said] == [
        ("INFO", "execution-gateway", "apps.desk"),
        ("ERROR", "execution-gateway", "uvicorn.error"),
        ("WARNING", "execution-gateway", "py.warnings"),
        ("ERROR", "execution-gateway", "telemetry.logs"),
    ]
    assert "DeprecationWarning: old\\nways" in said[2][3]
    assert said[3][3].startswith("thread worker ended: ZeroDivisionError Traceback")


def ended(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import telemetry, logging\ntelemetry.set_up_logging('a_service')\n{code}"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_error_that_ends_a_process_is_logged_as_one_line() -> None:
    done = ended("raise KeyError('x')")

    assert done.returncode == 1
    [(level, service, _, message)] = lines(done.stderr)
    assert (level, service) == ("CRITICAL", "a-service")
    assert message.startswith("the process ends: KeyError Traceback (most recent call last):\\n")


def test_the_sentence_of_a_system_exit_is_printed_unchanged() -> None:
    done = ended("raise SystemExit('QTY=x: not a number')")

    assert (done.returncode, done.stderr) == (1, "QTY=x: not a number\n")


def test_an_error_in_a_finalizer_is_logged_as_one_line() -> None:
    code = "class A:\n def __del__(self): raise KeyError('x')\na = A()\ndel a"

    [(level, _, name, message)] = lines(ended(code).stderr)

    assert (level, name) == ("ERROR", "telemetry.logs")
    assert message.startswith("an error that no code can catch: KeyError Traceback (most recent call last):\\n")


def test_an_event_that_cannot_be_written_is_said_in_one_line() -> None:
    record = "{'name': 'apps', 'levelno': 30, 'msg': 'x', 'created': 1e30}"
    code = f"logging.getLogger('apps').handle(logging.makeLogRecord({record}))"

    [(level, _, name, message)] = lines(ended(code).stderr)

    assert (level, name) == ("ERROR", "telemetry.logs")
    assert message.startswith("an event of apps cannot be written: ")


def test_log_level_counts_for_the_server_too() -> None:
    code = "import uvicorn; uvicorn.Config('x:y'); telemetry.set_up_logging('a')\n"
    code += "for name in ('uvicorn', 'uvicorn.error', 'uvicorn.access'): logging.getLogger(name).warning('x')"

    assert lines(ended(code, LOG_LEVEL="ERROR").stderr) == []
    assert len(lines(ended(code).stderr)) == 3


@pytest.mark.parametrize(
    ("environment", "levels"),
    [
        ({}, ["INFO", "WARNING"]),
        ({"LOG_LEVEL": "debug"}, ["DEBUG", "INFO", "WARNING"]),
        ({"LOG_LEVEL": " WARNING "}, ["WARNING"]),
        ({"LOG_LEVEL": "CRITICAL"}, []),
    ],
)
def test_log_level_sets_the_level(environment: dict[str, str], levels: list[str]) -> None:
    speak = "for say in ('debug', 'info', 'warning'): getattr(logging.getLogger('apps'), say)('x')"

    assert [level for level, _, logger, _ in lines(ended(speak, **environment).stderr) if logger == "apps"] == levels


def test_log_format_sets_the_format() -> None:
    said = json.loads(ended("logging.getLogger('apps').info('x')", LOG_FORMAT="json").stderr)

    assert (said["level"], said["service"], said["message"]) == ("INFO", "a-service", "x")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL=LOUD is none of DEBUG, INFO, WARNING, ERROR, CRITICAL: INFO is used"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT=xml is none of text, json: text is used"),
    ],
)
def test_for_an_unknown_setting_a_warning_is_logged_and_the_default_is_used(
    variable: str, value: str, said: str
) -> None:
    [(level, _, _, message), (_, _, _, after)] = lines(
        ended("logging.getLogger('apps').info('x')", **{variable: value}).stderr
    )

    assert (level, message, after) == ("WARNING", said, "x")


def test_the_time_is_that_of_the_event() -> None:
    before = time.time()
    said: dict[str, Any] = json.loads(ended("logging.getLogger('apps').info('x')", LOG_FORMAT="json").stderr)

    seconds = time.strptime(said["time"][:19], "%Y-%m-%dT%H:%M:%S")
    assert before - 1 <= (time.mktime(seconds) - time.timezone) <= time.time()
