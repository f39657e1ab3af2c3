"""Client authentication: RFC 6749's own example, the ways clients send credentials, and every refusal."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.client_auth import Credentials, check_client, parse_credentials, write_basic
from proofkey.protocol.errors import InvalidClient, InvalidRequest, Refusal
from tests.protocol.facts import SPA, WEB
from tests.protocol.refusals import refused


def basic(text: bytes, scheme: bytes = b"Basic ") -> bytes:
    return scheme + b64encode(text)


def test_rfc_6749_section_2_3_1_example() -> None:
    sent = parse_credentials(b"Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", {})
    assert Credentials("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw") == sent


def test_what_a_client_writes_is_what_the_examples_have() -> None:
    assert "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3" == write_basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
    assert b"a+b%3Ac:%C3%A9%25" == b64decode(write_basic("a b:c", "é%").removeprefix("Basic "))


_PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)


@given(_PRINTABLE, _PRINTABLE)
def test_what_a_client_writes_the_server_reads(client_id: str, secret: str) -> None:
    assert Credentials(client_id, secret) == parse_credentials(write_basic(client_id, secret).encode(), {})


@pytest.mark.parametrize(
    ("authorization", "params", "expected"),
    [
        (None, {"client_id": "spa"}, Credentials("spa", None)),
        (None, {"client_id": "web", "client_secret": "s"}, Credentials("web", "s")),
        (basic(b"web:s"), {}, Credentials("web", "s")),
        (basic(b"web:s"), {"client_id": "web"}, Credentials("web", "s")),
        (basic(b"web:s", b"bAsIc "), {}, Credentials("web", "s")),
        (basic(b"web:s", b"Basic  "), {}, Credentials("web", "s")),
        (basic(b"spa:"), {}, Credentials("spa", None)),
        (basic(b"https%3A%2F%2Fweb.example:p%3Aq%25"), {}, Credentials("https://web.example", "p:q%")),
        (basic(b"a+b:c+d"), {}, Credentials("a b", "c d")),
        (basic(b"web:a:b"), {}, Credentials("web", "a:b")),
        (basic("wéb:s".encode()), {}, Credentials("wéb", "s")),
        (b"Bearer abc", {"client_id": "spa"}, Credentials("spa", None)),
    ],
)
def test_credentials_as_clients_send_them(
    authorization: bytes | None, params: dict[str, str], expected: Credentials
) -> None:
    assert expected == parse_credentials(authorization, params)


@pytest.mark.parametrize(
    ("authorization", "params", "kind", "reason"),
    [
        (None, {}, InvalidRequest, "client_id_missing"),
        (None, {"client_secret": "s"}, InvalidRequest, "client_id_missing"),
        (basic(b"web:s"), {"client_secret": "s"}, InvalidRequest, "client_authenticated_twice"),
        (basic(b"web:s"), {"client_id": "web2"}, InvalidRequest, "client_id_differs"),
        (b"Basic ", {}, InvalidClient, "basic_malformed"),
        (b"Basic !!!", {}, InvalidClient, "basic_malformed"),
        (b"Basic d2ViOnM= x", {}, InvalidClient, "basic_malformed"),
        (basic(b"web:" + b"s" * 4_096), {}, InvalidClient, "basic_malformed"),
        (b"Basic d2ViOnM", {}, InvalidClient, "basic_not_decodable"),
        (basic(b"web:\xff"), {}, InvalidClient, "basic_not_decodable"),
        (basic(b"web:%FF"), {}, InvalidClient, "basic_not_decodable"),
        (basic(b"web"), {}, InvalidClient, "basic_without_id"),
        (basic(b":s"), {}, InvalidClient, "basic_without_id"),
        (basic(b"web%00:s"), {}, InvalidClient, "basic_control_character"),
        (basic(b"web:s%0A"), {}, InvalidClient, "basic_control_character"),
        (basic(b"web\x00:s"), {}, InvalidClient, "basic_control_character"),
    ],
)
def test_credentials_that_are_refused(
    authorization: bytes | None, params: dict[str, str], kind: type[Refusal], reason: str
) -> None:
    with refused(kind, reason):
        parse_credentials(authorization, params)


def test_a_basic_header_of_4096_characters_is_read_and_a_longer_one_is_not() -> None:
    longest = basic(b"web:" + b"s" * (4_096 // 4 * 3 - 4))
    assert 4_096 == len(longest.removeprefix(b"Basic "))
    assert "web" == parse_credentials(longest, {}).client_id
    with refused(InvalidClient, "basic_malformed"):
        parse_credentials(basic(b"web:" + b"s" * (4_096 // 4 * 3 - 3)), {})


@given(st.binary(max_size=120))
def test_any_authorization_header_is_credentials_or_a_refusal(header: bytes) -> None:
    for authorization in (header, b"Basic " + header, basic(header)):
        try:
            sent = parse_credentials(authorization, {"client_id": "spa"})
        except (InvalidRequest, InvalidClient):
            continue
        assert sent.client_id


def test_a_public_client_proves_nothing_and_sends_no_secret() -> None:
    assert SPA is check_client(SPA, Credentials("spa", None), None)
    with refused(InvalidClient, "public_client_with_secret"):
        check_client(SPA, Credentials("spa", "your-client-secret"), b"h" * 32)


def test_a_confidential_client_proves_itself_by_its_secret() -> None:
    assert WEB is check_client(WEB, Credentials("web", "s"), WEB.secret_hash)
    with refused(InvalidClient, "client_secret_missing"):
        check_client(WEB, Credentials("web", None), None)
    with refused(InvalidClient, "client_secret_wrong"):
        check_client(WEB, Credentials("web", "x"), b"x" * 32)


def test_an_unknown_client_looks_like_one_with_a_wrong_secret() -> None:
    with refused(InvalidClient, "client_unknown") as unknown:
        check_client(None, Credentials("nobody", "s"), b"s" * 32)
    with refused(InvalidClient, "client_secret_wrong") as wrong:
        check_client(WEB, Credentials("web", "x"), b"x" * 32)
    assert wrong.value.error_description == unknown.value.error_description
    assert "Client authentication failed [client_authentication_failed]" == unknown.value.error_description
