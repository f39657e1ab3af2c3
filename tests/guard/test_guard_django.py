"""The guard in Django where no running site is needed; the example runs as ASGI and as WSGI in test_guard_adapters.py."""

from __future__ import annotations

import pytest

from proofkey.guard import Access, require
from proofkey.guard.django import _bring, _read_paths


def test_the_longest_path_counts() -> None:
    paths = _read_paths({"/": "", "/api/admin/": "notes:write", "/api/": "notes:read"})
    assert [
        ("/api/admin/", require("notes:write")),
        ("/api/", require("notes:read")),
        ("/", require()),
    ] == paths


@pytest.mark.parametrize("path", ["api/", "/api", "", "https://api.example/"])
def test_a_path_that_could_mean_its_neighbour_stops_the_start(path: str) -> None:
    with pytest.raises(ValueError, match="begin and end with a slash"):
        _read_paths({path: "notes:read"})


def test_an_ageing_nonce_is_answered_with_the_next_one() -> None:
    access = Access("https://issuer.example", "alice", None, frozenset(), 0, {}, (("dpop-nonce", "next"),))
    assert {"dpop-nonce": "next"} == _bring(access, {})
    assert {} == _bring(None, {})
