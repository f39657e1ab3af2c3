"""A proxy that ends mutual TLS as RFC 9440 has it: it says which certificate the client showed, and lets nobody else say so."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class TlsProxy:
    """Forwards one request a connection to *backend*, with `Client-Cert` in place of what the client sent under that name."""

    def __init__(self, backend: str) -> None:
        self._backend = urlsplit(backend)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        kept = [line for line in head[1:-2] if line.partition(":")[0].lower() not in {"client-cert", "connection"}]
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        told = f"Client-Cert: :{b64encode(shown).decode()}:"
        behind, ahead = await asyncio.open_connection(self._backend.hostname, self._backend.port)
        ahead.write("\r\n".join([head[0], *kept, told, "Connection: close", "", ""]).encode("latin-1"))
        writer.write(await behind.read())
        ahead.close()
        writer.close()


@contextmanager
def ending_tls(backend: str, context: ssl.SSLContext) -> Iterator[str]:
    """The proxy's address, while it runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(TlsProxy(backend), "127.0.0.1", 0, ssl=context)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
