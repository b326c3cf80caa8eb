"""A command of the runbooks can be copied: the service has its path, and takes its body."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from apps.execution_gateway.models import BreakerChange
from tests.documents import ROOT, commands, spans

RUNBOOKS = ROOT / "docs" / "RUNBOOKS" / "prometheus-alerts.md"
SERVICES = {"8002": "execution_gateway", "8004": "market_data_service"}
CURL = sorted({text for text in [*commands(RUNBOOKS), *spans(RUNBOOKS)] if text.startswith("curl ")})
ROUTE = re.compile(r'@\w+\.(get|post|delete)\(\s*"(/[^"]*)"')


def routes(service: str) -> set[tuple[str, str]]:
    """Method and path of each route, with dots for what is in the path."""
    source = (ROOT / "apps" / service / "api.py").read_text()
    return {(method.upper(), "/api/v1" + re.sub(r"{\w+}", "...", path)) for method, path in ROUTE.findall(source)}


@pytest.mark.parametrize("command", CURL)
def test_a_request_goes_to_an_address_that_answers_it(command: str) -> None:
    words = shlex.split(command)
    [address] = [word for word in words if word.startswith("http")]
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[^?]*)?(?:\?.*)?", address)
    assert found
    if found[1] not in SERVICES:  # not ours: Prometheus, Alertmanager, the collector; or the pager
        return
    body = words[words.index("-d") + 1] if "-d" in words else None
    method = "DELETE" if "DELETE" in words else "POST" if body else "GET"

    assert (method, found[2]) in routes(SERVICES[found[1]])
    if body:
        assert json.loads(body).keys() == BreakerChange.model_fields.keys()
        assert "content-type: application/json" in words


def test_the_other_commands_are_those_of_make() -> None:
    others = {command for command in commands(RUNBOOKS) if not command.startswith("curl ")}

    assert others == {"make trip REASON='why' BY=who"}


def test_no_address_is_half_one() -> None:
    assert [
        span for span in spans(RUNBOOKS) if re.match(r"(?:(?:GET|POST|DELETE|PUT) )?:\d+|(?:GET|POST|DELETE) /", span)
    ] == []
