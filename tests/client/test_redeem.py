"""What a client asks where it spends a code, and what it gives back where no sign-in comes of it (RFC 7009)."""

from __future__ import annotations

import pytest

from proofkey.client.device import AskAgain, DeviceAuthorization, ask_device
from proofkey.client.id_token import IdTokenRefused
from proofkey.client.issuer import Issuer
from proofkey.client.messages import NoAnswer, ResponseRefused
from proofkey.client.protocol import read_callback
from tests.client.test_issuer import (
    HOME,
    METADATA,
    NOON,
    REGISTRATION,
    Clock,
    Script,
    answer_of,
    id_token,
    pending_of,
    redeem,
)
from tests.protocol.refusals import refused

REVOKES = {**METADATA, "revocation_endpoint": f"{HOME}/revoke"}
AUTHORIZATION = DeviceAuthorization("d", "WDJB-MJHT", f"{HOME}/device", None, 600_000, 5_000)


def script_that_revokes(**answers: object) -> Script:
    script = Script(revoke={}, **answers)
    script.answers["/.well-known/openid-configuration"] = REVOKES
    return script


def test_without_keys_to_check_it_with_the_refresh_token_goes_back() -> None:
    script = script_that_revokes(jwks=NoAnswer("server_unreachable", "Nobody answers"))
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(refresh_token="rt", id_token=id_token(pending))
    with refused(NoAnswer, "server_unreachable"):
        redeem(script, issuer, pending)()
    assert "/revoke" == script.asked[-1]


def test_who_did_not_ask_for_openid_needs_no_keys() -> None:
    script = Script(token=answer_of(), jwks=NoAnswer("server_unreachable", "Nobody answers"))
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    redeem(script, issuer, pending_of(script, issuer, scope="notes:read"))()
    assert "/token" == script.asked[-1]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"nonce": "another"}, "id_token_nonce_differs"), ({"exp": 1}, "id_token_expired"), (None, "id_token_not_given")],
)
def test_a_refused_id_token_gives_the_refresh_token_back(changed: dict[str, object] | None, reason: str) -> None:
    script = script_that_revokes()
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    told = {} if changed is None else {"id_token": id_token(pending, **changed)}  # type: ignore[arg-type]
    script.answers["/token"] = answer_of(refresh_token="rt", **told)
    with refused(IdTokenRefused, reason):
        redeem(script, issuer, pending)()
    assert ("/revoke", b"token=rt&client_id=client") == (script.asked[-1], script.bodies[-1])


def test_so_does_a_sign_in_that_is_older_than_was_asked_for() -> None:
    script = script_that_revokes()
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    told = id_token(pending, auth_time=NOON // 1000 - 400)
    script.answers["/token"] = answer_of(refresh_token="rt", id_token=told)
    callback = read_callback(f"{REGISTRATION.redirect_uri}?code=c&state={pending.state}", pending)
    script.run(issuer.redeem(callback, max_age=400))
    assert "/revoke" not in script.asked
    with refused(IdTokenRefused, "id_token_auth_time_too_old"):
        script.run(issuer.redeem(callback, max_age=300))
    assert "/revoke" == script.asked[-1]


def test_a_refused_id_token_of_a_device_gives_the_refresh_token_back() -> None:
    script = script_that_revokes(token=answer_of(refresh_token="rt"))
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    with refused(IdTokenRefused, "id_token_not_given"):
        script.run(ask_device(issuer, AUTHORIZATION, scope="openid", interval_for=5_000))
    assert "/revoke" == script.asked[-1]


def test_the_refusal_is_told_whether_or_not_the_token_could_be_given_back() -> None:
    script = script_that_revokes(token=answer_of(refresh_token="rt"))
    for there in (NoAnswer("server_unreachable", "Nobody answers"), {"error": "server_error"}, None):
        script.answers["/revoke"] = there
        issuer = Issuer(HOME, REGISTRATION, clock=Clock())
        with refused(IdTokenRefused, "id_token_not_given"):
            redeem(script, issuer, pending_of(script, issuer))()
    script.answers["/.well-known/openid-configuration"] = METADATA
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    with refused(IdTokenRefused, "id_token_not_given"):
        redeem(script, issuer, pending_of(script, issuer))()
    assert "/token" == script.asked[-1]


@pytest.mark.parametrize(
    "typ", ["at+jwt", "application/at+jwt", "logout+jwt", "LOGOUT+JWT", "dpop+jwt", "token-introspection+jwt"]
)
def test_a_jwt_of_another_kind_is_no_id_token(typ: str) -> None:
    """RFC 8725 §3.11: whoever types a JWT says that it is for nothing else."""
    script = Script()
    issuer = Issuer(HOME, REGISTRATION, clock=Clock())
    pending = pending_of(script, issuer)
    script.answers["/token"] = answer_of(id_token=id_token(pending, typ_header=typ))
    with refused(IdTokenRefused, "id_token_is_something_else"):
        redeem(script, issuer, pending)()


def test_without_an_answer_the_second_document_counts_for_nothing_beside_the_first() -> None:
    gone = NoAnswer("server_unreachable", "Nobody answers")
    documents = {".well-known/oauth-authorization-server": METADATA, ".well-known/openid-configuration": gone}
    script = Script(**documents)
    assert f"{HOME}/token" == script.run(Issuer(HOME, REGISTRATION).discover()).token_endpoint
    script.answers["/.well-known/oauth-authorization-server"] = {"issuer": HOME}
    with refused(NoAnswer, "server_unreachable"):
        script.run(Issuer(HOME, REGISTRATION).discover())


def test_a_document_of_another_issuer_counts_for_nothing_beside_one_of_this() -> None:
    """Hosts answer every path below one address with the document of their root."""
    root = {**METADATA, "issuer": f"{HOME}/root", "token_endpoint": f"{HOME}/of-root", "userinfo_endpoint": f"{HOME}/u"}
    names = [".well-known/oauth-authorization-server", ".well-known/openid-configuration"]
    for ours, other in (names, reversed(names)):
        metadata = Script(**{ours: METADATA, other: root}).run(Issuer(HOME, REGISTRATION).discover())
        assert (f"{HOME}/token", None) == (metadata.token_endpoint, metadata.userinfo_endpoint)
    for documents in (dict.fromkeys(names, root), {names[0]: root, names[1]: None}):
        with refused(ResponseRefused, "metadata_issuer_differs"):
            Script(**documents).run(Issuer(HOME, REGISTRATION).discover())


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error"])
def test_a_problem_of_the_server_s_own_does_not_end_the_wait_at_a_device(code: str) -> None:
    """RFC 8628 §3.5: asked again, and the interval stays what it was."""
    script = Script(token={"error": code})
    asked = script.run(ask_device(Issuer(HOME, REGISTRATION), AUTHORIZATION, scope="openid", interval_for=7_000))
    assert AskAgain(7_000, is_lost=True) == asked
    script.answers["/token"] = {"error": "slow_down"}
    asked = script.run(ask_device(Issuer(HOME, REGISTRATION), AUTHORIZATION, scope="openid", interval_for=7_000))
    assert AskAgain(12_000) == asked
