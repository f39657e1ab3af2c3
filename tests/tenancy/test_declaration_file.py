"""The configuration file: every refusal names line, column and what was expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proofkey.server.tenancy.contradiction import DeclarationRefused
from proofkey.server.tenancy.declaration_file import read_declaration_file

SECRET = "a-secret-of-many-random-characters"
WORKSPACE = """\
tenants:
  acme:
    workspaces:
      main:
"""
APIS = """\
        apis:
          - audience: https://api.example
            scopes: { notes:read: Read notes }
"""


def refusal_of(tmp_path: Path, text: str) -> str:
    """Line, column and message of the refusal of *text*."""
    file = tmp_path / "proofkey.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationRefused) as refused:
        read_declaration_file(file).declare()
    return str(refused.value).removeprefix(f"{file}:")


def application(lines: str) -> str:
    """A file whose one application says *lines*, each on a line of its own from line 10 on."""
    indented = "".join(f"            {line}\n" for line in lines.splitlines())
    return WORKSPACE + APIS + "        applications:\n          app:\n" + indented


def person(lines: str) -> str:
    """A file whose one person says *lines*, each on a line of its own from line 7 on."""
    indented = "".join(f"            {line}\n" for line in lines.splitlines())
    return WORKSPACE + "        people:\n          carol:\n" + indented


SPA = "kind: spa\nredirect_uris: [https://app.example/callback]\n"
WEB = f"kind: web\nclient_secret: {SECRET}\nredirect_uris: [https://app.example/callback]\n"


def argon2id(m: int = 19_456, t: int = 2, p: int = 1, salt: str = "c29tZXNhbHQ", tag: str = "A" * 43) -> str:
    """An encoded hash with these parameters."""
    return f"$argon2id$v=19$m={m},t={t},p={p}${salt}${tag}"


@pytest.mark.parametrize(
    "given",
    [
        argon2id(),
        argon2id(m=65_536, t=3, p=4),
        argon2id(m=8_192, t=5),
        argon2id(m=262_144, t=10, p=8),
        argon2id(m=38_912, t=1, salt="A" * 86, tag="A" * 86),
        argon2id(tag="A" * 22),
    ],
)
def test_a_password_hash_no_cheaper_than_ours_is_taken(tmp_path: Path, given: str) -> None:
    file = tmp_path / "proofkey.yaml"
    file.write_text(person(f"password_hash: {given}"), encoding="utf-8")
    [declared] = read_declaration_file(file).declare().workspaces
    assert given == declared.people[0].password_hash


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (argon2id(m=8_191, t=10), "m from 8192 to 262144"),
        (argon2id(m=262_145), "m from 8192 to 262144"),
        (argon2id(m=10**9), "m from 8192 to 262144"),
        (argon2id(t=11), "t from 1 to 10"),
        (argon2id(m=262_144, p=9), "p from 1 to 8"),
        (argon2id(m=8_192, t=4), "no cheaper than ours"),
        (argon2id(m=19_456, t=2, p=2), "no cheaper than ours"),
        (argon2id(t=0), "an encoded Argon2id hash"),
        (argon2id().replace("m=19456", "m=019456"), "an encoded Argon2id hash"),
        (argon2id().replace("argon2id", "argon2i"), "an encoded Argon2id hash"),
        (argon2id().replace("v=19", "v=16"), "an encoded Argon2id hash"),
        (argon2id() + "=", "an encoded Argon2id hash"),
        (argon2id(salt="c2hvcnQ"), "a salt of 8 to 64 bytes"),
        (argon2id(tag="A" * 20), "a hash of 16 to 64"),
        (argon2id(tag="A" * 128), "a hash of 16 to 64"),
        (argon2id(tag="A" * 42 + "B"), "in base64 without padding"),
        (argon2id(tag="A" * 41), "in base64 without padding"),
    ],
)
def test_a_password_hash_that_would_cost_too_little_or_too_much_is_refused(
    tmp_path: Path, given: str, expected: str
) -> None:
    found = refusal_of(tmp_path, person(f"password_hash: {given}"))
    assert found.startswith("7:28: a password_hash")
    assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("tenants: {}\ntenants: {}\n", "2:1: `tenants` stands here twice"),
        ("tenants: &a {}\n", "1:10: anchors and aliases are not allowed: write the value out"),
        ("tenants: !!map {}\n", "1:10: tags such as tag:yaml.org,2002:map are not allowed"),
        ("tenants: {}\n---\ntenants: {}\n", "2:1: one document only"),
        ("1: {}\n", "1:1: a key must be text: put it in quotes"),
        ("tenants: [\n", "2:1: did not find expected node content"),
        ("- tenants\n", "1:1: expected a mapping, got a list"),
        ("tenant: {}\n", "1:1: unknown key `tenant`"),
        ("tenants: []\n", "1:10: expected a mapping, got a list"),
        ("tenants:\n  acme: {}\n", "2:9: the key `workspaces` is required here"),
        ("tenants:\n  api:\n    workspaces: {}\n", "3:5: the tenant name api is reserved for an address of the server"),
        (
            "tenants:\n  Acme:\n    workspaces: {}\n",
            "3:5: a tenant's name is a lower-case DNS label: letters, digits and hyphens",
        ),
        (
            "tenants:\n  acme:\n    workspaces:\n      main_1: {}\n",
            "4:15: a workspace's name is a lower-case DNS label",
        ),
        (WORKSPACE + "        nam: Acme\n", "5:9: unknown key `nam`"),
        (WORKSPACE + "        name: 7\n", "5:15: expected text, got a whole number: put it in quotes"),
        (
            WORKSPACE + "        lifetimes: { code: 60 }\n",
            "5:28: expected a duration such as 5m: a whole number and one of ms, s, m, h, d",
        ),
        (
            WORKSPACE + "        lifetimes: { code: 60sec }\n",
            "5:28: expected a duration such as 5m: a whole number and one of ms, s, m, h, d",
        ),
        (WORKSPACE + "        lifetimes: { code: 11m }\n", "5:28: between 1s and 10m"),
        (WORKSPACE + "        lifetimes: { access_token: 0s }\n", "5:36: between 1s and 1d"),
        (
            WORKSPACE + "        lifetimes: { session_idle: 31d }\n",
            "5:36: session_idle may not be longer than session_absolute",
        ),
        (
            WORKSPACE + "        apis:\n          - { audience: api, scopes: {} }\n",
            "6:25: an absolute URI in ASCII without a fragment, as in https://api.example",
        ),
        (
            WORKSPACE + APIS + "          - { audience: https://api.example, scopes: {} }\n",
            "8:25: the audience https://api.example stands here twice",
        ),
        (
            WORKSPACE + "        apis:\n          - { audience: https://api.example, scopes: { openid: Know you } }\n",
            "6:64: the scope openid belongs to OpenID Connect and cannot be an API's",
        ),
        (
            WORKSPACE + '        apis:\n          - { audience: https://api.example, scopes: { "a b": Know } }\n',
            "6:63: a scope is up to 128 visible ASCII characters without quotes and backslashes",
        ),
        (
            WORKSPACE + '        apis:\n          - { audience: https://api.example, scopes: { a: " " } }\n',
            "6:59: say in words what the scope allows: people read it when they are asked to consent",
        ),
        (
            WORKSPACE + "        apis:\n          - { audience: https://api.example, scopes: { a: 1 } }\n",
            "6:59: expected text, got a whole number: put it in quotes",
        ),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected == refusal_of(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("name: App", "10:13: the key `kind` is required here"),
        ("kind: app", "10:19: expected one of native, service, spa, web"),
        (SPA + "trusted: yes", "12:22: expected true or false, got text"),
        (SPA + "redirect_url: []", "12:13: unknown key `redirect_url`"),
        (
            SPA + f"client_secret: {SECRET}",
            "12:28: a spa application cannot keep a secret: leave it out",
        ),
        ("kind: web\nredirect_uris: [https://a.example/]", "10:13: a web application needs a client_secret"),
        ("kind: service", "10:13: a service application needs a client_secret"),
        (
            "kind: service\nclient_secret: short",
            "11:28: a client_secret is 22 to 512 printable ASCII characters, made at random",
        ),
        (
            "kind: service\nclient_secret: { env: PROOFKEY_TEST_UNSET }",
            "11:28: the environment variable PROOFKEY_TEST_UNSET is not set",
        ),
        ("kind: service\nclient_secret: { env: A, file: B }", "11:28: a reference has one key: env or file"),
        (SPA + "pkce: or_nonce", "12:19: public clients always use PKCE: only `required` is possible"),
        (SPA + "pkce: certification", "12:19: public clients always use PKCE: only `required` is possible"),
        (SPA + "pkce: plain", "12:19: expected one of certification, or_nonce, required"),
        (
            SPA + "grant_types: [authorization_code, client_credentials]",
            "12:26: client_credentials needs a client_secret: kind web or service",
        ),
        (
            SPA + "introspects: [https://api.example]",
            "12:26: introspection needs a client_secret: kind web or service",
        ),
        (
            "kind: native\nredirect_uris: [http://127.0.0.1/]\ntrusted: true",
            "12:22: a native application can be impersonated: consent is always asked (RFC 8252 §8.6)",
        ),
        ("kind: spa", "10:13: the grant type authorization_code needs at least one of redirect_uris"),
        (
            f"kind: service\nclient_secret: {SECRET}\nredirect_uris: [https://a.example/]",
            "12:28: redirect_uris need the grant type authorization_code",
        ),
        (
            f"kind: service\nclient_secret: {SECRET}\ngrant_types: [client_credentials, refresh_token]",
            "12:26: refresh_token needs authorization_code: no other grant gives one",
        ),
        (
            "kind: spa\nredirect_uris: [https://a.example/, https://a.example/]",
            "11:49: https://a.example/ stands here twice",
        ),
        (
            "kind: spa\nredirect_uris: [/callback]",
            "11:29: the address must be absolute, in ASCII, without a fragment",
        ),
        (
            'kind: spa\nredirect_uris: ["https://a.example/#top"]',
            "11:29: the address must be absolute, in ASCII, without a fragment",
        ),
        (
            "kind: native\nredirect_uris: ['javascript:alert(1)']",
            "11:29: the address has a scheme that is never a client's",
        ),
        (
            "kind: native\nredirect_uris: ['data:text/html,hello']",
            "11:29: the address has a scheme that is never a client's",
        ),
        (
            "kind: spa\nredirect_uris: ['myapp://callback']",
            "11:29: the address with a private-use scheme needs a native client",
        ),
        (
            "kind: spa\nredirect_uris: [http://app.example/callback]",
            "11:29: the address must be https, or http on a loopback address",
        ),
        (
            SPA + "post_logout_redirect_uris: [http://app.example/]",
            "12:41: the address must be https, or http on a loopback address",
        ),
        (
            SPA + "origins: [https://app.example/]",
            "12:23: an origin is scheme, host and port, without a path (RFC 6454)",
        ),
        (
            WEB + "origins: [https://app.example]",
            "13:22: a browser may call with a public client only: kind spa or native",
        ),
        (SPA + "scopes: [openid, orders]", "12:30: no API of the workspace has the scope orders"),
        (
            SPA + "grant_types: [authorization_code]\nscopes: [offline_access]",
            "13:22: offline_access needs the grant type refresh_token",
        ),
        (
            SPA + "scopes: [openid]\ndefault_scope: [openid]",
            "13:29: default_scope may not contain openid: it must be asked for",
        ),
        (
            SPA + "scopes: [openid]\ndefault_scope: [notes:read]",
            "13:29: notes:read is not among the application's scopes",
        ),
        (
            SPA + "apis: [https://other.example]",
            "12:20: no API of the workspace has the audience https://other.example",
        ),
        (
            WEB + "introspects: [https://other.example]",
            "13:27: no API of the workspace has the audience https://other.example",
        ),
        (
            SPA + 'client_id: "é"',
            "12:24: a client_id is 1 to 255 printable ASCII characters (RFC 6749 appendix A.1)",
        ),
    ],
)
def test_a_contradictory_application_is_refused_at_its_place(tmp_path: Path, lines: str, expected: str) -> None:
    assert expected == refusal_of(tmp_path, application(lines))


def test_two_applications_cannot_share_a_client_id(tmp_path: Path) -> None:
    second = "          other:\n            kind: spa\n            client_id: app\n            redirect_uris: [https://b.example/]\n"
    assert "14:24: the client_id app is already that of app" == refusal_of(tmp_path, application(SPA) + second)


def test_a_person_and_an_application_cannot_share_an_id(tmp_path: Path) -> None:
    app = "          app:\n            kind: spa\n            client_id: carol-1\n            redirect_uris: [https://b.example/]\n"
    text = person("id: carol-1") + "        applications:\n" + app
    expected = "7:17: carol-1 is the client_id of app: both would be `sub` (RFC 9700 §4.15)"
    assert expected == refusal_of(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("password: 12345678", "7:23: expected text or a mapping, got a whole number: put it in quotes"),
        ("password: ''", "7:23: a password has 1 to 1024 characters"),
        ("password: a\npassword_hash: b", "8:28: password or password_hash, not both"),
        (
            "password_hash: 5f4dcc3b5aa765d61d8327deb882cf99",
            "7:28: a password_hash is an encoded Argon2id hash: $argon2id$v=19$m=…,t=…,p=…$…$…",
        ),
        (
            f"password_hash: {argon2id(m=19_455)}",
            "7:28: a password_hash is no cheaper than ours: m times t is at least 38912 for each of p",
        ),
        ("email: 7", "7:20: expected an e-mail address such as alice@example.com"),
        ("email: carol", "7:20: expected an e-mail address such as alice@example.com"),
        ("email_verified: true", "7:29: there is no email to be verified"),
        ("claims: { sub: 1 }", "7:28: sub is said by the server or has a key of its own"),
        ("claims: { email_verified: true }", "7:39: email_verified is said by the server or has a key of its own"),
        ("id: a b", "7:17: an id is up to 255 visible ASCII characters (OpenID Connect Core §2, sub)"),
        ("born: 1970", "7:13: unknown key `born`"),
    ],
)
def test_a_contradictory_person_is_refused_at_its_place(tmp_path: Path, lines: str, expected: str) -> None:
    assert expected == refusal_of(tmp_path, person(lines))


def test_two_people_cannot_sign_in_with_one_name(tmp_path: Path) -> None:
    text = person("email: dave@acme.example\nemail_verified: true") + "          DAVE@acme.example: {}\n"
    assert "9:30: carol signs in as dave@acme.example already" == refusal_of(tmp_path, text)


def test_a_secret_of_a_file_is_bounded_and_from_a_regular_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    text = application("kind: service\nclient_secret: { file: secret }")
    secret.write_text("x" * 65_537)
    assert "11:28: the file secret cannot be read: more than 65536 bytes" == refusal_of(tmp_path, text)
    secret.write_bytes(b"\xff" * 20)
    assert refusal_of(tmp_path, text).startswith("11:28: the file secret cannot be read: 'utf-8' codec")
    secret.unlink()
    assert "11:28: the file secret cannot be read: No such file or directory" == refusal_of(tmp_path, text)
    secret.mkdir()
    assert "11:28: the file secret cannot be read: " in refusal_of(tmp_path, text)
    secret.rmdir()
    os.mkfifo(secret)
    assert "11:28: the file secret cannot be read: not a regular file" == refusal_of(tmp_path, text)
    endless = text.replace("file: secret", "file: /dev/zero")
    assert "11:28: the file /dev/zero cannot be read: not a regular file" == refusal_of(tmp_path, endless)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "proofkey.yaml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(DeclarationRefused, match=r":1:1: must be UTF-8 text$"):
        read_declaration_file(file)


def test_nesting_is_bounded(tmp_path: Path) -> None:
    assert "1:22: more than 20 levels deep" == refusal_of(tmp_path, "[" * 30 + "]" * 30)
