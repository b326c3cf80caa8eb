"""Sends what curl would send, without curl: it need not be installed."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable

import httpx


def send(command: str, here: Callable[[str], str]) -> httpx.Response:
    """The answer, which must be a good one. `here` makes the address of this test of the usual one.

    An option that is not known fails.
    """
    parser = argparse.ArgumentParser(prog="curl", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-sS", action="store_true")
    parser.add_argument("-X")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("--data-urlencode", action="append", default=[])
    given = parser.parse_args(shlex.split(command)[1:])
    headers = dict(header.split(": ", 1) for header in given.H)
    form = {name: value for pair in given.data_urlencode for name, _, value in [pair.partition("=")]}
    if given.d is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
    method = given.X or ("POST" if given.d is not None or form else "GET")
    response = httpx.request(method, here(given.url), headers=headers, content=given.d, data=form or None)
    assert response.is_success, f"{command}: {response.status_code} {response.text}"
    return response
