"""The built-in demo: tenant `demo`, workspace `main`, two people, one application of each kind, the playground's,
one for the app its reader writes, and the notes API.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from proofkey.server.entropy import Entropy, mint_secret
from proofkey.server.tenancy.file_schema import (
    ApiSchema,
    ApplicationSchema,
    FileSchema,
    PersonSchema,
    TenantSchema,
    WorkspaceSchema,
)

TENANT, WORKSPACE = "demo", "main"
NOTES_SCOPES = {"notes:read": "Read your notes", "notes:write": "Add and change your notes"}
OWN_ORIGINS = ("http://127.0.0.1:8000", "http://localhost:8000")
"""Where the manual's examples, and whatever a reader makes of them, are served."""
_PERSON_SCOPES = ["openid", "profile", "email", "offline_access", *NOTES_SCOPES]


class DemoSecrets(Struct, frozen=True, forbid_unknown_fields=True):
    """What the demo made up at its first start: client secrets by application, passwords by person."""

    client_secrets: dict[str, str]
    passwords: dict[str, str]


def mint_demo_secrets(entropy: Entropy) -> DemoSecrets:
    """New secrets: 256 bits for applications, 80 bits that can be typed for people."""
    return DemoSecrets(
        client_secrets={name: mint_secret(entropy) for name in ("web", "service")},
        passwords={username: _mint_password(entropy) for username in ("alice", "bob")},
    )


def _mint_password(entropy: Entropy) -> str:
    letters = b32encode(entropy(10)).decode("ascii").lower()
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def demo_schema(secrets: DemoSecrets, *, app_url: str, api_url: str) -> FileSchema:
    """What the demo's configuration file would say, for a sample app and a sample API at these origins."""
    workspace = WorkspaceSchema(
        name="Proofkey demo",
        apis=[ApiSchema(audience=api_url, name="Notes", scopes=NOTES_SCOPES)],
        applications=_applications(secrets.client_secrets, app_url, api_url),
        people={
            "alice": _person("Alice", "Adler", "en-GB", secrets.passwords["alice"]),
            "bob": _person("Bob", "Brandt", "de-DE", secrets.passwords["bob"]),
        },
    )
    return FileSchema(tenants={TENANT: TenantSchema(workspaces={WORKSPACE: workspace})})


def _applications(client_secrets: Mapping[str, str], app_url: str, api_url: str) -> dict[str, ApplicationSchema]:
    person: dict[str, Any] = {
        "scopes": _PERSON_SCOPES,
        "default_scope": ["notes:read"],
        "post_logout_redirect_uris": [f"{app_url}/"],
    }
    return {
        "spa": ApplicationSchema(
            kind="spa", name="Notes", redirect_uris=[f"{app_url}/callback", f"{app_url}/"], **person
        ),
        "native": ApplicationSchema(
            kind="native",
            name="Notes CLI",
            redirect_uris=["http://127.0.0.1/callback", "http://[::1]/callback", "com.example.demo:/callback"],
            **person,
        ),
        "web": ApplicationSchema(
            kind="web",
            name="Notes web",
            client_secret=client_secrets["web"],
            redirect_uris=[f"{app_url}/web/callback", *(f"{origin}/auth/callback" for origin in OWN_ORIGINS)],
            **{
                **person,
                "post_logout_redirect_uris": [f"{app_url}/", *(f"{own}/auth/logged-out" for own in OWN_ORIGINS)],
            },
        ),
        "service": ApplicationSchema(
            kind="service",
            name="Notes worker",
            client_secret=client_secrets["service"],
            scopes=list(NOTES_SCOPES),
            default_scope=["notes:read"],
            introspects=[api_url],
        ),
        **_in_the_browser(app_url),
    }


def _in_the_browser(app_url: str) -> dict[str, ApplicationSchema]:
    """The playground, and whatever single-page app a reader serves on this machine."""
    return {
        "playground": ApplicationSchema(
            kind="spa",
            name="Playground",
            redirect_uris=[f"{app_url}/playground/callback"],
            scopes=["openid", "profile", "email", "notes:read"],
            default_scope=["notes:read"],
            post_logout_redirect_uris=[f"{app_url}/playground"],
        ),
        "example": ApplicationSchema(
            kind="spa",
            name="Your own app",
            redirect_uris=[f"{origin}{path}" for origin in OWN_ORIGINS for path in ("/callback", "/")],
            scopes=_PERSON_SCOPES,
            default_scope=["notes:read"],
            post_logout_redirect_uris=[f"{origin}/" for origin in OWN_ORIGINS],
        ),
    }


def _person(given_name: str, family_name: str, locale: str, password: str) -> PersonSchema:
    return PersonSchema(
        email=f"{given_name.lower()}@demo.example",
        email_verified=True,
        name=f"{given_name} {family_name}",
        claims={
            "given_name": given_name,
            "family_name": family_name,
            "nickname": given_name,
            "locale": locale,
            "zoneinfo": "Europe/London" if locale == "en-GB" else "Europe/Berlin",
        },
        password=password,
    )
