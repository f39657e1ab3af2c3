"""Login names: what a person would call the same is kept and found as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.login_name import MAX_LOGIN_NAME, fold, is_login_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("alice", "alice"),
        (" Alice ", "alice"),
        ("ALICE@Demo.Example", "alice@demo.example"),
        ("ａｌｉｃｅ", "alice"),
        ("e\u0301va", "\u00e9va"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ],
)
def test_names_that_a_person_would_call_the_same(typed: str, kept: str) -> None:
    assert kept == fold(typed)


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(typed: str) -> None:
    assert fold(typed) == fold(fold(typed))


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("alice", True),
        ("a", True),
        ("alice@demo.example", True),
        ("Éva Ångström", True),
        ("a" * MAX_LOGIN_NAME, True),
        ("a" * (MAX_LOGIN_NAME + 1), False),
        ("", False),
        (" alice", False),
        ("alice\n", False),
        ("ali\x00ce", False),
        ("ali\u200bce", False),
    ],
)
def test_what_may_be_a_login_name(name: str, allowed: bool) -> None:
    assert allowed is is_login_name(name)
