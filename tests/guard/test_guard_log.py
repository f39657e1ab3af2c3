"""What an operator sees without setting anything up: the mistakes of a setting, and no line for each stranger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from proofkey.guard import Dpop, IssuerUnavailable, MemoryReplay, ResourceServer, TrustedIssuer
from proofkey.guard.resource_server import TOLD_EVERY
from proofkey.protocol.dpop import check_claims
from proofkey.protocol.errors import DpopUrlDiffers, OAuthError
from tests.guard.asking import AUDIENCE, asking, issuers
from tests.guard.bound import BoundClient
from tests.guard.sample_issuer import KEY, RSA_KEY, Clock, SampleIssuer

ELSEWHERE = "https://issuer.example/other"


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with issuers() as (only,):
        yield only


def refuse(server: ResourceServer, token: str) -> None:
    """The answer to a request with *token*, which opens nothing."""
    with pytest.raises(OAuthError) as refused:
        server.admit_blocking(asking(token))
    server.challenge(refused.value, asking(token))


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno == level]
    caplog.clear()
    return found


def test_a_wrong_audience_and_a_wrong_issuer_are_seen_by_default_with_both_sides(
    issuer: SampleIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "proofkey.guard")
    server = ResourceServer([issuer.issuer, ELSEWHERE], audience=AUDIENCE, clock=Clock())
    refuse(server, issuer.token(aud="notes"))
    refuse(server, issuer.token(iss=f"{issuer.issuer}/\n"))
    trusted = f"({issuer.issuer!r}, {ELSEWHERE!r})"
    assert [
        "refused: access_token_audience_differs aud='notes' expected='https://api.example'",
        rf"refused: access_token_issuer_unknown iss='{issuer.issuer}/\n' expected={trusted}",
    ] == lines(caplog, logging.WARNING)


@pytest.mark.parametrize(
    ("reason", "made"),
    [
        ("access_token_type", lambda issuer: KEY.sign("JWT", issuer.claims())),
        ("access_token_algorithm", lambda issuer: issuer.token(RSA_KEY)),
        ("access_token_binding_unknown", lambda issuer: issuer.token(cnf={"jkt": "x"})),
    ],
)
def test_a_token_that_this_api_is_not_set_up_for_is_seen_by_default(
    issuer: SampleIssuer, caplog: pytest.LogCaptureFixture, reason: str, made: Callable[[SampleIssuer], str]
) -> None:
    trusted = TrustedIssuer(issuer.issuer, algorithms=["ES256"])
    refuse(ResourceServer(trusted, audience=AUDIENCE, clock=Clock()), made(issuer))
    (line,) = lines(caplog, logging.WARNING)
    assert line.startswith(f"refused: {reason}")


async def test_a_proof_for_another_address_is_seen_by_default_with_both(
    issuer: SampleIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    client = BoundClient(issuer, Dpop(MemoryReplay()), Clock())
    request = client.request(client.proof(url="http://10.0.0.7/notes"))
    with pytest.raises(OAuthError) as refused:
        await client.server.admit(request)
    client.server.challenge(refused.value, request)
    told = "refused: dpop_url_differs htu='http://10.0.0.7/notes' expected='https://api.example/notes'"
    assert [told] == lines(caplog, logging.WARNING)


def test_strangers_do_not_fill_the_log_that_everybody_sees(
    issuer: SampleIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "proofkey.guard")
    clock = Clock()
    server = ResourceServer(issuer.issuer, audience=AUDIENCE, clock=clock)
    for number in range(100):
        refuse(server, issuer.token(iss=f"https://{number}.example"))
        refuse(server, issuer.token(exp=1))
    assert ["'https://0.example'"] == [line.split("=")[1].split()[0] for line in lines(caplog, logging.WARNING)]
    clock.turn(TOLD_EVERY - 1)
    refuse(server, issuer.token(iss="https://early.example"))
    assert [] == lines(caplog, logging.WARNING)
    clock.turn(1)
    refuse(server, issuer.token(iss="https://later.example"))
    assert 1 == len(lines(caplog, logging.WARNING))


def test_an_iss_that_is_endless_makes_a_short_line(issuer: SampleIssuer, caplog: pytest.LogCaptureFixture) -> None:
    refuse(ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock()), issuer.token(iss="a" * 5_000))
    (line,) = lines(caplog, logging.WARNING)
    assert (True, True) == ("access_token_issuer_unknown" in line, len(line) < 500)


@pytest.mark.parametrize(
    ("claim", "came", "told"),
    [
        ("iss", {"email": "alice@example.com"}, "iss=dict"),
        ("iss", ["https://a.example", {"email": "alice@example.com"}], "iss=['https://a.example', dict]"),
        ("aud", ["a", "b"], "aud=['a', 'b']"),
        ("aud", [["alice@example.com"], 7], "aud=[list, int]"),
        ("aud", ["a" * 200] * 9, "aud=['aaa"),
    ],
)
def test_of_what_is_no_text_only_its_kind_is_logged(
    issuer: SampleIssuer, caplog: pytest.LogCaptureFixture, claim: str, came: object, told: str
) -> None:
    refuse(ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock()), issuer.token(**{claim: came}))
    (line,) = lines(caplog, logging.WARNING)
    assert (True, False, True) == (f" {told}" in line, "alice" in line, len(line) < 500)


@pytest.mark.parametrize(
    ("htu", "told"),
    [
        ("http://10.0.0.7/notes?token=secret", "'http://10.0.0.7/notes'"),
        ("http://10.0.0.7/notes#secret", "'http://10.0.0.7/notes'"),
        ({"secret": 1}, "dict"),
        (None, "NoneType"),
    ],
)
def test_of_the_address_of_a_proof_the_query_is_not_logged(htu: object, told: str) -> None:
    claims = {"jti": "1", "iat": 1, "htm": "GET", "htu": htu}
    with pytest.raises(DpopUrlDiffers) as refused:
        check_claims(claims, jkt="", expected_method="GET", expected_url=ELSEWHERE, expected_token=None, now=1_000)
    assert f"htu={told} expected={ELSEWHERE!r}" == refused.value.detail


def test_metadata_of_another_issuer_are_named(issuer: SampleIssuer, caplog: pytest.LogCaptureFixture) -> None:
    issuer.metadata["issuer"] = ELSEWHERE
    with pytest.raises(IssuerUnavailable):
        ResourceServer(issuer.issuer, audience=AUDIENCE, clock=Clock()).admit_blocking(asking(issuer.token()))
    (line,) = lines(caplog, logging.WARNING)
    assert f"the metadata name another issuer, {ELSEWHERE!r}" in line
