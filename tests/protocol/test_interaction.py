"""What the person sees next: one decision, by table over session, prompt, age, hint and consent."""

from __future__ import annotations

import pytest

from proofkey.protocol.claims_request import ClaimsRequest
from proofkey.protocol.errors import (
    ConsentRequired,
    LoginRequired,
    OAuthError,
    UnmetAuthentication,
)
from proofkey.protocol.interaction import (
    ACR_PASSWORD,
    AskAccount,
    AskConsent,
    AskLogin,
    Issue,
    NextStep,
    new_code,
    next_step,
)
from proofkey.protocol.records import HOUR, MINUTE, AuthorizationCode, Client, SignedIn
from tests.protocol.facts import CODE, CONSENT, NATIVE, NOON, SESSION, SIGNED_IN, SPA, WEB, changed
from tests.protocol.refusals import refused
from tests.protocol.requests import asked, read

REQUEST = read(asked())
NOBODY = None
WITHOUT_CONSENT = changed(SIGNED_IN, consent=None)
JUST_NOW = changed(SIGNED_IN, session=changed(SESSION, authenticated_at=NOON))
LOGIN = changed(REQUEST, prompt=frozenset({"login"}))
CONSENT_AGAIN = changed(REQUEST, prompt=frozenset({"consent"}))
CHOOSE = changed(REQUEST, prompt=frozenset({"select_account"}))
LOOPBACK = changed(REQUEST, reply=read(asked(redirect_uri="http://127.0.0.1:5/cb"), NATIVE).reply)


def agreed_to(request_id: bytes) -> SignedIn:
    return changed(SIGNED_IN, consent=changed(CONSENT, request_id=request_id))


CHOSEN = changed(SIGNED_IN, session=changed(SESSION, chosen_for=REQUEST.id))
CHOSEN_FOR_ANOTHER = changed(SIGNED_IN, session=changed(SESSION, chosen_for=b"another request."))
SAME_CLAIMS = changed(REQUEST, claims=ClaimsRequest(id_token=("email",)))
MORE_CLAIMS = changed(REQUEST, claims=ClaimsRequest(userinfo=("phone_number",)))


TWO_APIS = changed(REQUEST, scope=("notes:read",), resources=("https://b.example",))
AGREED_ACROSS = changed(
    SIGNED_IN,
    consent=changed(
        CONSENT,
        resources=("https://a.example", "https://b.example"),
        access=("notes:read https://a.example", "notes:list https://b.example"),
    ),
)


@pytest.mark.parametrize(
    ("request_", "client", "signed_in", "expected"),
    [
        (REQUEST, SPA, NOBODY, AskLogin()),
        (REQUEST, SPA, WITHOUT_CONSENT, AskConsent(WITHOUT_CONSENT)),
        (REQUEST, SPA, SIGNED_IN, Issue(SIGNED_IN)),
        (LOGIN, SPA, SIGNED_IN, AskLogin()),
        (LOGIN, SPA, JUST_NOW, Issue(JUST_NOW)),
        (changed(REQUEST, max_age_for=MINUTE), SPA, SIGNED_IN, AskLogin()),
        (changed(REQUEST, max_age_for=HOUR), SPA, SIGNED_IN, Issue(SIGNED_IN)),
        (changed(REQUEST, max_age_for=0), SPA, SIGNED_IN, AskLogin()),
        (changed(REQUEST, max_age_for=0), SPA, JUST_NOW, Issue(JUST_NOW)),
        (changed(REQUEST, hinted_subject="alice-id"), SPA, SIGNED_IN, Issue(SIGNED_IN)),
        (changed(REQUEST, hinted_subject="bob-id"), SPA, SIGNED_IN, AskLogin()),
        (changed(REQUEST, claims=ClaimsRequest(subject="bob-id")), SPA, SIGNED_IN, AskLogin()),
        (CHOOSE, SPA, SIGNED_IN, AskAccount(SIGNED_IN)),
        (CHOOSE, SPA, CHOSEN, Issue(CHOSEN)),
        (CHOOSE, SPA, CHOSEN_FOR_ANOTHER, AskAccount(CHOSEN_FOR_ANOTHER)),
        (CHOOSE, SPA, JUST_NOW, Issue(JUST_NOW)),
        (CONSENT_AGAIN, SPA, SIGNED_IN, AskConsent(SIGNED_IN)),
        (CONSENT_AGAIN, SPA, agreed_to(REQUEST.id), Issue(agreed_to(REQUEST.id))),
        (changed(REQUEST, scope=("openid", "notes:write")), SPA, SIGNED_IN, AskConsent(SIGNED_IN)),
        (changed(REQUEST, resources=("https://more.example",)), SPA, SIGNED_IN, AskConsent(SIGNED_IN)),
        (SAME_CLAIMS, SPA, SIGNED_IN, Issue(SIGNED_IN)),
        (MORE_CLAIMS, SPA, SIGNED_IN, AskConsent(SIGNED_IN)),
        (changed(MORE_CLAIMS, prompt=CONSENT_AGAIN.prompt), SPA, agreed_to(REQUEST.id), AskConsent(agreed_to(REQUEST.id))),
        (REQUEST, changed(SPA, trusted=True), WITHOUT_CONSENT, Issue(WITHOUT_CONSENT)),
        (CONSENT_AGAIN, changed(SPA, trusted=True), WITHOUT_CONSENT, AskConsent(WITHOUT_CONSENT)),
        (LOOPBACK, changed(NATIVE, trusted=True), WITHOUT_CONSENT, AskConsent(WITHOUT_CONSENT)),
        (TWO_APIS, SPA, AGREED_ACROSS, AskConsent(AGREED_ACROSS)),
    ],
)  # fmt: skip
def test_what_comes_next(request_: object, client: Client, signed_in: SignedIn | None, expected: NextStep) -> None:
    assert expected == next_step(request_, client, signed_in, NOON)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("client", "remembered"),
    [
        (NATIVE, False),
        (changed(NATIVE, remember_loopback_consent=True), True),
        (changed(NATIVE, secret_hash=b"s" * 32), True),
    ],
)
def test_consent_is_remembered_only_where_the_client_is_assured(client: Client, remembered: bool) -> None:
    expected = Issue(SIGNED_IN) if remembered else AskConsent(SIGNED_IN)
    assert expected == next_step(LOOPBACK, client, SIGNED_IN, NOON)
    assert Issue(agreed_to(REQUEST.id)) == next_step(LOOPBACK, client, agreed_to(REQUEST.id), NOON)


@pytest.mark.parametrize(
    ("prompt", "signed_in", "kind", "reason"),
    [
        ("none", NOBODY, LoginRequired, "login_required"),
        ("none login", SIGNED_IN, LoginRequired, "login_required"),
        ("none", WITHOUT_CONSENT, ConsentRequired, "consent_required"),
    ],
)
def test_prompt_none_shows_no_page(
    prompt: str, signed_in: SignedIn | None, kind: type[OAuthError], reason: str
) -> None:
    request = changed(REQUEST, prompt=frozenset(prompt.split()))
    with refused(kind, reason):
        next_step(request, SPA, signed_in, NOON)


def test_prompt_none_is_answered_where_nothing_is_left_to_ask() -> None:
    assert Issue(SIGNED_IN) == next_step(changed(REQUEST, prompt=frozenset({"none"})), SPA, SIGNED_IN, NOON)


def test_an_essential_acr_that_nobody_can_have_is_refused() -> None:
    with refused(UnmetAuthentication, "acr_not_available"):
        next_step(changed(REQUEST, claims=ClaimsRequest(acrs=("gold",))), SPA, SIGNED_IN, NOON)
    one_of_two = changed(REQUEST, claims=ClaimsRequest(acrs=("gold", ACR_PASSWORD)))
    assert Issue(SIGNED_IN) == next_step(one_of_two, SPA, SIGNED_IN, NOON)


def code_for(signed_in: SignedIn, *, trusted: bool) -> AuthorizationCode:
    return new_code(
        REQUEST, signed_in, workspace_id="w1", grant_id=CODE.id, expires_at=CODE.expires_at, trusted=trusted
    )


def test_a_code_says_what_was_asked_and_who_agreed() -> None:
    assert CODE == code_for(SIGNED_IN, trusted=False)


def test_a_trusted_client_s_code_stands_on_no_consent() -> None:
    assert code_for(SIGNED_IN, trusted=True).consent_id is None
    assert code_for(WITHOUT_CONSENT, trusted=False).consent_id is None


def test_consent_of_an_authenticating_client_is_remembered_on_loopback() -> None:
    request = read(asked(client_id="web", redirect_uri="https://web.example/cb"), WEB)
    assert Issue(SIGNED_IN) == next_step(request, WEB, SIGNED_IN, NOON)
