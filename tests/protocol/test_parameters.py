"""Form and query parsing: what is known, sent twice, empty, too long or not text."""

from __future__ import annotations

from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofkey.protocol.errors import InvalidRequest
from proofkey.protocol.parameters import MAX_LISTED, MAX_PARAMETERS, Parameters, parse
from tests.protocol.refusals import refused

KNOWN = frozenset({"state", "nonce", "code", "scope", "client_id", "redirect_uri", "resource"})
TEXT = st.text(
    st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs", "Cc"]), max_size=60
)


def values(raw: bytes) -> dict[str, str]:
    return dict(parse(raw, KNOWN).values)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", {}),
        (b"state=xyz&code=SplxlOBeZQQYbYS6WxSbIA", {"state": "xyz", "code": "SplxlOBeZQQYbYS6WxSbIA"}),
        (b"scope=openid+profile%20email", {"scope": "openid profile email"}),
        (b"redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb", {"redirect_uri": "https://client.example.com/cb"}),
        (b"state=a=b=c", {"state": "a=b=c"}),
        (b"state=%26%3D%2B%25", {"state": "&=+%"}),
        (b"state=%C3%A9", {"state": "é"}),
        (b"state=100%", {"state": "100%"}),
        (b"%73tate=x", {"state": "x"}),
        (b"&&state=x&", {"state": "x"}),
        (b"state", {}),
        (b"state=", {}),
        (b"state=&state=x", {"state": "x"}),
        (b"State=x", {}),
        (b"unknown=x&unknown=y&state=z", {"state": "z"}),
        (b"unknown=%FF%00&%FF=x&state=z", {"state": "z"}),
    ],
)
def test_reading_parameters(raw: bytes, expected: dict[str, str]) -> None:
    assert Parameters(expected) == parse(raw, KNOWN)


@pytest.mark.parametrize(
    ("raw", "name", "reason"),
    [
        (b"state=a&state=b", "state", "parameter_repeated"),
        (b"state=a&state=a", "state", "parameter_repeated"),
        (b"state=a&%73tate=b&state=c", "state", "parameter_repeated"),
        (b"state=%FF", "state", "parameter_not_utf8"),
        (b"state=%ED%A0%80", "state", "parameter_not_utf8"),
        (b"state=\xff", "state", "parameter_not_utf8"),
        (b"state=%00", "state", "parameter_control_character"),
        (b"state=a%0D%0ASet-Cookie:x", "state", "parameter_control_character"),
        (b"state=a\x7f", "state", "parameter_control_character"),
        (b"state=" + b"a" * 2_049, "state", "parameter_too_long"),
        (b"nonce=" + b"a" * 513, "nonce", "parameter_too_long"),
        (b"code=" + b"a" * 2_049, "code", "parameter_too_long"),
        (b"resource=x" * 1 + b"&resource=%FF", "resource", "parameter_not_utf8"),
        (
            b"&".join(b"resource=https://%d.example" % n for n in range(MAX_LISTED + 1)),
            "resource",
            "resources_too_many",
        ),
    ],
)
def test_a_faulty_parameter_has_no_value_and_names_itself(raw: bytes, name: str, reason: str) -> None:
    found = parse(raw, KNOWN)
    assert name not in found.values
    assert {name: reason} == {named: fault.reason for named, fault in found.faults.items()}
    assert found.faults[name].error_description.endswith(f": {name} [{reason}]")
    with refused(InvalidRequest, reason):
        found.check()


def test_parameter_pollution_leaves_the_other_parameters_readable() -> None:
    found = parse(b"redirect_uri=https://a.example&state=x&redirect_uri=https://evil.example", KNOWN)
    assert {"state": "x"} == found.values


def test_limits_are_reached_before_they_are_exceeded() -> None:
    assert {"state": "a" * 2_048, "nonce": "b" * 512} == values(b"state=" + b"a" * 2_048 + b"&nonce=" + b"b" * 512)


def test_resource_is_a_list_each_once_in_order() -> None:
    assert ("https://b", "https://a") == parse(
        b"resource=https://b&resource=https://a&resource=https://b", KNOWN
    ).resources


def test_as_many_resources_as_are_allowed_pass() -> None:
    raw = b"&".join(b"resource=https://%d.example" % n for n in range(MAX_LISTED))
    assert MAX_LISTED == len(parse(raw, KNOWN).resources)
    assert {} == parse(raw, KNOWN).faults


def test_too_many_parameters_are_refused_unread() -> None:
    assert {"state": "x"} == values(b"&".join([b"a=b"] * (MAX_PARAMETERS - 1) + [b"state=x"]))
    with refused(InvalidRequest, "too_many_parameters"):
        parse(b"&".join([b"a=b"] * MAX_PARAMETERS + [b"state=x"]), KNOWN)


def test_a_request_without_faults_passes() -> None:
    parse(b"state=x", KNOWN).check()


@given(st.dictionaries(st.sampled_from(["state", "code", "scope"]), TEXT.filter(bool)))
def test_what_was_encoded_is_read_back(sent: dict[str, str]) -> None:
    assert sent == values(urlencode(sent).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_parameters_or_faults(raw: bytes) -> None:
    found = parse(raw, KNOWN)
    assert not set(found.values) & set(found.faults)
    assert set(found.values) | set(found.faults) <= KNOWN


@given(st.sampled_from(sorted(KNOWN - {"resource"})), TEXT.filter(bool), TEXT.filter(bool))
def test_sent_twice_is_never_a_value(name: str, one: str, other: str) -> None:
    raw = f"{name}={quote_plus(one)}&x=y&{name}={quote_plus(other)}".encode()
    assert {} == values(raw)
