"""The facts that the tables of this folder ask the rules about: one of each, varied by `replace`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proofkey.protocol.pkce import challenge_for
from proofkey.protocol.records import (
    DAY,
    HOUR,
    MINUTE,
    Api,
    AuthorizationCode,
    Client,
    Consent,
    Grant,
    LiveGrant,
    Session,
    SignedIn,
    User,
    Workspace,
)
from proofkey.protocol.refresh_token import hash_secret

NOON = 1_795_262_400_000
"""The argument that every test passes as `now`: 2026-11-21 12:00:00 UTC, in milliseconds."""

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 appendix B."""

ISSUER = "https://auth.example/demo/main"
API = Api("https://api.example/notes", "Notes", {"notes:read": "Read your notes", "notes:write": "Change your notes"})
OTHER_API = Api("https://api.example/bills", "Bills", {"bills:read": "See your bills"})
WORKSPACE = Workspace("w1", "demo", "main", "Demo", (API, OTHER_API))

SPA = Client(
    id="spa",
    name="Notes",
    kind="spa",
    redirect_uris=("https://app.example/callback", "https://app.example/silent"),
    grant_types=("authorization_code", "refresh_token"),
    scopes=("openid", "profile", "email", "offline_access", "notes:read", "notes:write"),
    default_scope=("notes:read",),
    resources=(API.audience, OTHER_API.audience),
)
WEB = replace(SPA, id="web", kind="web", redirect_uris=("https://web.example/cb",), secret_hash=b"s" * 32)
NATIVE = replace(
    SPA, id="native", kind="native", redirect_uris=("http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb")
)
SERVICE = Client(
    id="service",
    name="Nightly",
    kind="service",
    grant_types=("client_credentials",),
    scopes=("notes:read",),
    resources=(API.audience,),
    secret_hash=b"s" * 32,
)

ALICE = User(
    "w1", "alice-id", "alice@demo.example", {"name": "Alice", "email": "alice@demo.example", "email_verified": True}
)
SESSION = Session("w1", b"S" * 16, b"c" * 32, ALICE.id, 0, NOON - HOUR, "acr", ("pwd",), NOON + HOUR, NOON + DAY)
CONSENT = Consent(
    "w1",
    ALICE.id,
    "spa",
    b"C" * 16,
    (API.audience,),
    ("openid", f"notes:read {API.audience}"),
    ("email",),
    b"R" * 16,
    NOON - HOUR,
)
SIGNED_IN = SignedIn(SESSION, ALICE, CONSENT)
CODE = AuthorizationCode(
    workspace_id="w1",
    id=b"G" * 16,
    client_id="spa",
    user_id=ALICE.id,
    user_epoch=0,
    session_id=SESSION.id,
    consent_id=CONSENT.id,
    redirect_uri="https://app.example/callback",
    redirect_uri_sent=True,
    challenge=challenge_for(VERIFIER),
    nonce="n-0S6_WzA2Mj",
    scope=("openid", "notes:read"),
    resources=(API.audience,),
    claims="",
    auth_time=NOON - HOUR,
    acr="acr",
    amr=("pwd",),
    expires_at=NOON + MINUTE,
)
SECRET = b"r" * 16
GRANT = Grant(
    workspace_id="w1",
    id=b"G" * 16,
    attempt=b"A" * 16,
    client_id="spa",
    user_id=ALICE.id,
    user_epoch=0,
    session_id=SESSION.id,
    consent_id=CONSENT.id,
    offline=False,
    scope=("openid", "email", "notes:read"),
    resources=(API.audience,),
    claims="",
    auth_time=NOON - HOUR,
    acr="acr",
    amr=("pwd",),
    created_at=NOON,
    idle_until=NOON + 30 * DAY,
    expires_at=NOON + 90 * DAY,
    refresh_hash=hash_secret(SECRET),
)
LIVE = LiveGrant(GRANT, ALICE)


def changed(record: Any, **members: Any) -> Any:
    """*record* with other *members*; the same type comes back."""
    return replace(record, **members)
