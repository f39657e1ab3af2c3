"""The command line against issuers that are not ours: default scopes, bound tokens, the device grant."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.dev_server import PROOFKEY
from tests.providers.foreign import ForeignProvider
from tests.providers.person import ForeignPerson

ADDRESS = re.compile(r"^(https?://\S+[?&]code_challenge=\S+)$", re.MULTILINE)


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROOFKEY_")}
    null = "keyring.backends.null.Keyring"
    return {**kept, "XDG_STATE_HOME": str(folder), "PYTHON_KEYRING_BACKEND": null}


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    ran = subprocess.run(
        [PROOFKEY, *arguments], env=environment(folder), capture_output=True, text=True, timeout=60, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [PROOFKEY, *arguments], env=environment(folder), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def sign_in(folder: Path, provider: ForeignProvider, *options: str) -> str:
    """Paste the address the person came back to; what was printed."""
    issuer = ["--issuer", provider.issuer, "--client-id", provider.clients["native"]["client_id"]]
    with start(folder, "login", "--no-browser", *issuer, *options) as process, ForeignPerson(provider.issuer) as person:
        assert process.stderr is not None
        address = next(found[1] for line in process.stderr if (found := ADDRESS.match(line.strip())))
        out, err = process.communicate(f"{person.visit(address)}\n", timeout=60)
    assert 0 == process.returncode, err
    return out


@pytest.mark.parametrize("name", ["oidc_provider", "django_oauth_toolkit"])
def test_the_usual_scopes_are_asked_for_as_far_as_the_issuer_has_them(
    request: pytest.FixtureRequest, name: str, tmp_path: Path
) -> None:
    provider: ForeignProvider = request.getfixturevalue(name)
    told = json.loads(sign_in(tmp_path, provider, "--json"))
    usual = {"openid", "profile", "email", "offline_access"}
    assert usual & set(provider.metadata["scopes_supported"]) == set(told["scope"].split())
    status, out, err = run(
        tmp_path, "curl", "-s", "--allow-origin", provider.issuer, provider.metadata["userinfo_endpoint"]
    )
    assert (0, str(told["sub"])) == (status, str(json.loads(out)["sub"])), err
    assert (0, True) == ((left := run(tmp_path, "logout", "--json"))[0], json.loads(left[1])["revoked"])


def test_a_bound_token_goes_with_a_proof(oidc_provider: ForeignProvider, tmp_path: Path) -> None:
    assert "DPoP" == json.loads(sign_in(tmp_path, oidc_provider, "--dpop", "--json"))["token_type"]
    userinfo = oidc_provider.metadata["userinfo_endpoint"]
    status, out, err = run(tmp_path, "curl", "-s", "--allow-origin", oidc_provider.issuer, userinfo)
    assert (0, "alice") == (status, json.loads(out)["sub"]), err
    status, _, err = run(tmp_path, "curl", "-s", "--allow-origin", oidc_provider.issuer, userinfo, userinfo)
    assert (2, True) == (status, "one address" in err)


def test_a_code_at_another_device(oidc_provider: ForeignProvider, tmp_path: Path) -> None:
    issuer = ["--issuer", oidc_provider.issuer, "--client-id", oidc_provider.clients["native"]["client_id"]]
    with start(tmp_path, "login", "--device", "--scope", "openid", *issuer) as process:
        assert process.stderr is not None
        shown = ""
        for line in process.stderr:
            shown += line
            found = re.search(r"open (\S+)\s+and type the code (\S+)", shown)
            if found:
                break
        with ForeignPerson(oidc_provider.issuer) as person:
            person.enter_user_code(found[1], found[2])  # type: ignore[index]
        out, err = process.communicate(timeout=60)
    assert (0, f"signed in as alice at {oidc_provider.issuer}\n") == (process.returncode, out), err
