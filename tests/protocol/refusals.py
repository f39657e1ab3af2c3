"""One way to expect a refusal: its class, its reason, and nothing else raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proofkey.protocol.errors import Refusal


@contextmanager
def refused(kind: type[Refusal], reason: str) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """Expect exactly *kind* with exactly *reason* inside the block."""
    with pytest.raises(Refusal) as caught:
        yield caught
    assert (kind, reason) == (type(caught.value), caught.value.reason)
