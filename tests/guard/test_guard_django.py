"""The guard in Django where no running site is needed; the example runs as ASGI and as WSGI in test_guard_adapters.py."""

from __future__ import annotations

import pytest

from proofkey.guard import require
from proofkey.guard.django import _read_paths


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
