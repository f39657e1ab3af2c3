"""What a client says to a server and hears back, written once for every kind of network.

A conversation is a generator: it yields the requests to send, is sent the answers, and returns what came of it. A request
that cannot be sent is a `ResponseRefused` in its place. `Network.run` and `AsyncNetwork.run` hold one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from proofkey.client.messages import HttpRequest, HttpResponse, ResponseRefused

Answer = TypeVar("Answer")
Conversation: TypeAlias = Generator[HttpRequest, HttpResponse, Answer]


@dataclass(frozen=True, slots=True)
class Done(Generic[Answer]):
    """The end of a conversation and what came of it."""

    answer: Answer


def advance(
    conversation: Conversation[Answer], came: HttpResponse | ResponseRefused | None
) -> HttpRequest | Done[Answer]:
    """Go on with what *came* (None at the beginning) to the next request, or to the end. Raises what it refuses."""
    try:
        if isinstance(came, ResponseRefused):
            return conversation.throw(came)
        return next(conversation) if came is None else conversation.send(came)
    except StopIteration as end:
        return Done(end.value)
