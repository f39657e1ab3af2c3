"""Audiences: one, several, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest

from proofkey.protocol.audience import read_audiences


@pytest.mark.parametrize(
    ("aud", "expected"), [("a", ["a"]), (["a", "b"], ["a", "b"]), ([], []), (None, [None]), ({"a": 1}, [{"a": 1}])]
)
def test_an_audience_is_one_or_a_list(aud: Any, expected: list[Any]) -> None:
    assert expected == read_audiences(aud)
