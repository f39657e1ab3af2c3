"""What an issuer publishes, its metadata and its keys, as a client keeps it: fetched when it is needed and too old.

1. Whoever asks right after a fetch failed is refused as that was: strangers' requests make no storm of fetches.
2. A clock that was put back makes what is kept old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from proofkey.client.conversation import Conversation
from proofkey.client.messages import ResponseRefused, ServerRefused
from proofkey.protocol.records import SECOND

T = TypeVar("T")
REST_FOR = SECOND // 10
"""How long nobody asks again after a fetch failed: shorter than the pause before anybody's own second try."""


class Kept(Generic[T]):
    """One thing that *fetch* brings."""

    def __init__(self, fetch: Callable[[], Conversation[T]], *, clock: Callable[[], int]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: tuple[T, int] | None = None
        self._failed: tuple[ResponseRefused | ServerRefused, int] | None = None

    def read(self, kept_for: int) -> Conversation[T]:
        """It, not older than *kept_for*. Raises what *fetch* raises, or raised a moment ago."""
        now = self._clock()
        if self._kept is not None and 0 <= now - self._kept[1] < kept_for:
            return self._kept[0]
        if self._failed is not None and 0 <= now - self._failed[1] < REST_FOR:
            raise self._failed[0]
        try:
            fetched = yield from self._fetch()
        except (ResponseRefused, ServerRefused) as refused:
            self._failed = refused, self._clock()
            raise
        self._kept, self._failed = (fetched, now), None
        return fetched
