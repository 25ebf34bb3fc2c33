"""A TCP proxy in front of each broker for each pod, so that one pod's line can be cut without a word to the others.

    pod ──► Line (one port per pod and broker) ──► broker's listener of that pod
             open: passes bytes     cut: bytes wait on both sides, nothing is closed: a half-open line
                                    torn: connections are reset, new ones too

Its own forty lines instead of toxiproxy: no Go toolchain, and what it does can be read here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

CHUNK = 65_536


class Line:
    """One proxied port."""

    def __init__(self, port: int, to_port: int) -> None:
        self.port, self._to_port = port, to_port
        self._open, self._torn = asyncio.Event(), False
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def cut(self) -> None:
        """Bytes wait from now on."""
        self._open.clear()

    def tear(self) -> None:
        """Every connection is reset, and each new one at once."""
        self._torn = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        """As if nothing had been; what waited goes on."""
        self._torn = False
        self._open.set()

    async def stop(self) -> None:
        """Close everything."""
        self.mend()
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._torn:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            self._drop(writer)
            return
        self._writers.add(back)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        self._drop(writer)
        self._drop(back)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()
