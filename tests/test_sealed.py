"""What travels sealed: each record comes back whole, and says whose workspace it is twice."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.authorize import AuthorizeRequest, Reply
from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.protocol.claims_request import ClaimsRequest
from proofkey.protocol.parameters import MAX_BODY
from proofkey.protocol.records import AuthorizationCode, CodeChallenge
from proofkey.protocol.redirect_uri import ReturnAddress
from proofkey.seal import Seal, SealBroken
from proofkey.server.sealed import (
    RefreshTokens,
    Ticket,
    open_code,
    open_request,
    opens,
    seal_code,
    seal_request,
    seal_ticket,
)

PLACE = "demo/main"
SEAL = Seal({1: b"k" * 32}, 1, "any")
words = st.lists(st.text(max_size=12), max_size=4).map(tuple)
maybe_text = st.none() | st.text(max_size=30)
sixteen = st.binary(min_size=16, max_size=16)
challenge = st.none() | st.builds(CodeChallenge, st.binary(min_size=32, max_size=32))
moment = st.integers(0, 2**48)
some_code = st.builds(
    AuthorizationCode,
    workspace_id=st.just(PLACE),
    id=sixteen,
    client_id=st.text(max_size=20),
    user_id=st.text(max_size=20),
    user_epoch=st.integers(0, 2**31),
    session_id=sixteen,
    consent_id=st.none() | sixteen,
    redirect_uri=st.text(max_size=60),
    redirect_uri_sent=st.booleans(),
    challenge=challenge,
    nonce=maybe_text,
    scope=words,
    resources=words,
    claims=st.text(max_size=30),
    auth_time=moment,
    acr=st.text(max_size=20),
    amr=words,
    expires_at=moment,
)
some_request = st.builds(
    AuthorizeRequest,
    id=sixteen,
    asked_at=moment,
    browser=st.binary(min_size=32, max_size=32),
    client_id=st.text(max_size=20),
    reply=st.builds(
        Reply,
        st.builds(ReturnAddress, st.text(max_size=40), st.booleans()),
        st.sampled_from(["query", "fragment", "form_post"]),
        maybe_text,
    ),
    scope=words,
    resources=words,
    challenge=challenge,
    nonce=maybe_text,
    prompt=st.frozensets(st.sampled_from(["none", "login", "consent", "select_account"])),
    max_age_for=st.none() | moment,
    login_hint=maybe_text,
    claims=st.builds(ClaimsRequest, words, words, maybe_text, words),
    hinted_subject=maybe_text,
)


@given(some_code)
def test_a_code_comes_back_as_it_was(code: AuthorizationCode) -> None:
    text = seal_code(SEAL, code, os.urandom)
    assert code == open_code(SEAL, text, PLACE)
    with pytest.raises(SealBroken):
        open_code(SEAL, text, "rival/main")


@given(some_request)
def test_a_pending_request_comes_back_as_it_was(request: AuthorizeRequest) -> None:
    text = seal_request(SEAL, request, PLACE, os.urandom)
    assert request == open_request(SEAL, text, PLACE)
    with pytest.raises(SealBroken):
        open_request(SEAL, text, "rival/main")


some_ticket = st.builds(Ticket, st.text(max_size=12), sixteen, sixteen)


@given(some_ticket, some_ticket)
def test_a_ticket_opens_for_what_it_was_made_for_alone(ticket: Ticket, other: Ticket) -> None:
    text = seal_ticket(SEAL, ticket, PLACE, os.urandom)
    assert opens(SEAL, text, ticket, PLACE)
    assert (ticket == other) == opens(SEAL, text, other, PLACE)
    assert not opens(SEAL, text, ticket, "rival/main")
    for nothing in (None, "", text[:-1], text + "A"):
        assert not opens(SEAL, nothing, ticket, PLACE)


@given(some_code, some_request)
def test_one_kind_is_not_another_even_under_one_seal(code: AuthorizationCode, request: AuthorizeRequest) -> None:
    coded, asked = seal_code(SEAL, code, os.urandom), seal_request(SEAL, request, PLACE, os.urandom)
    expected = Ticket("consent", b"s" * 16, b"r" * 16)
    ticket = seal_ticket(SEAL, expected, PLACE, os.urandom)
    for text in (asked, ticket):
        with pytest.raises(SealBroken):
            open_code(SEAL, text, PLACE)
    for text in (coded, ticket):
        with pytest.raises(SealBroken):
            open_request(SEAL, text, PLACE)
    for text in (coded, asked):
        assert not opens(SEAL, text, expected, PLACE)


@given(some_request)
def test_the_longest_request_there_may_be_still_opens_and_fits_into_a_form(request: AuthorizeRequest) -> None:
    widest = "\U0001f511"
    longest = replace(
        request,
        reply=replace(request.reply, state=widest * 2_048),
        nonce=widest * 512,
        login_hint=widest * 320,
        client_id="c" * 255,
        scope=("s" * 1_023, "t" * 1_024),
        claims=ClaimsRequest(subject=widest * 4_000),
        hinted_subject="u" * 255,
    )
    text = seal_request(SEAL, longest, PLACE, os.urandom)
    assert longest == open_request(SEAL, text, PLACE)
    assert len(text) < MAX_BODY - 4_096


# --- refresh tokens ------------------------------------------------------------------------------------------------

TOKENS = RefreshTokens({1: b"a" * 32, 2: b"b" * 32}, 2, PLACE, "https://login.example/demo/main")


@given(sixteen, st.integers(0, 2**32 - 1), sixteen, st.sampled_from([1, 2]))
def test_a_refresh_token_says_what_was_written_and_is_the_same_each_time(
    grant_id: bytes, counter: int, secret: bytes, key: int
) -> None:
    text = TOKENS.write(grant_id, counter, secret, key)
    assert text == TOKENS.write(grant_id, counter, secret, key)
    found = TOKENS.read(text, PLACE)
    assert (grant_id, counter, secret, key) == (found.grant_id, found.counter, found.secret, found.key)


@given(st.data())
def test_no_altered_bit_is_read(data: st.DataObject) -> None:
    raw = bytearray(decode_base64url(TOKENS.write(b"g" * 16, 7, b"s" * 16, 2)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        TOKENS.read(encode_base64url(bytes(raw)), PLACE)


@pytest.mark.parametrize(
    "other",
    [
        RefreshTokens({2: b"b" * 32}, 2, "rival/main", "https://login.example/demo/main"),
        RefreshTokens({2: b"b" * 32}, 2, PLACE, "https://login.example/rival/main"),
        RefreshTokens({2: b"x" * 32}, 2, PLACE, "https://login.example/demo/main"),
        RefreshTokens({1: b"b" * 32}, 1, PLACE, "https://login.example/demo/main"),
    ],
    ids=["workspace", "issuer", "secret", "generation"],
)
def test_a_refresh_token_is_read_where_it_was_written_alone(other: RefreshTokens) -> None:
    with pytest.raises(SealBroken):
        other.read(TOKENS.write(b"g" * 16, 0, b"s" * 16, 2), PLACE)


@given(st.text(max_size=200))
def test_no_other_text_is_read(text: str) -> None:
    with pytest.raises(SealBroken):
        TOKENS.read(text, PLACE)
