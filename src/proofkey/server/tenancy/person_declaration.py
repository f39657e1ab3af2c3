"""Declared people: names to sign in with, claims (OpenID Connect Core §5.1), and at most one password."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proofkey.protocol.login_name import fold, is_login_name
from proofkey.protocol.records import Json
from proofkey.server.identity.password import MAX_PASSWORD
from proofkey.server.tenancy.contradiction import Path, contradict
from proofkey.server.tenancy.declared import DeclaredPerson, Resolve
from proofkey.server.tenancy.file_schema import PersonSchema, Secret
from proofkey.server.tenancy.password_hash import expected_of

RESERVED_CLAIMS = frozenset(
    {
        "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash",
        "c_hash", "s_hash", "scope", "client_id", "cnf", "act", "may_act", "email", "email_verified", "name",
        "preferred_username",
    }
)  # fmt: skip
"""Claims the server says itself, and those that have a key of their own."""
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,255}")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")


def declare_people(schemas: Mapping[str, PersonSchema], here: Path, resolve: Resolve) -> tuple[DeclaredPerson, ...]:
    """The workspace's people, in order. Raises `Contradiction`."""
    taken: dict[str, str] = {}
    people = []
    for username, schema in schemas.items():
        at: Path = (*here, username)
        person = _declare_person(username, schema, at, resolve)
        for login_name in person.login_names:
            if login_name in taken:
                contradict(at, f"{taken[login_name]} signs in as {login_name} already")
            taken[login_name] = username
        people.append(person)
    return tuple(people)


def _declare_person(username: str, schema: PersonSchema, at: Path, resolve: Resolve) -> DeclaredPerson:
    if not is_login_name(username):
        contradict(at, "a username is 1 to 320 visible characters")
    if schema.id is not None and not _SUBJECT.fullmatch(schema.id):
        contradict((*at, "id"), "an id is up to 255 visible ASCII characters (OpenID Connect Core §2, sub)")
    if schema.email is not None and not _EMAIL.fullmatch(schema.email):
        contradict((*at, "email"), "expected an e-mail address such as alice@example.com")
    if schema.email is None and schema.email_verified:
        contradict((*at, "email_verified"), "there is no email to be verified")
    if schema.password is not None and schema.password_hash is not None:
        contradict((*at, "password_hash"), "password or password_hash, not both")
    verified = [schema.email] if schema.email is not None and schema.email_verified else []
    return DeclaredPerson(
        username,
        login_names=tuple(dict.fromkeys(fold(name) for name in (username, *verified))),
        claims=_claims(username, schema, at),
        id=schema.id,
        password=_password(schema.password, (*at, "password"), resolve),
        password_hash=_password_hash(schema.password_hash, (*at, "password_hash"), resolve),
        disabled=schema.disabled,
    )


def _claims(username: str, schema: PersonSchema, at: Path) -> dict[str, Json]:
    for claim in schema.claims:
        if claim in RESERVED_CLAIMS:
            contradict((*at, "claims", claim), f"{claim} is said by the server or has a key of its own")
    claims: dict[str, Json] = {"preferred_username": username}
    if schema.name is not None:
        claims["name"] = schema.name
    if schema.email is not None:
        claims |= {"email": schema.email, "email_verified": schema.email_verified}
    return claims | schema.claims


def _password(secret: Secret | None, at: Path, resolve: Resolve) -> str | None:
    text = _resolved(secret, at, resolve)
    if text is not None and not 1 <= len(text) <= MAX_PASSWORD:
        contradict(at, f"a password has 1 to {MAX_PASSWORD} characters")
    return text


def _password_hash(secret: Secret | None, at: Path, resolve: Resolve) -> str | None:
    text = _resolved(secret, at, resolve)
    expected = None if text is None else expected_of(text)
    if expected is not None:
        contradict(at, expected)
    return text


def _resolved(secret: Secret | None, at: Path, resolve: Resolve) -> str | None:
    if secret is None:
        return None
    try:
        return resolve(secret)
    except LookupError as missing:
        contradict(at, str(missing.args[0]))
