"""Sending a client's requests over a real network, synchronously: bounded, without redirects, without surprises."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from proofkey.client.messages import HttpRequest, ResponseRefused

MAX_RESPONSE = 1_048_576


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Network:
    """Connections to one issuer, kept open between requests. *ca_file* is trusted beside nothing else.

    Proxies of the environment are used for https alone: plain http stays on this machine.
    """

    def __init__(self, issuer: str, *, ca_file: Path | None = None) -> None:
        tls = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
        self._client = httpx2.Client(verify=tls, timeout=15.0, trust_env=issuer.startswith("https:"))

    def __enter__(self) -> Network:
        """Itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send *request*. Raises `ResponseRefused` where nobody answers, nobody who can be believed, or without end."""
        try:
            with self._client.stream(
                request.method, request.url, headers=list(request.headers), content=request.body
            ) as answer:
                return HttpResponse(answer.status_code, dict(answer.headers), _read_bounded(answer))
        except httpx2.HTTPError as failure:
            raise _no_answer(request.url, failure) from failure


def _no_answer(url: str, failure: httpx2.HTTPError) -> ResponseRefused:
    """The refusal in place of an answer; it names where we asked, and nothing of the query."""
    parts = urlsplit(url)
    address, detail = f"{parts.scheme}://{parts.netloc}", f"{type(failure).__name__}: {failure}"
    if "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return ResponseRefused(
            "certificate_not_trusted",
            "The certificate is not trusted (name its authority with --ca-file)",
            parameters=[address],
            detail=detail,
        )
    return ResponseRefused("server_unreachable", "Nobody answers (is it running?)", parameters=[address], detail=detail)


def _read_bounded(answer: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAX_RESPONSE:
            raise ResponseRefused("response_too_long", "The server's answer has no end")
    return bytes(body)
