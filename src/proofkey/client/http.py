"""Sending a client's requests over a real network, with and without an event loop: bounded, without redirects."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2

from proofkey.client.conversation import Conversation, advance
from proofkey.client.messages import HttpRequest, HttpResponse, NoAnswer, ResponseRefused
from proofkey.client.patience import ask_patiently, nothing
from proofkey.loop_thread import LoopThread

Answer = TypeVar("Answer")
MAX_RESPONSE = 1_048_576
TIMEOUT = 15.0
"""Seconds that one exchange may take."""
SHARED_FOR = 3.0
"""Seconds after which who asks the same does so anew: what hangs once need not hang twice."""


class AsyncNetwork:
    """Connections to one issuer, kept open between requests. *ca_file* is trusted beside nothing else.

    *timeout* is in seconds, for one exchange from the connection (half of it) to the last byte. Proxies of the environment
    are used for https alone: plain http stays on this machine.

    What many conversations ask for at once without credentials, an issuer's metadata and keys, is asked for once.

    >>> import asyncio
    >>> async def discover():
    ...     async with AsyncNetwork(ISSUER) as network:
    ...         return await network.run(Issuer(ISSUER, Registration(CLIENT_ID, REDIRECT_URI)).discover())
    >>> asyncio.run(discover()).issuer == ISSUER
    True
    """

    def __init__(self, issuer: str, *, ca_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._client = httpx2.AsyncClient(
            verify=_trusting(ca_file),
            timeout=httpx2.Timeout(None, connect=timeout / 2),  # the whole is bounded in `_exchange`
            trust_env=issuer.startswith("https:"),
        )
        self._timeout = timeout
        self._asking: dict[str, asyncio.Task[HttpResponse]] = {}

    async def __aenter__(self) -> AsyncNetwork:
        """Itself, to be closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send *request*. Raises `ResponseRefused` where nobody answers, nobody who can be believed, or without end."""
        if request.method != "GET" or any(name == "authorization" for name, _ in request.headers):
            return await self._exchange(request)
        asking = self._asking.get(request.url)
        if asking is None:
            asking = self._asking[request.url] = asyncio.create_task(self._exchange(request))
            asking.add_done_callback(lambda done: self._forget(request.url, done))
            asyncio.get_running_loop().call_later(SHARED_FOR, self._forget, request.url, asking)
        return await asyncio.shield(asking)

    def _forget(self, url: str, asking: asyncio.Task[HttpResponse]) -> None:
        if self._asking.get(url) is asking:
            del self._asking[url]
        if asking.done() and not asking.cancelled():
            asking.exception()  # whoever asked may have gone away; nobody else need hear of it

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(
                    request.method, request.url, headers=list(request.headers), content=request.body
                ) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    _append(body, chunk)
                return HttpResponse(answer.status_code, dict(answer.headers), bytes(body))
        except TimeoutError:
            raise NoAnswer("answer_too_slow", "The server's answer does not come to its end in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as failure:
            raise _no_answer(request.url, failure) from failure

    async def run(self, conversation: Conversation[Answer]) -> Answer:
        """Hold *conversation* to its end: what it returns, or what it or `send` raises."""
        step = advance(conversation, None)
        while isinstance(step, HttpRequest):
            step = advance(conversation, await self._sent(step))
        return step.answer

    async def run_patiently(
        self, begin: Callable[[], Conversation[Answer]], *, while_waiting: Callable[[], Awaitable[None]] = nothing
    ) -> Answer:
        """Hold what *begin* begins, again where answers get lost or are late: `ask_patiently`."""
        return await ask_patiently(lambda: self.run(begin()), while_waiting=while_waiting)

    async def _sent(self, request: HttpRequest) -> HttpResponse | ResponseRefused:
        try:
            return await self.send(request)
        except ResponseRefused as refused:
            return refused


class Network:
    """`AsyncNetwork` for who cannot await: the same, in a thread of its own. *ca_file* is trusted beside nothing else.

    For any number of threads; close it, or the thread stays.

    >>> with Network(ISSUER) as network:
    ...     network.send(metadata_requests(ISSUER)[0]).status
    200
    """

    def __init__(self, issuer: str, *, ca_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._make = partial(AsyncNetwork, issuer, ca_file=ca_file, timeout=timeout)
        self._network, self._process = self._make(), os.getpid()
        self._thread = LoopThread("proofkey-network")

    def __enter__(self) -> Network:
        """Itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        if self._process == os.getpid():
            self._thread.run(self._network.close())
        self._thread.stop()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send *request*. Raises `ResponseRefused` where nobody answers, nobody who can be believed, or without end."""
        return self._thread.run(self._mine().send(request))

    def _mine(self) -> AsyncNetwork:
        """This process's connections: a forked child leaves its parent's alone."""
        if self._process != os.getpid():
            self._network, self._process = self._make(), os.getpid()
        return self._network

    def run(self, conversation: Conversation[Answer]) -> Answer:
        """Hold *conversation* to its end: what it returns, or what it or `send` raises."""
        step = advance(conversation, None)
        while isinstance(step, HttpRequest):
            step = advance(conversation, self._sent(step))
        return step.answer

    def run_patiently(self, begin: Callable[[], Conversation[Answer]]) -> Answer:
        """Hold what *begin* begins, again where answers get lost or are late: `ask_patiently`."""
        return self._thread.run(self._mine().run_patiently(begin))

    def _sent(self, request: HttpRequest) -> HttpResponse | ResponseRefused:
        try:
            return self.send(request)
        except ResponseRefused as refused:
            return refused


def _trusting(ca_file: Path | None) -> ssl.SSLContext | bool:
    try:
        return True if ca_file is None else ssl.create_default_context(cafile=ca_file)
    except OSError as failure:
        raise ResponseRefused(
            "ca_file_unreadable", "The file of the authority cannot be read", detail=str(failure)
        ) from None


def _no_answer(url: str, failure: Exception) -> NoAnswer:
    """The refusal in place of an answer; it names where we asked, and nothing of the query."""
    parts = urlsplit(url)
    address, detail = f"{parts.scheme}://{parts.netloc}", f"{type(failure).__name__}: {failure}"
    if "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return NoAnswer(
            "certificate_not_trusted",
            "The certificate is not trusted (name its authority: --ca-file, in Python ca_file)",
            parameters=[address],
            detail=detail,
        )
    if parts.scheme == "https" and ("WRONG_VERSION_NUMBER" in detail or "RECORD_LAYER_FAILURE" in detail):
        return NoAnswer(
            "tls_not_spoken", "It answers, but without TLS (is it http://?)", parameters=[address], detail=detail
        )
    return NoAnswer("server_unreachable", "Nobody answers (is it running?)", parameters=[address], detail=detail)


def _append(body: bytearray, chunk: bytes) -> None:
    if len(body) + len(chunk) > MAX_RESPONSE:
        raise NoAnswer("response_too_long", "The server's answer has no end")
    body += chunk
