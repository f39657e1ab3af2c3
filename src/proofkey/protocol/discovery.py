"""Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0 §3)."""

from __future__ import annotations

from proofkey.protocol.authorize import PROMPTS, RESPONSE_MODES
from proofkey.protocol.interaction import ACRS
from proofkey.protocol.records import Json, Workspace
from proofkey.protocol.scope import CLAIMS_BY_SCOPE

_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]


def metadata(issuer: str, workspace: Workspace) -> dict[str, Json]:
    """What this issuer can do. Every address is under the issuer, which comes from configuration alone."""
    api_scopes = [name for api in workspace.apis for name in api.scopes]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
        "introspection_endpoint_auth_methods_supported": _AUTH_METHODS[1:],
        "scopes_supported": ["openid", "offline_access", *CLAIMS_BY_SCOPE, *dict.fromkeys(api_scopes)],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
            *(name for names in CLAIMS_BY_SCOPE.values() for name in names),
        ],
        "acr_values_supported": list(ACRS),
        "prompt_values_supported": sorted(PROMPTS),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["en"],
    }  # fmt: skip
