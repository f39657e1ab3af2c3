"""Challenges: the shared vectors, what is written can be read, and no line takes long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.challenge import Challenge, read_challenges, read_errors, write_challenge
from tests.protocol.vectors import cases

_TOKEN = st.text("abcXYZ019_-.!", min_size=1, max_size=8)
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)


@pytest.mark.parametrize("case", cases("challenge.json", "reading") + cases("challenge.json", "grammar"))
def test_reading(case: dict[str, Any]) -> None:
    expected = [Challenge(each["scheme"], each["parameters"]) for each in case["challenges"]]
    assert expected == read_challenges(case["lines"])


def test_errors_are_those_of_all_challenges_for_an_access_token() -> None:
    lines = ['Basic error="a", Bearer error="invalid_token", scope="b"', 'DPoP error="use_dpop_nonce"', "Bearer"]
    assert {"invalid_token", "use_dpop_nonce"} == read_errors(lines)


@given(
    st.lists(st.tuples(st.sampled_from(["Bearer", "DPoP"]), st.dictionaries(_TOKEN.map(str.lower), _TEXT)), max_size=3)
)
def test_what_is_written_is_read_again(challenges: list[tuple[str, dict[str, str]]]) -> None:
    line = ", ".join(write_challenge(scheme, parameters) for scheme, parameters in challenges)
    assert [Challenge(scheme, parameters) for scheme, parameters in challenges] == read_challenges([line])


@pytest.mark.parametrize(
    ("scheme", "parameters"), [("Bearer", {"a": "x\r\nset-cookie: a"}), ("Bearer\n", {}), ("Bearer", {"a\0": ""})]
)
def test_what_would_end_the_line_is_not_written(scheme: str, parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one line"):
        write_challenge(scheme, parameters)


@given(st.text(max_size=200))
def test_any_line_can_be_read(line: str) -> None:
    assert Challenge("DPoP", {"a": "b"}) == read_challenges([line, f"Bearer {line}", 'DPoP a="b"'])[-1]


@pytest.mark.parametrize(
    "part", [" ", ",", "a", "a ", "a=", "a=b", 'a="', 'a="b\\"', "\\", "Bearer a", "Bearer a=b,", "é"]
)
def test_no_line_takes_long(part: str) -> None:
    began = time.process_time()
    read_challenges(["Bearer " + part * 50_000])
    assert time.process_time() - began < 2
