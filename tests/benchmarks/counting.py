"""A proxy before PostgreSQL that counts what clients write: one write to the socket is one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Counting:
    """Passes bytes on between clients and PostgreSQL's socket. `writes` is how often clients wrote."""

    def __init__(self, real: Path) -> None:
        self._real = real
        self.writes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until it ends."""
        back, out = await asyncio.open_unix_connection(str(self._real))
        with suppress(asyncio.CancelledError, ConnectionError):  # the end of the benchmark
            await asyncio.gather(self._pass(reader, out, True), self._pass(back, writer, False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: bool) -> None:
        while data := await reader.read(1 << 20):
            self.writes += counted
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def counting(sockets: Path, folder: Path) -> AsyncIterator[tuple[Counting, str]]:
    """A proxy for the PostgreSQL that listens in `sockets`. Yields it, and the address that goes through it."""
    proxy = Counting(sockets / ".s.PGSQL.5432")
    folder.mkdir(mode=0o755)
    server = await asyncio.start_unix_server(proxy.serve, str(folder / ".s.PGSQL.5432"), limit=1 << 22)
    async with server:
        yield proxy, f"postgresql://postgres@/trading?host={folder}"
