"""What a client says to a server and hears back, written once for every kind of network.

A conversation is a generator: it yields the requests to send, is sent the answers, and returns what came of it.
`Network.run` and `AsyncNetwork.run` hold one; a request that cannot be sent ends it with that failure.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from proofkey.client.messages import HttpRequest, HttpResponse

Answer = TypeVar("Answer")
Conversation: TypeAlias = Generator[HttpRequest, HttpResponse, Answer]


@dataclass(frozen=True, slots=True)
class Done(Generic[Answer]):
    """The end of a conversation and what came of it."""

    answer: Answer


def advance(conversation: Conversation[Answer], response: HttpResponse | None) -> HttpRequest | Done[Answer]:
    """Go on with *response* (None at the beginning) to the next request, or to the end. Raises what it refuses."""
    try:
        return next(conversation) if response is None else conversation.send(response)
    except StopIteration as end:
        return Done(end.value)
