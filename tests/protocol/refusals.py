"""One way to expect a refusal: its kind, its exact reason, and nothing else raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proofkey.protocol.errors import Refusal


@contextmanager
def refused(kind: type[Refusal], reason: str) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """Expect a *kind* of refusal with exactly *reason* inside the block."""
    with pytest.raises(Refusal) as caught:
        yield caught
    assert reason == caught.value.reason
    assert isinstance(caught.value, kind)
