"""The manual's example is a file that works, and its tables name the keys and defaults there are."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from proofkey.protocol.records import DAY, HOUR, MINUTE, SECOND, Lifetimes
from proofkey.server.config import RESERVED_TENANTS, Throttle
from proofkey.server.tenancy import file_schema
from proofkey.server.tenancy.declaration_file import DeclarationFile, read_declaration_file
from proofkey.server.tenancy.server_settings import read_server_settings

MANUAL = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
SECTIONS = {
    "`server:`": file_schema.ServerSchema,
    "`apis[]`": file_schema.ApiSchema,
    "`applications.NAME`": file_schema.ApplicationSchema,
    "`people.USERNAME`": file_schema.PersonSchema,
    "`lifetimes`": file_schema.LifetimesSchema,
    "`tenants:`": file_schema.WorkspaceSchema,
}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeclarationFile:
    """The example, with everything it refers to."""
    yaml = re.search(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
    assert yaml is not None
    (tmp_path / "proofkey.yaml").write_text(yaml[1].replace("/run/secrets", str(tmp_path)), encoding="utf-8")
    (tmp_path / "proofkey-master-key").write_text("5a" * 32 + "\n")
    (tmp_path / "billing.secret").write_text("billing-secret-0123456789\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://proofkey@localhost/proofkey")
    monkeypatch.setenv("BACKOFFICE_SECRET", "backoffice-secret-0123456789")
    monkeypatch.setenv("CAROL_PASSWORD", "correct horse battery staple")
    return read_declaration_file(tmp_path / "proofkey.yaml")


def test_the_example_declares_what_it_says(example: DeclarationFile) -> None:
    [declared] = example.declare().workspaces
    assert ("acme/main", "Acme") == (declared.workspace.id, declared.workspace.name)
    assert Lifetimes(access_token_for=10 * MINUTE, session_idle_for=8 * HOUR) == declared.workspace.lifetimes
    applications = {application.name: application for application in declared.applications}
    shop = applications["shop"].client
    assert ("shop", ("https://shop.acme.example",)) == (shop.id, shop.origins)
    assert ("authorization_code", "refresh_token") == shop.grant_types
    assert ("https://orders.acme.example",) == shop.resources
    assert "backoffice-secret-0123456789" == applications["backoffice"].client_secret
    assert "billing-secret-0123456789" == applications["billing"].client_secret
    assert ("client_credentials",) == applications["billing"].client.grant_types
    assert not any(application.client.remember_loopback_consent for application in declared.applications)
    [carol] = declared.people
    assert ("carol", "carol@acme.example") == carol.login_names
    assert "correct horse battery staple" == carol.password
    assert {
        "preferred_username": "carol",
        "name": "Carol Clark",
        "email": "carol@acme.example",
        "email_verified": True,
        "given_name": "Carol",
        "family_name": "Clark",
        "locale": "en-GB",
    } == carol.claims


def test_the_example_says_how_to_run(example: DeclarationFile) -> None:
    settings = read_server_settings(example)
    config = settings.config
    assert "https://auth.example/acme/main" == config.issuer_for("acme", "main")
    assert (b"\x5a" * 32, ("127.0.0.1/32",)) == (config.master_key, config.trusted_proxies)
    assert Throttle(10, 5 * MINUTE, 100, 5 * MINUTE) == config.throttle
    assert ("127.0.0.1", 8400, None) == (settings.listen.host, settings.listen.port, settings.certificate_file)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_in_its_table(title: str) -> None:
    section = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", MANUAL, re.DOTALL | re.MULTILINE)
    assert section is not None
    written = {
        key.split(".")[0]
        for row in re.findall(r"^\| (`.*?) \|", section[1], re.MULTILINE)
        for key in re.findall(r"`([\w.]+)`", row)
    }
    assert set(SECTIONS[title].__struct_fields__) == written


def test_the_lifetimes_it_prints_are_the_defaults() -> None:
    section = MANUAL.split("### `lifetimes`")[1].split("##")[0]
    units = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
    printed = {
        key: int(default[:-1]) * units[default[-1]]
        for keys, default in re.findall(r"^\| (`.*?`) \| `(\w+)` \|", section, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", keys)
    }
    defaults = msgspec.to_builtins(Lifetimes())
    assert {key: defaults.get(f"{key}_for", defaults["refresh_absolute_for_spa"]) for key in printed} == printed
    assert len(defaults) == len(printed)


def test_the_reserved_names_it_prints_are_those_refused() -> None:
    sentence = re.search(r"A tenant cannot be called\n(.*?)\.\n", MANUAL, re.DOTALL)
    assert sentence is not None
    assert RESERVED_TENANTS == set(re.findall(r"`([^`]+)`", sentence[1]))
