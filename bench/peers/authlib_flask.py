"""The peer Authlib on Flask, under one gunicorn worker: code + PKCE, OpenID, JWT access tokens, rotating refresh tokens.

Usage: python authlib_flask.py PORT FOLDER. Prints one JSON line once it serves, as `proofkey dev --json` does.
Whoever asks is signed in as alice, and consent is taken for given: what a person does is not measured.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant  # type: ignore[import-untyped]
from authlib.oauth2.rfc6750 import BearerTokenValidator  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]
from authlib.oauth2.rfc7662 import IntrospectionEndpoint  # type: ignore[import-untyped]
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator  # type: ignore[import-untyped]
from authlib.oidc.core import OpenIDCode, OpenIDToken, UserInfo, UserInfoEndpoint  # type: ignore[import-untyped]
from flask import Flask, Response, jsonify, redirect, request, session
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from joserfc.jwk import ECKey, KeySet

from bench.peers.authlib_store import Application, Code, Person, Store, Token

AUDIENCE = "https://api.example"
REDIRECT_URI = "http://127.0.0.1:9/callback"
SCOPE = "openid profile email notes:read"
FIVE_MINUTES = 300
CLIENTS = {"spa": None, "web": secrets.token_urlsafe(24)}

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
ISSUER = f"http://127.0.0.1:{PORT}"
KEY = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig", "alg": "ES256"})
KEYS = KeySet([KEY])
STORE = Store(str(FOLDER / "authlib.db"))


def describe_user(user: Person, scope: str) -> UserInfo:
    return UserInfo(sub=user.id, name=user.name, email=user.email, email_verified=True).filter(scope)


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "none")

    def save_authorization_code(self, code: str, asked: Any) -> None:
        sent = asked.payload.data
        STORE.write(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            code, asked.client.client_id, asked.user.id, asked.payload.redirect_uri, asked.scope, sent.get("nonce"),
            int(time.time()), sent.get("code_challenge"), sent.get("code_challenge_method"),
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Application) -> Code | None:
        return STORE.find_code(code, client.client_id)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        STORE.write("DELETE FROM codes WHERE code = ?", authorization_code.code)

    def authenticate_user(self, authorization_code: Code) -> Person | None:
        return STORE.find_person(authorization_code.user_id)


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "none")

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        found = STORE.find_refresh_token(refresh_token)
        return None if found is None or found.revoked else found

    def authenticate_user(self, refresh_token: Token) -> Person | None:
        return refresh_token.get_user()

    def revoke_old_credential(self, refresh_token: Token) -> None:
        STORE.write("UPDATE tokens SET revoked = 1 WHERE access_token = ?", refresh_token.access_token)


class IdToken:
    def resolve_client_private_key(self, client: Application) -> ECKey:  # noqa: ARG002
        return KEY

    def get_client_claims(self, client: Application) -> dict[str, object]:
        return {"iss": ISSUER, "aud": client.client_id, "exp": int(time.time()) + FIVE_MINUTES}

    def generate_user_info(self, user: Person, scope: str) -> UserInfo:
        return describe_user(user, scope)


class IdTokenOfCode(IdToken, OpenIDCode):  # type: ignore[misc]
    def exists_nonce(self, nonce: str, asked: Any) -> bool:
        return STORE.knows_nonce(nonce, asked.payload.client_id)


class IdTokenOfRefresh(IdToken, OpenIDToken):  # type: ignore[misc]
    pass


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    def get_jwks(self) -> ECKey:
        return KEY

    def get_audiences(self, client: Application, user: Person, scope: str) -> str:  # noqa: ARG002
        return AUDIENCE


class KnownTokens(BearerTokenValidator):  # type: ignore[misc]
    def authenticate_token(self, token_string: str) -> Token | None:
        return STORE.find_token(token_string)


class UserInfoOf(UserInfoEndpoint):  # type: ignore[misc]
    def generate_user_info(self, user: Person, scope: str) -> UserInfo:
        return describe_user(user, scope)


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = ("client_secret_basic",)

    def check_permission(self, token: Token, client: Application, asked: Any) -> bool:  # noqa: ARG002
        return token.check_client(client)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002
        return STORE.find_token(token_string) or STORE.find_refresh_token(token_string)

    def introspect_token(self, token: Token) -> dict[str, object]:
        times = {"iat": token.issued_at, "exp": token.issued_at + token.expires_in}
        names = {"iss": ISSUER, "sub": token.user_id, "aud": AUDIENCE, "client_id": token.client_id}
        return {"active": True, "token_type": "Bearer", "scope": token.scope, **names, **times}


def save_token(token: dict[str, Any], asked: Any) -> None:
    STORE.write(
        "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        token["access_token"], token.get("refresh_token"), asked.client.client_id, asked.user.id, token["scope"],
        int(time.time()), token["expires_in"],
    )  # fmt: skip


def create_server(app: Flask) -> AuthorizationServer:
    server = AuthorizationServer(app, query_client=STORE.find_client, save_token=save_token)
    server.register_token_generator(
        "default",
        AccessTokens(ISSUER, "ES256", lambda **_: generate_token(48), lambda _client, _grant: FIVE_MINUTES),
    )
    server.register_grant(CodeGrant, [IdTokenOfCode(), CodeChallenge(required=True)])
    server.register_grant(RefreshGrant, [IdTokenOfRefresh()])
    protector = ResourceProtector()
    protector.register_token_validator(KnownTokens())
    server.register_endpoint(UserInfoOf(resource_protector=protector))
    server.register_endpoint(Introspection)
    return server


def create_app() -> Flask:
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    server = create_server(app)

    @app.get("/authorize")
    def authorize() -> Any:
        user = STORE.find_person(session["user"]) if "user" in session else None
        if user is None:
            session["user"] = "alice"
            return redirect(request.url)
        grant = server.get_consent_grant(end_user=user)
        return server.create_authorization_response(grant=grant, grant_user=user)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Any:
        return server.create_endpoint_response("userinfo")

    @app.post("/introspect")
    def introspect() -> Any:
        return server.create_endpoint_response("introspection")

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(KEYS.as_dict(private=False))

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "introspection": "introspect"}
        endpoints = {f"{name}_endpoint": f"{ISSUER}/{path}" for name, path in paths.items()}
        return jsonify({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", **endpoints})

    return app


def fill_store() -> None:
    STORE.write("INSERT INTO people VALUES ('alice', 'Alice Example', 'alice@example.test')")
    for client_id, secret in CLIENTS.items():
        metadata = json.dumps({"redirect_uris": [REDIRECT_URI], "scope": SCOPE})
        STORE.write("INSERT INTO clients VALUES (?, ?, ?)", client_id, secret, metadata)


def announce(_worker: object) -> None:
    clients = {
        name: {"client_id": name, "client_secret": secret, "redirect_uris": [REDIRECT_URI]}
        for name, secret in CLIENTS.items()
    }
    person = {"username": "alice", "password": ""}
    resource = {"scopes": {"notes:read": "Read notes"}}
    print(json.dumps({"issuer": ISSUER, "clients": clients, "user": person, "resource": resource}), flush=True)


class OneWorker(BaseApplication):  # type: ignore[misc]
    def load_config(self) -> None:
        settings = {
            "bind": f"127.0.0.1:{PORT}", "workers": 1, "worker_class": "gthread", "threads": 2, "keepalive": 75,
            "post_worker_init": announce, "loglevel": "error",
        }  # fmt: skip
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app()


if __name__ == "__main__":
    fill_store()
    OneWorker().run()
