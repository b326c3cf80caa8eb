"""The files of the bundle: what type each is of, compressed once, and not sent again to a browser that has it."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

# Not from `mimetypes`: that asks the machine, and a browser runs no script of an unknown type.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
# They are compressed by their format.
_SMALL = (".png", ".woff", ".woff2")
# esbuild writes a hash of the content into the names of chunks: main-JX5GXWTR.js.
_HASHED = re.compile(r"-[A-Z0-9]{8}\.\w+$")
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_GZIP = re.compile(r"^gzip\s*;\s*q=0(\.0*)?$")


@dataclass(frozen=True)
class _File:
    body: bytes
    compressed: bytes | None
    tag: str


def answer(request: Request, folder: Path, path: str) -> Response:
    """The file at this path below the folder, compressed when asked for. 304 if the browser has it, 404 without one."""
    file = _found(folder, path)
    if file is None:
        return PlainTextResponse("there is no such file", 404)
    there = file.stat()
    loaded = _loaded(file, there.st_mtime_ns, there.st_size)
    headers = {
        "cache-control": _FOR_EVER if _HASHED.search(file.name) else "no-cache",
        "content-type": TYPES.get(file.suffix, "application/octet-stream"),
        "etag": loaded.tag,
        "vary": "accept-encoding",
    }
    if loaded.tag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        return Response(None, 304, headers)
    if loaded.compressed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(loaded.compressed, headers=headers | {"content-encoding": "gzip"})
    return Response(loaded.body, headers=headers)


def _found(folder: Path, path: str) -> Path | None:
    """None for what is not a file below the folder, by whatever way: `..`, an absolute path, a link, no path at all."""
    try:
        file = (folder / path).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


@lru_cache(maxsize=1024)
def _loaded(file: Path, changed: int, size: int) -> _File:
    """Read again when it has changed."""
    body = file.read_bytes()
    compressed = None if file.suffix in _SMALL else gzip.compress(body, mtime=0)
    # A weak tag: both forms have the same content.
    return _File(body, compressed, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')


def _takes_gzip(accepted: str) -> bool:
    codings = [coding.strip().lower() for coding in accepted.split(",")]
    return any(re.match(r"gzip\b", coding) and not _NOT_GZIP.match(coding) for coding in codings)
